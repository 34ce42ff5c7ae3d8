/**
 * What a kernel module exports.
 *
 * @module
 */

/** Exports of a kernel module; documented beside each kernel. Pointers and sizes are bytes. */
export interface Kernels {
  abi(): number;
  is_relaxed(): number;
  heap_base(): number;
  probe(scratch: number): number;
  int8_activation_bytes(): number;
  int8_set_signed(signed: number): void;
  int8_pack_panel(source: number, k: number, target: number, columns: number): void;
  // deno-fmt-ignore
  int8_quantize(x: number, ldx: number, m: number, k: number, a: number, rows: number, activation: number, i0: number, i1: number): void;
  // deno-fmt-ignore
  int8_gemm(m: number, k: number, a: number, rows: number, w: number, columns: number, c: number, ldc: number, p0: number, p1: number, i0: number, i1: number): void;
  f32_pack_panel(source: number, k: number, target: number): void;
  // deno-fmt-ignore
  f32_gemm(m: number, k: number, a: number, lda: number, w: number, bias: number, c: number, ldc: number, p0: number, p1: number): void;
  activate(x: number, n: number, activation: number, r0: number, r1: number): void;
  attention_scratch(s: number, d: number): number;
  // deno-fmt-ignore
  attention_f32(query: number, key: number, value: number, ld: number, s: number, d: number, scale: number, context: number, ldc: number, scratch: number): void;
  attention_int8_scratch(s: number, d: number): number;
  // deno-fmt-ignore
  attention_int8(query: number, key: number, value: number, ld: number, s: number, d: number, scale: number, context: number, ldc: number, scratch: number): void;
  // deno-fmt-ignore
  add_norm(x: number, y: number, n: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  // deno-fmt-ignore
  embed_int8(x: number, n: number, ids: number, positions: number, words: number, scales: number, positionTable: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  // deno-fmt-ignore
  embed_int4(x: number, n: number, ids: number, positions: number, words: number, scales: number, positionTable: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  // deno-fmt-ignore
  embed_f32(x: number, n: number, ids: number, positions: number, words: number, positionTable: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  crf_bytes(labels: number): number;
  crf_prepare(crf: number, labels: number): void;
  crf_exp(x: number): number;
  // deno-fmt-ignore
  crf_viterbi(emissions: number, t: number, labels: number, crf: number, state: number, back: number, first: number): void;
  // deno-fmt-ignore
  crf_forward(emissions: number, t: number, labels: number, crf: number, alpha: number, scratch: number, first: number): void;
  // deno-fmt-ignore
  crf_backward(emissions: number, t: number, labels: number, crf: number, beta: number, state: number, scratch: number, last: number): void;
  crf_partition(alpha: number, labels: number, crf: number): number;
  run(control: number, program: number, count: number): void;
  work(control: number, program: number, thread: number): void;
  stop(control: number): void;
}
