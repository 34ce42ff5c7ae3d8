/** The kernel module for engines whose relaxed int8 dot passes the probe. */
export * from "./common";
export { int8_gemm, int8_pack_panel, int8_quantize, int8_set_signed } from "./gemm-int8-relaxed";
export { probe } from "./probe";
import { ACTIVATION_BYTES } from "./gemm-int8-relaxed";

/** Which module this is: 1 relaxed, 0 baseline. */
export function is_relaxed(): i32 {
  return 1;
}

/** Bytes of one packed activation of this module's int8 product. */
export function int8_activation_bytes(): i32 {
  return ACTIVATION_BYTES;
}
