/**
 * What an encoder asks of the machine that runs it.
 *
 * A backend owns the weights, in whatever form its kernels read, and tensors that live beside them. The
 * operations do work on tensors or only write it down, and return nothing; {@link Backend.read} alone gives
 * numbers back, and it alone is asynchronous, because a GPU must be waited for and WASM need not be. Every
 * operation names its output, so that a whole forward pass runs in a handful of tensors allocated once.
 *
 * A tensor has one row per token of the batch. A batch is a packed run of sequences, one after the other,
 * without padding: row-wise operations see all tokens, attention sees each sequence.
 *
 * @module
 */
import type { Adapter } from "../model/adapter.ts";
import type { Activation } from "../model/activations.ts";
import type { ModelConfig } from "../model/config.ts";

/** Sequences packed one after the other. */
export interface PackedBatch {
  /** Token ids of all sequences, special tokens included; each in 0 .. vocabSize - 1. */
  readonly ids: Int32Array;
  /** Where each sequence begins, and at last the number of tokens: `[sequences + 1]`, ascending. */
  readonly offsets: Int32Array;
  /** Lexicon features `[tokens, features]`, for a model that takes them; special tokens have zeros. */
  readonly features?: Float32Array;
}

/** Float32 rows, one per token, inside a backend. */
export interface Tensor {
  /** Columns. */
  readonly width: number;
}

/** A linear layer's weights inside a backend. */
export interface Linear {
  readonly inputs: number;
  readonly outputs: number;
}

/** What a model's lexicon features add, inside a backend. */
export interface FeatureTables<T extends FeatureTable = FeatureTable> {
  /** To embeddings. */
  readonly input: T;
  /** To emissions; undefined beside an adapter for other labels than the model's. */
  readonly window: T | undefined;
}

/** What features add to a tensor, inside a backend. */
export interface FeatureTable {
  /** Columns of the tensor. */
  readonly width: number;
  /** Whether those of the tokens beside a token count, too. */
  readonly window: boolean;
}

/** A LayerNorm's parameters inside a backend. */
export interface Norm {
  readonly width: number;
}

/** One transformer layer inside a backend. */
export interface LayerHandles {
  readonly qkv: Linear;
  readonly attentionOutput: Linear;
  readonly attentionNorm: Norm;
  readonly up: Linear;
  readonly down: Linear;
  readonly feedForwardNorm: Norm;
}

/** The encoder's tensors: allocated by the backend when it is made, reused by every run. */
export interface Workspace {
  /** Embeddings, where they are projected to the hidden state; else the hidden state itself. */
  readonly embedded: Tensor;
  /** The hidden state, `hiddenSize` columns. */
  readonly hidden: Tensor;
  /** Query, key and value of every head. */
  readonly qkv: Tensor;
  /** What attention gathered, every head side by side. */
  readonly context: Tensor;
  /** A sublayer's output before it joins the hidden state, `hiddenSize` columns. */
  readonly update: Tensor;
  /** The feed-forward network's inside, `feedForwardSize` columns. */
  readonly inner: Tensor;
  /** Inside a head of two layers; else the hidden state itself, which the classifier then reads. */
  readonly head: Tensor;
  /** One column per label. */
  readonly emissions: Tensor;
}

/** How many threads take part in runs, and what they have done. */
export interface ThreadState {
  /** The calling thread included. */
  readonly threads: number;
  /** Why it is one where there might be more. */
  readonly reason?: string;
  /** Pieces of work that each thread has carried out so far, the calling thread first. */
  readonly chunks: readonly number[];
}

/**
 * Asked by long work every few milliseconds: a promise to wait for before going on, so that the calling thread can do
 * something else; undefined to go on at once. What it throws or rejects with ends the work.
 */
export type Pause = () => Promise<void> | undefined;

/** Weights and tensors of one encoder, and the operations on them. */
export interface Backend {
  /** For people: `reference`, `wasm fp32`, `wasm int8`. */
  readonly name: string;
  readonly config: ModelConfig;
  /** From the embeddings' width to the hidden state's; undefined where there is no such map. */
  readonly embeddingProjection: Linear | undefined;
  readonly layers: readonly LayerHandles[];
  /** Inside a head of two layers; undefined where it has one. */
  readonly headDense: Linear | undefined;
  readonly classifier: Linear;
  /** What lexicon features add; undefined for a model without. */
  readonly features: FeatureTables | undefined;
  readonly workspace: Workspace;
  /** Most tokens of one batch. */
  readonly maxTokens: number;
  /** Bytes of memory that weights and tensors take; more only once there is an adapter beside them. */
  readonly memoryBytes: number;
  /** Bytes that are an adapter's own, for a backend that {@link adapt} made. */
  readonly adapterBytes?: number;
  /** The threads that runs use. */
  readonly threads: ThreadState;

  /** Starts a run: every tensor now has `batch.ids.length` rows (at most {@link maxTokens}). */
  begin(batch: PackedBatch): void;
  /** out = LayerNorm(word[id] + position + type[0]). */
  embed(out: Tensor): void;
  /** x += f W, f being the features of each token, or with those of the tokens before and behind it in its sequence. */
  addFeatures(x: Tensor, table: FeatureTable): void;
  /** out = x W^T + b. */
  linear(x: Tensor, weights: Linear, out: Tensor): void;
  /** x = activation(x). */
  activate(x: Tensor, activation: Activation): void;
  /** out = softmax(Q K^T / sqrt(head size)) V, for each head of each sequence. */
  attention(qkv: Tensor, out: Tensor): void;
  /** x = LayerNorm(x + update). */
  addNorm(x: Tensor, update: Tensor, norm: Norm): void;
  /**
   * Copies a tensor out, row-major, `[tokens, width]`. No other run may begin before it has resolved; one may after it
   * was rejected.
   */
  read(x: Tensor, pause?: Pause): Promise<Float32Array>;
  /**
   * A backend for this encoder with an adapter, whose weights and tensors it shares: what must not happen during a run of
   * one must not during a run of the other, and {@link adapt} is among it. Throws a {@link ModelError} `model/mismatch`
   * for an adapter that does not fit, a {@link RuntimeError} `runtime/memory` if there is no room for it.
   */
  adapt(adapter: Adapter): Backend;
  /** This backend for another user, who closes it by itself. */
  share(): Backend;
  /** The backend cannot be used afterwards; memory is given back when none that shares it is open any more. */
  close(): void;
}
