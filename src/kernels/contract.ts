/**
 * What the kernels and the code around them agree on, written once.
 *
 * `deno task build` writes it down again for the kernels' compiler, as `kernels/contract.ts`: constants, and for
 * each command a number and a struct of its arguments. `deno task check` fails where that file, or a module built
 * from it, is not what stands here. Sizes that depend on a model (attention's scratch, the CRF's parameters) are
 * not here: the modules export them.
 *
 * Numbers are bytes unless they say otherwise. docs/kernels.md tells how it is meant to be changed.
 *
 * @module
 */

/** Changes whenever anything below does, or what an export takes; a module with another is refused. */
export const ABI = 7;

/** Columns of a row in memory come in multiples of this: four steps of the int8 dot, two vectors of eight lanes. */
export const COLUMN_ALIGN = 16;

/** Columns of a packed panel of weights; a product writes one panel's columns at a time. */
export const PANEL = 8;

/**
 * A panel's parameters: 8 scales (f32), 8 biases (f32) from {@link PANEL_BIASES} on, 8 sums of weights (i32) from
 * {@link PANEL_SUMS} on. Interleaved so that the end of a tile reads one place.
 */
export const PANEL_PARAMS = 96;
export const PANEL_BIASES = 32;
export const PANEL_SUMS = 64;

/** A row's quantization parameters: scale (f32), zero point or what its family has instead (i32). */
export const ROW_PARAMS = 8;

/**
 * Rows of a full block of packed activations. Rows lie in blocks of this many, except for the last dozen; a range
 * of rows may begin and end at any multiple of it that is at least {@link LAST_ROWS} before the end, and at the end.
 */
export const BLOCK_ROWS = 5;
export const LAST_ROWS = 8;

/**
 * Bytes of scratch that a product may take, for each thread: a block's sums of one panel, where a family has no
 * registers left for them.
 */
export const PRODUCT_SCRATCH = BLOCK_ROWS * PANEL * 4;

/** Columns of the left side of a float32 product that are packed at a time: so many rows of a panel are 8 KiB. */
export const F32_DEPTH = 256;

/** The largest quantized activation, where a model says nothing else: all of 8 bits. */
export const LEVELS = 255;

/** A command: two counters, and from {@link COMMAND_WORDS} on operation, number of chunks and arguments. */
export const COMMAND_BYTES = 128;
export const COMMAND_WORDS = 64;

/**
 * The threads' control words: generation of the last run (i32), number of its commands (i32), whether the calling
 * thread may sleep (i32), and on the next cache line how many chunks each thread has taken in its life (i32 each).
 */
export const CONTROL_COMMANDS = 4;
export const CONTROL_MAY_SLEEP = 8;
export const CONTROL_TAKEN = 64;

/** Most threads of one program. */
export const MAX_THREADS = 64;
export const CONTROL_BYTES = CONTROL_TAKEN + 4 * MAX_THREADS;

/**
 * The CRF's parameters as rows of one float64 a label: start, end, the transitions from each label, and what
 * `crf_prepare` makes of them.
 */
export const CRF_END_ROW = 1;
export const CRF_TRANSITION_ROWS = 2;

/** Rows of one float64 a label that Viterbi (state) and the sums (scratch) work in. */
export const CRF_STATE_ROWS = 2;
export const CRF_SCRATCH_ROWS = 1;

/** Families of int8 kernels, a module each. */
export const FAMILY = { baseline: 0, relaxed: 1, pairs: 2 } as const;

/**
 * What a family's probe finds: the engine's arithmetic is off; takes activations as bytes of this kind; or takes
 * unsigned ones and saturates pairs of products at 16 bits, which is exact for weights that keep a lane budget
 * (src/model/lanes.ts).
 */
export const PROBE = { unusable: 0, unsigned: 1, signed: 2, pairs: 3 } as const;

/** What the rows of an activation tensor pass through. */
export const ACTIVATION = { gelu: 1, gelu_tanh: 2, tanh: 3 } as const;
export const ACTIVATION_NONE = 0;

/**
 * What the relaxed dots do: the engine's own instructions, or spelled out for tests: second operand unsigned (x86
 * with VNNI), signed (Arm), unsigned with pairs that saturate (x86 without VNNI), twice the sum (an old Liftoff).
 */
export const DOT = { native: 0, unsigned: 1, signed: 2, saturating: 3, doubled: 4 } as const;

/** A field of four bytes: an address or a number of bytes, an integer, a float. */
export type Field = "usize" | "i32" | "f32";

/** Fields in the order in which they lie in memory. */
export type Struct = Readonly<Record<string, Field>>;

/** What each command begins with; its arguments follow, 14 at most. `Program` writes it. */
export const COMMAND = { operation: "i32", chunks: "i32" } as const;

/** x = LayerNorm(word[id] + position), rows of n columns. */
export const EMBED = {
  x: "usize",
  n: "i32",
  ids: "usize",
  positions: "usize",
  words: "usize",
  scales: "usize",
  positionTable: "usize",
  gamma: "usize",
  beta: "usize",
  epsilon: "f32",
  rows: "i32",
  chunkRows: "i32",
} as const;

/**
 * x = LayerNorm(x + update), rows of n columns, if there is an update; x = activation(x); then x, m rows of k columns,
 * to packed integers from 0 to `levels`, with a scale and a zero point each.
 */
export const QUANTIZE = {
  x: "usize",
  stride: "usize",
  m: "i32",
  k: "i32",
  packed: "usize",
  rowParams: "usize",
  levels: "i32",
  chunkRows: "i32",
  activation: "i32",
  update: "usize",
  n: "i32",
  gamma: "usize",
  beta: "usize",
  epsilon: "f32",
} as const;

/** c = packed w + bias. Chunks go by rows, then by panels. */
export const GEMM_INT8 = {
  m: "i32",
  k: "i32",
  packed: "usize",
  rowParams: "usize",
  weights: "usize",
  columns: "usize",
  c: "usize",
  stride: "usize",
  panels: "i32",
  chunkRows: "i32",
  chunkPanels: "i32",
  /** `scratchBytes` for each thread, at least {@link PRODUCT_SCRATCH}. */
  scratch: "usize",
  scratchBytes: "usize",
} as const;

/** c = a w + bias, k a multiple of 4. Chunks go by rows, then by panels. */
export const GEMM_F32 = {
  m: "i32",
  k: "i32",
  a: "usize",
  aStride: "usize",
  weights: "usize",
  bias: "usize",
  c: "usize",
  stride: "usize",
  panels: "i32",
  chunkRows: "i32",
  chunkPanels: "i32",
  /** `scratchBytes` for each thread: F32_DEPTH floats for each row of a chunk, their number rounded up to a multiple of 4. */
  scratch: "usize",
  scratchBytes: "usize",
} as const;

/**
 * c += (x A) B, for m rows of k columns: an adapter's share of a linear layer. A is packed in panels of `[k][8]` for
 * each 8 of the rank, B in `panels` panels of `[rank][8]`; the rank is a multiple of 4, the rows of B and the columns
 * of A beyond an adapter's own being 0.
 */
export const LOW_RANK = {
  m: "i32",
  k: "i32",
  x: "usize",
  xStride: "usize",
  a: "usize",
  rank: "i32",
  b: "usize",
  panels: "i32",
  c: "usize",
  stride: "usize",
  chunkRows: "i32",
  /** `lowBytes` for each thread: four rows of A's columns. */
  low: "usize",
  lowBytes: "usize",
} as const;

/** x = activation(x), rows of n columns. */
export const ACTIVATE = {
  x: "usize",
  n: "i32",
  activation: "i32",
  rows: "i32",
  chunkRows: "i32",
} as const;

/** x = LayerNorm(x + update), rows of n columns. */
export const ADD_NORM = {
  x: "usize",
  update: "usize",
  n: "i32",
  gamma: "usize",
  beta: "usize",
  epsilon: "f32",
  rows: "i32",
  chunkRows: "i32",
} as const;

/** x += features table, rows of n columns; a row of features has `columns` that count. */
export const ADD_FEATURES = {
  x: "usize",
  n: "i32",
  features: "usize",
  stride: "usize",
  columns: "i32",
  table: "usize",
  rows: "i32",
  chunkRows: "i32",
} as const;

/**
 * context = softmax(scale Q K^T) V. A chunk is one head of one sequence; sequence i has the rows from offset i to the
 * next. A head has d columns; a row of qkv has the heads' queries, then their keys, then their values.
 */
export const ATTENTION = {
  qkv: "usize",
  stride: "usize",
  offsets: "usize",
  heads: "i32",
  d: "i32",
  scale: "f32",
  context: "usize",
  contextStride: "usize",
  /** `scratchBytes` for each thread. */
  scratch: "usize",
  scratchBytes: "usize",
} as const;

/** The operations of an encoder, with their arguments; an operation's number is its place here. */
export const COMMANDS = {
  embed_f32: EMBED,
  embed_i8: EMBED,
  embed_i4: EMBED,
  quantize: QUANTIZE,
  gemm_int8: GEMM_INT8,
  gemm_f32: GEMM_F32,
  activate: ACTIVATE,
  add_norm: ADD_NORM,
  attention_f32: ATTENTION,
  attention_int8: ATTENTION,
  low_rank: LOW_RANK,
  add_features: ADD_FEATURES,
} as const;
