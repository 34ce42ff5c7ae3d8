/**
 * What training is made of: a model's parameters by name, examples, losses, and steps.
 *
 * A step has four parts. The encoder computes emissions; a loss turns them into a number and its derivative
 * by each emission (the *cotangent*), in closed form; the backward pass turns that into the derivative by each
 * parameter; the optimizer moves the parameters. Losses know no encoder, the encoder no loss, and neither
 * knows files: a loop over data, checkpoints and reports stands above this interface.
 *
 * All that a run depends on is named here: parameters, moments, the number of steps taken and the seed. Who
 * writes these down and gives them back continues the run with the same bits.
 *
 * @module
 */
import type { PackedBatch } from "../backend/backend.ts";
import type { CrfWeights, EncoderWeights, LinearWeights, NormWeights } from "../model/weights.ts";

/** Predicts a masked token: logits = norm(activation(dense(hidden))) wordEmbedding^T + bias (BERT). */
export interface MaskedHead {
  /** `[embeddingSize, hiddenSize]`. */
  readonly dense: LinearWeights;
  /** `[embeddingSize]`. */
  readonly norm: NormWeights;
  /** `[vocabSize]`. */
  readonly bias: Float32Array;
}

/** Tells replaced tokens from original ones: logit = prediction(activation(dense(hidden))) (ELECTRA). */
export interface ReplacedHead {
  /** `[hiddenSize, hiddenSize]`. */
  readonly dense: LinearWeights;
  /** `[1, hiddenSize]`. */
  readonly prediction: LinearWeights;
}

/** A model to be trained; all its matrices are float32. */
export interface TrainableModel {
  /** The encoder and its token-classification head. */
  readonly weights: EncoderWeights;
  /** For the losses on label paths. */
  readonly crf?: CrfWeights;
  /** For masked language modelling. */
  readonly masked?: MaskedHead;
  /** For replaced-token detection. */
  readonly replaced?: ReplacedHead;
}

/** What a parameter is, which decides how it is treated: of these, matrices and embeddings decay. */
export type ParameterKind = "embedding" | "matrix" | "bias" | "norm" | "crf";

/**
 * A tensor that is learned. Names are the table's in `model/roles`, and `crf.{start,end,transitions}`,
 * `masked.dense.{weight,bias}`, `masked.norm.{weight,bias}`, `masked.bias`, `replaced.dense.{weight,bias}` and
 * `replaced.prediction.{weight,bias}`.
 */
export interface Parameter {
  readonly name: string;
  /** Row-major, one row per output: as in {@link EncoderWeights}. */
  readonly shape: readonly number[];
  readonly kind: ParameterKind;
  /** Factor on a step's rate; 0: frozen, neither differentiated nor decayed. */
  readonly rate: number;
}

/** A tensor by name. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Which head computes the emissions that a loss judges: a column a label, a word piece, or just one. */
export type Head = "labels" | "masked" | "replaced";

/** Emissions in linear memory; a row for each token of the batch, or for each of the loss's rows. */
export interface Emissions {
  readonly rows: number;
  readonly columns: number;
  /** Floats from row to row, `columns` or more. */
  readonly stride: number;
  /** Floats of the whole linear memory; row r begins at `start + r * stride`. */
  readonly memory: Float32Array;
  readonly start: number;
}

/** What the loss of one batch may use. */
export interface LossInput {
  readonly batch: PackedBatch;
  readonly emissions: Emissions;
  /**
   * Where `scale` times the derivative is added; rows lie as the emissions' do. Zero before the first loss of
   * a batch.
   */
  readonly cotangent: Emissions;
  /** Factor on the derivative (and not on the returned loss). */
  readonly scale: number;
  /** e^x and the natural logarithm in float64, with the same bits in every engine. */
  readonly exp: (x: number) => number;
  readonly log: (x: number) => number;
  /** Values of a parameter, row-major; for losses with parameters of their own. */
  parameter(name: string): Float32Array;
  /** Where `scale` times the derivative by that parameter is added; undefined: it is frozen. */
  gradient(name: string): Float32Array | undefined;
}

/** A differentiable function of the emissions of one batch, summed over `count` things. */
export interface Loss {
  /** For people and reports: `crf`, `cross_entropy`, ... */
  readonly name: string;
  readonly head: Head;
  /** Tokens of the batch whose emissions are needed, ascending; absent: all. */
  readonly rows?: Int32Array;
  /** How many things (tokens, sequences) the loss is the sum over; a step's loss is the mean. */
  readonly count: number;
  /** The sum; adds its derivative. Throws an InputError (`input/...`) if targets do not fit the emissions. */
  evaluate(input: LossInput): number;
}

/** A batch and what is asked of it. */
export interface Example {
  readonly batch: PackedBatch;
  readonly loss: Loss;
}

/** What a step did. */
export interface StepReport {
  /** Number of this step, from 1. */
  readonly step: number;
  /** Mean over all that the losses counted. */
  readonly loss: number;
  /** L2 norm of the gradient of all parameters, before clipping. */
  readonly gradientNorm: number;
  /** Tokens of all its batches. */
  readonly tokens: number;
}

/** Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), with PyTorch's names and defaults. */
export interface AdamWOptions {
  /** Default 0.9 and 0.999. */
  readonly beta1?: number;
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Of matrices and embeddings; default 0.01. */
  readonly weightDecay?: number;
  /** Largest L2 norm of the gradient; default 1, Infinity: no clipping. */
  readonly clip?: number;
}

/** How a model is trained, whatever the data. */
export interface TrainerOptions extends AdamWOptions {
  /** Most tokens of one batch; decides the memory. */
  readonly maxTokens: number;
  /** Most tokens whose masked pieces are predicted in one batch; default `maxTokens`. Of the masked head only. */
  readonly maxMasked?: number;
  /** Seeds dropout; an unsigned 32-bit integer, default 0. */
  readonly seed?: number;
  /** Of embeddings and sublayers' outputs; default 0.1. */
  readonly dropout?: number;
  /** Of attention weights; default as `dropout`. */
  readonly attentionDropout?: number;
  /** Keep each layer's input alone and compute the rest again in the backward pass; default false. */
  readonly checkpointing?: boolean;
  /** Factor on a parameter's rate, 0 to freeze it; default 1 for all. */
  readonly rateOf?: (parameter: Omit<Parameter, "rate">) => number;
}

/** A model in training. One instance is one linear memory; nothing grows after it is made. */
export interface Trainer {
  readonly parameters: readonly Parameter[];
  /** Bytes of linear memory. */
  readonly memoryBytes: number;
  /** Steps taken since the start of the run; what dropout and the optimizer's bias correction go by. */
  readonly steps: number;

  /**
   * Forward, backward, clipping and AdamW over the examples as if they were one batch (gradient accumulation).
   * The same bits with any number of threads. A loss or gradient that is not finite is an InputError
   * (`train/diverged`) and leaves parameters and moments as they were.
   */
  step(examples: readonly Example[], rate: number): Promise<StepReport>;
  /** Emissions `[tokens, labels]` without dropout: the fp32 backend's, bit for bit. */
  emissions(batch: PackedBatch): Float32Array;
  /** The mean loss without dropout; changes nothing. */
  evaluate(examples: readonly Example[]): Promise<number>;

  /** A copy of a parameter. */
  read(name: string): Float32Array;
  /** Sets a parameter. */
  write(name: string, data: Float32Array): void;
  /** A copy of the whole model. */
  model(): TrainableModel;
  /** Copies of AdamW's moments, `NAME.m` and `NAME.v` for each parameter that is not frozen. */
  moments(): NamedTensor[];
  /** Continues a run: moments as {@link moments} gave them, and the number of steps taken. */
  restore(moments: readonly NamedTensor[], steps: number): void;
  /** Ends the threads and gives memory back. */
  close(): void;
}
