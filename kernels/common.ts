/** What both kernel modules hold. */
import { ABI } from "./contract";

export { attention_f32_scratch } from "./attention";
export { attention_int8_scratch } from "./attention-int8";
export {
  crf_backward,
  crf_bytes,
  crf_exp,
  crf_forward,
  crf_partition,
  crf_prepare,
  crf_viterbi,
} from "./crf";
export { f32_pack_panel } from "./gemm-f32";
export { family, int8_activation_bytes, int8_pack_panel, int8_set_signed } from "./int8";
export { run, stop, work } from "./program";

/** Version of what these exports take (contract.ts); the loader refuses any other. */
export function abi(): i32 {
  return ABI;
}

/** First byte that the module itself does not use. */
export function heap_base(): usize {
  return __heap_base;
}
