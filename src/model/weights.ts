/**
 * An encoder's weights by role, in the form in which they travel: from a file's bytes to a backend.
 *
 * Matrices are stored as they are multiplied, one row per *output* (the transpose of ONNX's MatMul
 * weights), row-major and unpacked; a backend packs them for its kernels when it loads them. A matrix
 * is float32, or int8 (an embedding: also int4) with one symmetric scale per row (`value = q * scale`),
 * which is how a package holds it. Roles, not tensor names, so that an exporter's naming never leaves `formats/`.
 *
 * @module
 */
import type { ModelConfig } from "./config.ts";
import type { LaneBudget } from "./lanes.ts";

/** A float32 matrix `[rows, columns]`, row-major. */
export interface F32Matrix {
  /** Tells this kind from {@link I8Matrix}. */
  readonly type: "f32";
  /** Outputs, or ids of an embedding. */
  readonly rows: number;
  /** Inputs, or an embedding's width. */
  readonly columns: number;
  /** `[rows, columns]`. */
  readonly data: Float32Array;
}

/** An int8 matrix `[rows, columns]`, row-major; row r stands for `data * scales[r]`. */
export interface I8Matrix {
  /** Tells this kind from {@link F32Matrix}. */
  readonly type: "i8";
  /** Outputs, or ids of an embedding. */
  readonly rows: number;
  /** Inputs, or an embedding's width. */
  readonly columns: number;
  /** -127 .. 127; -128 is never used, so that a product of two rows cannot saturate. */
  readonly data: Int8Array;
  /** One non-negative scale per row. */
  readonly scales: Float32Array;
}

/**
 * An int4 matrix `[rows, columns]`: row r stands for `q * scales[r]`, q from -7 to 7. Two columns a byte, the
 * even one in the low half, each stored as q + 8; a row takes `ceil(columns / 2)` bytes, and the half byte
 * that an odd width leaves over holds q = 0. Only the word embedding may be int4.
 */
export interface I4Matrix {
  /** Two columns a byte, one scale per row. */
  readonly type: "i4";
  /** Rows, each with a scale of its own. */
  readonly rows: number;
  /** Logical columns. */
  readonly columns: number;
  /** `[rows, ceil(columns / 2)]` bytes. */
  readonly data: Uint8Array;
  /** One non-negative scale per row. */
  readonly scales: Float32Array;
}

/** A weight matrix, one row per output channel (or per id, for an embedding). */
export type Matrix = F32Matrix | I8Matrix | I4Matrix;

/** `y = x W^T + b`: weight `[outputs, inputs]`, bias `[outputs]`. */
export interface LinearWeights {
  /** `[outputs, inputs]`. */
  readonly weight: Matrix;
  /** `[outputs]`. */
  readonly bias: Float32Array;
}

/** LayerNorm over the hidden dimension: both arrays are `[hiddenSize]`. */
export interface NormWeights {
  /** Scale, `[hiddenSize]`. */
  readonly gamma: Float32Array;
  /** Shift, `[hiddenSize]`. */
  readonly beta: Float32Array;
}

/** One transformer layer (post-norm, as in BERT). */
export interface LayerWeights {
  /** Query, key and value stacked: weight `[3 * hiddenSize, hiddenSize]`. */
  readonly qkv: LinearWeights;
  /** Projection of the attention's context: `[hiddenSize, hiddenSize]`. */
  readonly attentionOutput: LinearWeights;
  /** Norm of the sum of the layer's input and its attention. */
  readonly attentionNorm: NormWeights;
  /** First half of the feed-forward network: `[feedForwardSize, hiddenSize]`. */
  readonly up: LinearWeights;
  /** Second half: `[hiddenSize, feedForwardSize]`. */
  readonly down: LinearWeights;
  /** Norm of the sum of that and the feed-forward network. */
  readonly feedForwardNorm: NormWeights;
}

/** What lexicon features add: rows of tables, as many as there are features, each times its feature. */
export interface FeatureWeights {
  /** `[features, embeddingSize]`: to a token's embedding, behind its LayerNorm. */
  readonly input: F32Matrix;
  /** `[3 * features, labels]`: to a token's emissions, of the token before, of itself and of the token behind. */
  readonly window: F32Matrix;
}

/** A whole encoder with its token-classification head. */
export interface EncoderWeights {
  /** All sizes, and the label names. */
  readonly config: ModelConfig;
  /** `[vocabSize, embeddingSize]`. */
  readonly wordEmbedding: Matrix;
  /** `[maxPositions, embeddingSize]`, row 0 for a sequence's first token. */
  readonly positionEmbedding: Matrix;
  /** `[typeVocabSize, embeddingSize]`; every token has type 0. Absent when the model has none. */
  readonly typeEmbedding: Matrix | undefined;
  /** Norm of the sum of a token's embeddings. */
  readonly embeddingNorm: NormWeights;
  /** `[hiddenSize, embeddingSize]`, after the embeddings' LayerNorm; absent where there is none. */
  readonly embeddingProjection: LinearWeights | undefined;
  /** From the input to the output. */
  readonly layers: readonly LayerWeights[];
  /** The inner layer of a head of two, `[head.size, hiddenSize]`; absent where there is none. */
  readonly headDense?: LinearWeights | undefined;
  /** Emissions: `[labels, hiddenSize]`, or `[labels, head.size]`. */
  readonly classifier: LinearWeights;
  /**
   * The budget that the int8 weights of every linear layer keep, and with it the levels of their activations. Absent:
   * activations of 8 bits, weights of any kind.
   */
  readonly lanes?: LaneBudget;
  /** Absent in a model without lexicons. */
  readonly features?: FeatureWeights | undefined;
}

/**
 * Parameters of a linear-chain CRF over L labels, named as in pytorch-crf.
 * A score is `start[y0] + sum emissions + sum transitions[y(t-1)][y(t)] + end[yT]`.
 */
export interface CrfWeights {
  /** `[L]`. */
  readonly start: Float32Array;
  /** `[L]`. */
  readonly end: Float32Array;
  /** `[L, L]`, row = from, column = to. */
  readonly transitions: Float32Array;
}
