/**
 * A forward pass as a list of commands in memory, which any number of threads carry out together.
 *
 * Each command is one operation of the encoder, cut into chunks that do not overlap: blocks of rows, groups of
 * panels, heads of sequences. A thread takes the next chunk of the first unfinished command, by one atomic
 * decrement, until there is none; it goes on to the next command when the last chunk of this one is done.
 * Nobody waits for a thread that is asleep, late or has lost its core, except for the chunk that it holds; and
 * who waits longer for that than it can take goes to sleep for a moment, because on a crowded machine it may
 * be sitting on the very core that the other needs. Which thread computes a chunk changes no bit of it: a
 * kernel's results do not depend on the range that it is given.
 *
 * A command is 128 bytes: the chunks still to be taken (i64), the chunks still to be done (i64), and on a
 * cache line of their own, which is only read, 16 words: operation, number of chunks, arguments. The counters
 * carry the program's generation in their upper halves, so a thread that comes late finds a generation that is
 * not its own and can take nothing of it.
 *
 * One thread runs the same program by the same code. Atomic operations are allowed on memory that is not
 * shared, so one module serves both; `memory.atomic.wait` alone would trap there, and nobody gets to it
 * without a second thread.
 *
 * Where it is weak: a thread that dies with a chunk in its hands leaves the calling thread waiting for it.
 * Kernels do not trap, and threads are ended between runs only.
 */
import { activate } from "./activate";
import { attention_f32 } from "./attention";
import { attention_int8 } from "./attention-int8";
import { embed_f32, embed_int4, embed_int8 } from "./embed";
import { f32_gemm } from "./gemm-f32";
import { int8_gemm, int8_quantize } from "./int8";
import { add_norm } from "./norm";

/** Bytes of one command. */
const COMMAND: usize = 128;

/** Where a command's words begin: on its second cache line. */
const WORDS: usize = 64;

/**
 * `control`: generation of the last run (i32), number of its commands (i32), whether the calling thread may
 * sleep (i32; a page's main thread may not), and from the second cache line on how many chunks each thread has
 * taken in its life (i32 each).
 */
const MAY_SLEEP: usize = 8;
const TAKEN: usize = 64;

/** After this many looks at a counter (some 20 microseconds) the chunk's owner may have lost its core. */
const SPINS: i32 = 1 << 14;

/** Nanoseconds to sleep then, so that the other thread can have this core if there is no other. */
const NAP: i64 = 100000;

// Operations. The numbers, and each one's arguments in their order, are written by src/backend/wasm/program.ts.
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

/** Argument number i of the command at `words`. */
// @ts-ignore: decorator
@inline
function arg(words: usize, i: i32): i32 {
  return load<i32>(words + (<usize> i << 2), 8);
}

// @ts-ignore: decorator
@inline
function argF32(words: usize, i: i32): f32 {
  return load<f32>(words + (<usize> i << 2), 8);
}

/** End of the piece of `size` that begins at `start`: what is left if it is the last of `pieces`. */
// @ts-ignore: decorator
@inline
function endOf(start: i32, size: i32, piece: i32, pieces: i32, end: i32): i32 {
  return piece == pieces - 1 ? end : start + size;
}

/** Number of chunks of the command at `words`. */
// @ts-ignore: decorator
@inline
function chunksOf(words: usize): i32 {
  return load<i32>(words, 4);
}

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

/** Takes part in a program of `count` commands until it is done; scratch number `thread` is this thread's own. */
function takePart(control: usize, program: usize, count: i32, generation: i32, thread: i32): void {
  const counter = control + TAKEN + (<usize> thread << 2);
  const maySleep = thread != 0 || load<i32>(control + MAY_SLEEP) != 0;
  for (let end = program + <usize> count * COMMAND; program < end; program += COMMAND) {
    const words = program + WORDS;
    for (;;) {
      const todo = atomic.load<i64>(program);
      if (<i32> (todo >> 32) != generation) return;
      const left = <i32> todo;
      if (left == 0) break;
      if (atomic.cmpxchg<i64>(program, todo, todo - 1) != todo) continue;
      // The last chunk first, since it has the rows that are left over; then in the order of memory.
      const chunks = chunksOf(words), taken = chunks - left;
      step(words, taken == 0 ? chunks - 1 : taken - 1, thread);
      store<i32>(counter, load<i32>(counter) + 1);
      atomic.sub<i64>(program, 1, 8);
    }
    for (let spins = 0;; spins++) {
      const undone = atomic.load<i64>(program, 8);
      if (<i32> (undone >> 32) != generation) return;
      if (<i32> undone == 0) break;
      if (spins > SPINS && maySleep) atomic.wait<i32>(program + 8, <i32> undone, NAP);
    }
  }
}

/**
 * Runs `count` commands at `program`, together with the threads that sleep at `control` (see {@link work}),
 * and returns when all is done.
 */
export function run(control: usize, program: usize, count: i32): void {
  // 1, 2, ... 2^31 - 1, 1, ...: 0 is the state before the first run, -1 tells threads to end.
  let generation = (load<i32>(control) + 1) & 0x7fffffff;
  if (generation == 0) generation = 1;
  for (let i = 0; i < count; i++) {
    const command = program + <usize> i * COMMAND;
    const chunks = (<i64> generation << 32) | <i64> load<i32>(command + WORDS, 4);
    atomic.store<i64>(command, chunks, 8);
    atomic.store<i64>(command, chunks);
  }
  atomic.store<i32>(control, count, 4);
  atomic.store<i32>(control, generation);
  atomic.notify(control, -1);
  takePart(control, program, count, generation, 0);
}

/** Looks at the control word this often before a thread goes to sleep: 0.1 to 0.4 ms. */
const PATIENCE: i32 = 100000;

/**
 * What an extra thread does all its life: waits for a run, takes part, and waits again, first watching, then
 * asleep. Returns after {@link stop}. `thread` is 1 or more.
 */
export function work(control: usize, program: usize, thread: i32): void {
  let seen = 0;
  for (;;) {
    let generation = atomic.load<i32>(control);
    for (let i = 0; generation == seen && i < PATIENCE; i++) generation = atomic.load<i32>(control);
    if (generation == seen) {
      atomic.wait<i32>(control, seen, -1);
      continue;
    }
    if (generation == -1) return;
    seen = generation;
    takePart(control, program, atomic.load<i32>(control, 4), generation, thread);
  }
}

/** Ends all threads that are in {@link work}. No run may follow. */
export function stop(control: usize): void {
  atomic.store<i32>(control, -1);
  atomic.notify(control, -1);
}
