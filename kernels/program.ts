/** The operations of a forward pass, as commands that threads share (schedule.ts). */
import { activate } from "./activate";
import { attention_f32 } from "./attention";
import { attention_int8 } from "./attention-int8";
import { embed_f32, embed_int4, embed_int8 } from "./embed";
import { f32_gemm } from "./gemm-f32";
import { int8_gemm, int8_quantize } from "./int8";
import { add_norm } from "./norm";
import { arg, argF32, chunksOf, endOf, runProgram, workProgram } from "./schedule";

export { stop } from "./schedule";

// Operations. The numbers, and each one's arguments in their order, are written by src/kernels/program.ts.
const EMBED_F32: i32 = 0;
const EMBED_INT8: i32 = 1;
const EMBED_INT4: i32 = 2;
const QUANTIZE: i32 = 3;
const GEMM_INT8: i32 = 4;
const GEMM_F32: i32 = 5;
const ACTIVATE: i32 = 6;
const ADD_NORM: i32 = 7;
const ATTENTION_F32: i32 = 8;
const ATTENTION_INT8: i32 = 9;

/** (x, n, ids, positions, words, scales, position table, gamma, beta, epsilon, rows, rows a chunk) */
function embedChunk(words: usize, operation: i32, chunk: i32): void {
  const x = arg(words, 0), n = arg(words, 1), ids = arg(words, 2), positions = arg(words, 3);
  const table = arg(words, 4), scales = arg(words, 5), positionTable = arg(words, 6);
  const gamma = arg(words, 7), beta = arg(words, 8), epsilon = argF32(words, 9);
  const size = arg(words, 11), r0 = chunk * size;
  const r1 = endOf(r0, size, chunk, chunksOf(words), arg(words, 10));
  if (operation == EMBED_F32) {
    embed_f32(x, n, ids, positions, table, positionTable, gamma, beta, epsilon, r0, r1);
  } else if (operation == EMBED_INT8) {
    embed_int8(x, n, ids, positions, table, scales, positionTable, gamma, beta, epsilon, r0, r1);
  } else {
    embed_int4(x, n, ids, positions, table, scales, positionTable, gamma, beta, epsilon, r0, r1);
  }
}

/** Rows that are normalized and quantized together, so that they are still in the first-level cache. */
const TOGETHER: i32 = 20;

/**
 * (x, ldx, m, k, a, rows, rows a chunk, activation, update, n, gamma, beta, epsilon)
 *
 * With an update, x = LayerNorm(x + update) first.
 */
function quantizeChunk(words: usize, chunk: i32): void {
  const x = <usize> arg(words, 0), ldx = <usize> arg(words, 1), m = arg(words, 2), k = arg(words, 3);
  const a = <usize> arg(words, 4), rows = <usize> arg(words, 5), size = arg(words, 6);
  const activation = arg(words, 7), update = arg(words, 8), n = arg(words, 9);
  const end = endOf(chunk * size, size, chunk, chunksOf(words), m);
  for (let i = chunk * size; i < end;) {
    // TOGETHER is a multiple of BLOCK_ROWS.
    const next = end - i < TOGETHER + 8 ? end : i + TOGETHER;
    if (update) {
      add_norm(x, update, n, arg(words, 10), arg(words, 11), argF32(words, 12), i, next);
    }
    int8_quantize(x, ldx, m, k, a, rows, activation, i, next);
    i = next;
  }
}

/**
 * (m, k, a, rows or lda, w, columns or bias, c, ldc, panels, rows a chunk, panels a chunk); chunks go by rows,
 * then by panels
 */
function gemmChunk(words: usize, int8: bool, chunk: i32): void {
  const m = arg(words, 0), k = arg(words, 1), a = arg(words, 2), ra = arg(words, 3), w = arg(words, 4);
  const columns = arg(words, 5), c = arg(words, 6), ldc = arg(words, 7), panels = arg(words, 8);
  const size = arg(words, 9), group = arg(words, 10), groups = (panels + group - 1) / group;
  const block = chunk / groups, i0 = block * size, p0 = chunk % groups * group;
  const i1 = endOf(i0, size, block, chunksOf(words) / groups, m), p1 = min(p0 + group, panels);
  if (int8) int8_gemm(m, k, a, ra, w, columns, c, ldc, p0, p1, i0, i1);
  else f32_gemm(i1 - i0, k, a + i0 * ra, ra, w, columns, c + i0 * ldc, ldc, p0, p1);
}

/** (qkv, ld, offsets, heads, d, scale, context, ldc, scratch, scratch bytes a thread); a chunk is one head of one sequence */
function attentionChunk(words: usize, int8: bool, chunk: i32, thread: i32): void {
  const ld = <usize> arg(words, 1), heads = arg(words, 3), d = arg(words, 4), ldc = <usize> arg(words, 7);
  const offset = <usize> arg(words, 2) + (<usize> (chunk / heads) << 2);
  const start = load<i32>(offset), s = load<i32>(offset, 4) - start;
  const head = <usize> (chunk % heads * d) << 2, part = <usize> (heads * d) << 2;
  const query = <usize> arg(words, 0) + <usize> start * ld + head;
  const context = <usize> arg(words, 6) + <usize> start * ldc + head;
  const key = query + part, value = key + part, scale = argF32(words, 5);
  const scratch = arg(words, 8) + thread * arg(words, 9);
  if (int8) attention_int8(query, key, value, ld, s, d, scale, context, ldc, scratch);
  else attention_f32(query, key, value, ld, s, d, scale, context, ldc, scratch);
}

/** Carries out one chunk. */
function step(words: usize, chunk: i32, thread: i32): void {
  const operation = load<i32>(words);
  if (operation == GEMM_INT8) gemmChunk(words, true, chunk);
  else if (operation == QUANTIZE) quantizeChunk(words, chunk);
  else if (operation == ATTENTION_INT8) attentionChunk(words, true, chunk, thread);
  else if (operation == ATTENTION_F32) attentionChunk(words, false, chunk, thread);
  else if (operation == GEMM_F32) gemmChunk(words, false, chunk);
  else if (operation <= EMBED_INT4) embedChunk(words, operation, chunk);
  else {
    const size = arg(words, 0), r0 = chunk * size;
    const r1 = endOf(r0, size, chunk, chunksOf(words), arg(words, 1));
    if (operation == ADD_NORM) {
      // (rows a chunk, rows, x, y, n, gamma, beta, epsilon)
      add_norm(arg(words, 2), arg(words, 3), arg(words, 4), arg(words, 5), arg(words, 6), argF32(words, 7), r0, r1);
    } else {
      // (rows a chunk, rows, x, n, activation)
      activate(arg(words, 2), arg(words, 3), arg(words, 4), r0, r1);
    }
  }
}

/** See {@link runProgram}. */
export function run(control: usize, program: usize, count: i32): void {
  runProgram(control, program, count, step);
}

/** See {@link workProgram}. */
export function work(control: usize, program: usize, thread: i32): void {
  workProgram(control, program, thread, step);
}
