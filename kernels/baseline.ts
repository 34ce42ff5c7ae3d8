/** The kernel module that needs nothing beyond WebAssembly's standard 128-bit SIMD. */
export * from "./common";
export { int8_gemm, int8_pack_panel, int8_quantize, int8_set_signed } from "./gemm-int8-baseline";
import { ACTIVATION_BYTES } from "./gemm-int8-baseline";

/** Which module this is: 1 relaxed, 0 baseline. */
export function is_relaxed(): i32 {
  return 0;
}

/** Bytes of one packed activation of this module's int8 product. */
export function int8_activation_bytes(): i32 {
  return ACTIVATION_BYTES;
}

/** Nothing here differs between engines: always usable. */
export function probe(_scratch: usize): i32 {
  return 1;
}
