/**
 * What the training kernels and the code around them agree on, written once: the counterpart of
 * src/kernels/contract.ts, from which kernels/train/contract.ts is generated.
 *
 * Every command but a product begins with how many items there are to cut (rows, columns, floats, heads of
 * sequences) and how many a chunk takes; a product is cut in both directions. Tensors have rows of
 * `padded(n)` floats; strides are in bytes.
 *
 * @module
 */

/** Changes whenever anything below does, or what an export takes; a module with another is refused. */
export const TRAIN_ABI = 4;

/** Philox's words of a pass: the key, and which batch of the step it is; then a threshold and a scale for each kind. */
export const DROPOUT_EXAMPLE = 8;
export const DROPOUT_KINDS = 12;
export const DROPOUT_BYTES = 28;

/** What a dropout drops: hidden states, or attention's weights. */
export const DROPS = { hidden: 0, attention: 1 } as const;

/** sum = word[id] + (position + type), n columns; `type` may be 0. Items: tokens. */
export const EMBED_FORWARD = {
  items: "i32",
  chunkItems: "i32",
  sum: "usize",
  n: "i32",
  ids: "usize",
  positions: "usize",
  words: "usize",
  positionTable: "usize",
  type: "usize",
} as const;

/** table[indices] += d, n columns. Items: columns. */
export const SCATTER_ROWS = {
  items: "i32",
  chunkItems: "i32",
  d: "usize",
  n: "i32",
  indices: "usize",
  rows: "i32",
  table: "usize",
} as const;

/** y = x[indices], n columns. Items: rows of y. */
export const GATHER_ROWS = {
  items: "i32",
  chunkItems: "i32",
  x: "usize",
  n: "i32",
  indices: "usize",
  y: "usize",
} as const;

/** c[m, n] = x[m, k] w[n, k]^T + bias. Chunks go by rows, then by columns. */
export const PRODUCT_FORWARD = {
  m: "i32",
  chunkRows: "i32",
  n: "i32",
  chunkColumns: "i32",
  k: "i32",
  x: "usize",
  w: "usize",
  bias: "usize",
  c: "usize",
  scratch: "usize",
  scratchBytes: "i32",
} as const;

/** c[m, n] = y[m, k] w[k, n], or with `add` c + y w. */
export const PRODUCT_INPUT = {
  m: "i32",
  chunkRows: "i32",
  n: "i32",
  chunkColumns: "i32",
  k: "i32",
  y: "usize",
  w: "usize",
  add: "i32",
  c: "usize",
  scratch: "usize",
  scratchBytes: "i32",
} as const;

/** c[m, n] += y[tokens, m]^T x[tokens, n]. */
export const PRODUCT_WEIGHTS = {
  m: "i32",
  chunkRows: "i32",
  n: "i32",
  chunkColumns: "i32",
  tokens: "i32",
  y: "usize",
  x: "usize",
  c: "usize",
  scratch: "usize",
  scratchBytes: "i32",
} as const;

/** total += sum of rows of d. Items: columns. */
export const SUM_ROWS = {
  items: "i32",
  chunkItems: "i32",
  d: "usize",
  n: "i32",
  rows: "i32",
  total: "usize",
} as const;

/** y = activation(x). Items: rows. */
export const ACTIVATION_FORWARD = {
  items: "i32",
  chunkItems: "i32",
  x: "usize",
  y: "usize",
  n: "i32",
  activation: "i32",
} as const;

/** dy becomes dy activation'(x). Items: rows. */
export const ACTIVATION_BACKWARD = {
  items: "i32",
  chunkItems: "i32",
  x: "usize",
  dy: "usize",
  n: "i32",
  activation: "i32",
} as const;

/** context = drop(softmax(scale Q K^T)) V. Chunks: heads of sequences. */
export const ATTENTION_FORWARD = {
  qkv: "usize",
  offsets: "usize",
  heads: "i32",
  d: "i32",
  scale: "f32",
  context: "usize",
  dropout: "usize",
  site: "i32",
  scratch: "usize",
  scratchBytes: "i32",
} as const;

/**
 * weights = softmax(scale Q K^T): of each sequence, of each head, rows of `padded(s)` floats, one after another. Chunks: heads
 * of sequences.
 */
export const ATTENTION_WEIGHTS = {
  qkv: "usize",
  offsets: "usize",
  heads: "i32",
  d: "i32",
  scale: "f32",
  weights: "usize",
  scratch: "usize",
  scratchBytes: "i32",
} as const;

/**
 * dQkv from dContext and, unless it is 0, from the derivative `dWeights` by the weights before dropout, which lie as
 * {@link ATTENTION_WEIGHTS} writes them. Chunks: heads of sequences.
 */
export const ATTENTION_BACKWARD = {
  qkv: "usize",
  offsets: "usize",
  heads: "i32",
  d: "i32",
  scale: "f32",
  dContext: "usize",
  dQkv: "usize",
  dWeights: "usize",
  dropout: "usize",
  site: "i32",
  scratch: "usize",
  scratchBytes: "i32",
} as const;

/** y = drop(LayerNorm(sum)). Items: rows. */
export const NORM_FORWARD = {
  items: "i32",
  chunkItems: "i32",
  sum: "usize",
  y: "usize",
  n: "i32",
  gamma: "usize",
  beta: "usize",
  epsilon: "f32",
  dropout: "usize",
  site: "i32",
} as const;

/** sum = x + drop(update), y = LayerNorm(sum). Items: rows. */
export const ADD_NORM_FORWARD = {
  items: "i32",
  chunkItems: "i32",
  x: "usize",
  update: "usize",
  sum: "usize",
  y: "usize",
  n: "i32",
  gamma: "usize",
  beta: "usize",
  epsilon: "f32",
  dropout: "usize",
  site: "i32",
} as const;

/** dx, and with `dUpdate` the update's derivative, from dy; mean and 1 / deviation of each row to `moments`. Items: rows. */
export const NORM_BACKWARD = {
  items: "i32",
  chunkItems: "i32",
  dy: "usize",
  sum: "usize",
  n: "i32",
  gamma: "usize",
  epsilon: "f32",
  moments: "usize",
  dx: "usize",
  dUpdate: "usize",
  dropout: "usize",
  site: "i32",
} as const;

/** dGamma += sum of dy unit, dBeta += sum of dy; each may be 0. Items: columns. */
export const NORM_PARAMETERS = {
  items: "i32",
  chunkItems: "i32",
  dy: "usize",
  sum: "usize",
  moments: "usize",
  rows: "i32",
  n: "i32",
  dGamma: "usize",
  dBeta: "usize",
} as const;

/** y = drop(x); y may be x. Items: rows. */
export const DROP = {
  items: "i32",
  chunkItems: "i32",
  x: "usize",
  y: "usize",
  n: "i32",
  dropout: "usize",
  site: "i32",
} as const;

/** x += features table, n columns; a row of features is `stride` bytes, `columns` of it count. Items: rows. */
export const FEATURES_FORWARD = {
  items: "i32",
  chunkItems: "i32",
  x: "usize",
  n: "i32",
  features: "usize",
  stride: "usize",
  columns: "i32",
  table: "usize",
} as const;

/** table += features^T d, n columns. Items: columns. */
export const FEATURES_BACKWARD = {
  items: "i32",
  chunkItems: "i32",
  d: "usize",
  n: "i32",
  features: "usize",
  stride: "usize",
  columns: "i32",
  rows: "i32",
  table: "usize",
} as const;

/** x = 0. Items: floats. */
export const ZERO = { items: "i32", chunkItems: "i32", x: "usize" } as const;

/** The sum of squares of each chunk, f64, to `sums`. Items: floats, by fours. */
export const SQUARE_SUM = { items: "i32", chunkItems: "i32", x: "usize", sums: "usize" } as const;

/** p moves by g, first and second moment m and v. Items: floats, by fours. */
export const ADAMW = {
  items: "i32",
  chunkItems: "i32",
  p: "usize",
  g: "usize",
  m: "usize",
  v: "usize",
  constants: "usize",
} as const;

/** What {@link ADAMW} reads at `constants`, all f32; t is the number of the step. */
export const ADAMW_CONSTANTS = {
  /** Factor on the derivative: clipping. */
  factor: "f32",
  beta1: "f32",
  oneMinusBeta1: "f32",
  beta2: "f32",
  oneMinusBeta2: "f32",
  /** 1 / (1 - beta2^t). */
  correction2: "f32",
  epsilon: "f32",
  /** 1 - rate decay. */
  keep: "f32",
  /** rate / (1 - beta1^t). */
  rate: "f32",
} as const;

/** Operations; a number each, in this order. */
export const COMMANDS = {
  embed_forward: EMBED_FORWARD,
  scatter_rows: SCATTER_ROWS,
  gather_rows: GATHER_ROWS,
  product_forward: PRODUCT_FORWARD,
  product_input: PRODUCT_INPUT,
  product_weights: PRODUCT_WEIGHTS,
  sum_rows: SUM_ROWS,
  activation_forward: ACTIVATION_FORWARD,
  activation_backward: ACTIVATION_BACKWARD,
  attention_forward: ATTENTION_FORWARD,
  attention_backward: ATTENTION_BACKWARD,
  norm_forward: NORM_FORWARD,
  add_norm_forward: ADD_NORM_FORWARD,
  norm_backward: NORM_BACKWARD,
  norm_parameters: NORM_PARAMETERS,
  drop: DROP,
  zero: ZERO,
  square_sum: SQUARE_SUM,
  adamw: ADAMW,
  features_forward: FEATURES_FORWARD,
  features_backward: FEATURES_BACKWARD,
  attention_weights: ATTENTION_WEIGHTS,
} as const;
