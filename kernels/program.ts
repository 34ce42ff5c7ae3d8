/** The operations of a forward pass, as commands that threads share (schedule.ts, contract.ts). */
import { attention_f32 } from "./attention_f32";
import { attention_int8 } from "./attention_int8";
import {
  Activate,
  AddFeatures,
  AddNorm,
  Attention,
  Command,
  Embed,
  GemmF32,
  GemmInt8,
  LAST_ROWS,
  LowRank,
  OPERATION_ACTIVATE,
  OPERATION_ADD_FEATURES,
  OPERATION_ADD_NORM,
  OPERATION_ATTENTION_F32,
  OPERATION_ATTENTION_INT8,
  OPERATION_EMBED_F32,
  OPERATION_EMBED_I4,
  OPERATION_EMBED_I8,
  OPERATION_GEMM_F32,
  OPERATION_GEMM_INT8,
  OPERATION_LOW_RANK,
  OPERATION_QUANTIZE,
  Quantize,
} from "./contract";
import { embed_f32, embed_i4, embed_i8 } from "./embed";
import { add_features } from "./features";
import { gemm_f32 } from "./gemm_f32";
import { gemm, quantize } from "./gemm_int8";
import { padded } from "./layout";
import { low_rank } from "./low_rank";
import { add_norm } from "./norm";
import { activateRow } from "./rows";
import { endOf, runProgram, workProgram } from "./schedule";

export { stop } from "./schedule";

/** Rows that are normalized and quantized together, so that they are still in the first-level cache. */
const TOGETHER: i32 = 20;

function quantizeChunk(it: Quantize, chunk: i32): void {
  const size = it.chunkRows, end = endOf(chunk * size, size, chunk, it.chunks, it.m);
  for (let i = chunk * size; i < end;) {
    // TOGETHER is a multiple of BLOCK_ROWS.
    const next = end - i < TOGETHER + LAST_ROWS ? end : i + TOGETHER;
    if (it.update) add_norm(it.x, it.update, it.n, it.gamma, it.beta, it.epsilon, i, next);
    quantize(it.x, it.stride, it.m, it.k, it.packed, it.rowParams, it.activation, it.levels, i, next);
    i = next;
  }
}

function gemmInt8Chunk(it: GemmInt8, chunk: i32, thread: i32): void {
  const size = it.chunkRows, group = it.chunkPanels, panels = it.panels, groups = (panels + group - 1) / group;
  const block = chunk / groups, i0 = block * size, p0 = chunk % groups * group;
  const i1 = endOf(i0, size, block, it.chunks / groups, it.m), p1 = min(p0 + group, panels);
  const scratch = it.scratch + <usize> thread * it.scratchBytes;
  gemm(it.m, it.k, it.packed, it.rowParams, it.weights, it.columns, it.c, it.stride, p0, p1, i0, i1, scratch);
}

function gemmF32Chunk(it: GemmF32, chunk: i32, thread: i32): void {
  const size = it.chunkRows, group = it.chunkPanels, panels = it.panels, groups = (panels + group - 1) / group;
  const block = chunk / groups, i0 = block * size, p0 = chunk % groups * group;
  const i1 = endOf(i0, size, block, it.chunks / groups, it.m), p1 = min(p0 + group, panels);
  gemm_f32(it, i0, i1, p0, p1, it.scratch + <usize> thread * it.scratchBytes);
}

function attentionChunk(it: Attention, chunk: i32, thread: i32): void {
  const ld = it.stride, heads = it.heads, d = it.d, ldc = it.contextStride;
  const offset = it.offsets + (<usize> (chunk / heads) << 2);
  const start = load<i32>(offset), s = load<i32>(offset, 4) - start;
  const head = <usize> (chunk % heads * d) << 2, part = <usize> (heads * d) << 2;
  const query = it.qkv + <usize> start * ld + head, key = query + part, value = key + part;
  const context = it.context + <usize> start * ldc + head;
  const scratch = it.scratch + <usize> thread * it.scratchBytes;
  if (it.operation == OPERATION_ATTENTION_INT8) {
    attention_int8(query, key, value, ld, s, d, it.scale, context, ldc, scratch);
  } else attention_f32(query, key, value, ld, s, d, it.scale, context, ldc, scratch);
}

/** Carries out one chunk. */
function step(command: Command, chunk: i32, thread: i32): void {
  const operation = command.operation, words = changetype<usize>(command);
  if (operation == OPERATION_GEMM_INT8) gemmInt8Chunk(changetype<GemmInt8>(words), chunk, thread);
  else if (operation == OPERATION_QUANTIZE) quantizeChunk(changetype<Quantize>(words), chunk);
  else if (operation == OPERATION_GEMM_F32) gemmF32Chunk(changetype<GemmF32>(words), chunk, thread);
  else if (operation == OPERATION_ATTENTION_INT8 || operation == OPERATION_ATTENTION_F32) {
    attentionChunk(changetype<Attention>(words), chunk, thread);
  } else if (operation == OPERATION_LOW_RANK) {
    const it = changetype<LowRank>(words), i0 = chunk * it.chunkRows;
    low_rank(it, i0, endOf(i0, it.chunkRows, chunk, it.chunks, it.m), thread);
  } else if (operation == OPERATION_ADD_NORM) {
    const it = changetype<AddNorm>(words), r0 = chunk * it.chunkRows;
    const r1 = endOf(r0, it.chunkRows, chunk, it.chunks, it.rows);
    add_norm(it.x, it.update, it.n, it.gamma, it.beta, it.epsilon, r0, r1);
  } else if (operation == OPERATION_ACTIVATE) {
    const it = changetype<Activate>(words), r0 = chunk * it.chunkRows, columns = padded(it.n);
    const rows = endOf(r0, it.chunkRows, chunk, it.chunks, it.rows) - r0;
    activateRow(it.x + (<usize> r0 * columns << 2), rows * columns, it.activation);
  } else if (operation == OPERATION_ADD_FEATURES) {
    const it = changetype<AddFeatures>(words), r0 = chunk * it.chunkRows;
    const r1 = endOf(r0, it.chunkRows, chunk, it.chunks, it.rows);
    add_features(it.x, it.n, it.features, it.stride, it.columns, it.table, r0, r1);
  } else {
    const it = changetype<Embed>(words), r0 = chunk * it.chunkRows;
    const r1 = endOf(r0, it.chunkRows, chunk, it.chunks, it.rows);
    if (operation == OPERATION_EMBED_F32) embed_f32(it, r0, r1);
    else if (operation == OPERATION_EMBED_I8) embed_i8(it, r0, r1);
    else if (operation == OPERATION_EMBED_I4) embed_i4(it, r0, r1);
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
