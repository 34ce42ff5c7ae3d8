/** The module of a family of int8 kernels. */
import { ABI } from "./contract";

export { attention_f32_scratch } from "./attention_f32";
export { attention_int8_scratch } from "./attention_int8";
export { checksum_stripes } from "./checksum";
export {
  crf_backward,
  crf_bytes,
  crf_exp,
  crf_forward,
  crf_partition,
  crf_prepare,
  crf_viterbi,
} from "./crf";
export { probe } from "./family/probe";
export { f32_pack_panel } from "./gemm_f32";
export { family, int8_activation_bytes, int8_lane_sum, int8_pack_panel, int8_set_signed } from "./gemm_int8";
export { run, stop, work } from "./program";
export { trie_fill } from "./trie";

/** Version of what these exports take (contract.ts); the loader refuses any other. */
export function abi(): i32 {
  return ABI;
}

/** First byte that the module itself does not use. */
export function heap_base(): usize {
  return __heap_base;
}
