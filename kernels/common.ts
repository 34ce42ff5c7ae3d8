/** What both kernel modules hold. */
export { activate } from "./activate";
export { attention_f32, attention_scratch } from "./attention";
export { attention_int8, attention_int8_scratch } from "./attention-int8";
export {
  crf_backward,
  crf_bytes,
  crf_exp,
  crf_forward,
  crf_partition,
  crf_prepare,
  crf_viterbi,
} from "./crf";
export { embed_f32, embed_int4, embed_int8 } from "./embed";
export { f32_gemm, f32_pack_panel } from "./gemm-f32";
export {
  int8_activation_bytes,
  int8_gemm,
  int8_pack_panel,
  int8_quantize,
  int8_set_signed,
  is_relaxed,
} from "./int8";
export { add_norm } from "./norm";
export { run, stop, work } from "./program";

/** Changes whenever a kernel's arguments or layouts do; the loader refuses any other. */
export function abi(): i32 {
  return 2;
}

/** First byte that the module itself does not use. */
export function heap_base(): usize {
  return __heap_base;
}
