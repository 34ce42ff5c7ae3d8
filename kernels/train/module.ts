/** The kernel module of training: float32, 128-bit SIMD, multiply and add apart; the same bits in every engine. */
import { TRAIN_ABI } from "./contract";

export { crf_backward, crf_forward, crf_partition, crf_prepare } from "../crf";
export { exp64, log64 } from "../math64";
export { stop } from "../schedule";
export { attention_train_scratch } from "./attention";
export { crf_expectations, cross_entropy } from "./loss";
export { run, work } from "./operations";
export { philox_block } from "./philox";
export { product_scratch } from "./product";

/** Changes whenever the contract does; src/train refuses any other. */
export function abi(): i32 {
  return TRAIN_ABI;
}

/** First byte that the module itself does not use. */
export function heap_base(): usize {
  return __heap_base;
}
