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
import type { PackedBatch, ThreadState } from "../backend/backend.ts";
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
  /** By role; see above. */
  readonly name: string;
  /** Row-major, one row per output: as in {@link EncoderWeights}; of the word embedding, the rows of `pieces`. */
  readonly shape: readonly number[];
  /** Decides whether it decays. */
  readonly kind: ParameterKind;
  /** Factor on a step's rate; 0: frozen, neither differentiated nor decayed. */
  readonly rate: number;
}

/** A tensor by name. */
export interface NamedTensor {
  /** Unique in a list. */
  readonly name: string;
  /** Dimensions. */
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array;
}

/** Which head computes the emissions that a loss judges: a column a label, a word piece, or just one. */
export type Head = "labels" | "masked" | "replaced";

/** Emissions in linear memory; a row for each token of the batch, or for each of the loss's rows. */
export interface Emissions {
  /** Tokens, or those that the loss asked for. */
  readonly rows: number;
  /** What the head tells apart. */
  readonly columns: number;
  /** Floats from row to row, `columns` or more. */
  readonly stride: number;
  /** Floats of the whole linear memory; row r begins at `start + r * stride`, its address is four times that. */
  readonly memory: Float32Array;
  /** Index of the first row in `memory`. */
  readonly start: number;
}

/**
 * What losses may call of the training module: float64 arithmetic with the same bits in every engine, which an
 * engine's own `Math.exp` does not have. Pointers are addresses of {@link Emissions.memory}, in bytes.
 */
export interface LossKernels {
  /** e^x. */
  exp64(x: number): number;
  /** Natural logarithm. */
  log64(x: number): number;
  /** See kernels/train/loss.ts. */
  cross_entropy(x: number, n: number, target: number, scale: number, d: number): number;
  /** See kernels/crf.ts, as the three that follow. */
  crf_prepare(crf: number, labels: number): void;
  // deno-fmt-ignore
  /** Forward recursion. */
  crf_forward(emissions: number, t: number, labels: number, crf: number, alpha: number, scratch: number, first: number): void;
  // deno-fmt-ignore
  /** Backward recursion. */
  crf_backward(emissions: number, t: number, labels: number, crf: number, beta: number, state: number, scratch: number, last: number): void;
  /** Log-partition. */
  crf_partition(alpha: number, labels: number, crf: number): number;
  // deno-fmt-ignore
  /** Expected counts; see kernels/train/loss.ts. */
  crf_expectations(emissions: number, t: number, labels: number, crf: number, alpha: number, beta: number, partition: number, weight: number, perLabel: number, parameters: number): void;
}

/** What the loss of one batch may use. */
export interface LossInput {
  /** What was encoded. */
  readonly batch: PackedBatch;
  /** What the head made of it. */
  readonly emissions: Emissions;
  /**
   * Where `scale` times the derivative is added; rows lie as the emissions' do. Zero before the first loss of
   * a batch.
   */
  readonly cotangent: Emissions;
  /** Factor on the derivative (and not on the returned loss). */
  readonly scale: number;
  /** Kernels over the same memory: an engine's own `Math.exp` rounds as it likes. */
  readonly kernels: LossKernels;
  /** Memory that a loss may use while it runs, zero or not: bytes from `address` to `address + bytes`. */
  readonly scratch: { readonly address: number; readonly bytes: number };
  /** Values of a parameter, row-major; for losses with parameters of their own. */
  parameter(name: string): Float32Array;
  /** Where `scale` times the derivative by that parameter is added; undefined: it is frozen. */
  gradient(name: string): Float32Array | undefined;
}

/** A differentiable function of the emissions of one batch, summed over `count` things. */
export interface Loss {
  /** For people and reports: `crf`, `cross_entropy`, ... */
  readonly name: string;
  /** Whose emissions it judges. */
  readonly head: Head;
  /** Tokens of the batch whose emissions are needed, ascending; absent: all. */
  readonly rows?: Int32Array;
  /** How many things (tokens, sequences) the loss is the sum over; a step's loss is the mean. */
  readonly count: number;
  /** The sum; adds its derivative. Throws an InputError (`input/...`) if targets do not fit the emissions. */
  evaluate(input: LossInput): number;
}

/** What a loss on hidden states may use. */
export interface HiddenInput {
  /** Outputs of the layers that it asked for: rows of `hiddenSize` columns, one a token. */
  readonly hidden: readonly Emissions[];
  /** Where `scale` times the derivative by each is added; rows lie as the hidden states' do, from 0 on. */
  readonly cotangent: readonly Float32Array[];
  /** Factor on the derivative (and not on the returned loss). */
  readonly scale: number;
}

/** A loss on what layers of the encoder give, beside one on emissions: on a teacher's hidden states, for instance. */
export interface HiddenLoss {
  /** Whose outputs it judges, counted from 1, ascending. */
  readonly layers: readonly number[];
  /** The sum over tokens, to be divided by the other loss's count; adds its derivative. */
  evaluate(input: HiddenInput): number;
}

/** What a loss on attention may use. */
export interface AttentionInput {
  /**
   * Softmax of the layers that it asked for, before anything is dropped: of each sequence, of each head, `[tokens, tokens]`, a row a
   * query, one after another.
   */
  readonly weights: readonly Float32Array[];
  /** Where `scale` times the derivative by each is added, laid out alike. */
  readonly cotangent: readonly Float32Array[];
  /** Of a layer. */
  readonly heads: number;
  /** Factor on the derivative (and not on the returned loss). */
  readonly scale: number;
  /** Logarithms of the same bits everywhere. */
  readonly kernels: LossInput["kernels"];
}

/** A loss on attention weights, beside one on emissions. It takes a trainer with room ({@link TrainerOptions.attention}). */
export interface AttentionLoss {
  /** Whose weights it judges, counted from 1, ascending. */
  readonly layers: readonly number[];
  /** The sum over tokens, to be divided by the other loss's count; adds its derivative. */
  evaluate(input: AttentionInput): number;
}

/** A batch and what is asked of it. */
export interface Example {
  /** Sequences. */
  readonly batch: PackedBatch;
  /** What they are judged by. */
  readonly loss: Loss;
  /** What their hidden states are judged by as well. */
  readonly hidden?: HiddenLoss | undefined;
  /** What their attention weights are judged by as well. */
  readonly attention?: AttentionLoss | undefined;
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
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second; default 0.999. */
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
  /**
   * Ids that the data can contain, ascending. Word embeddings of others take no memory, do not change, and a batch
   * with one is refused: a vocabulary of 100,000 pieces, of which a corpus has a tenth, would else fill memory with
   * moments that stay 0. Default: all. Not with the masked head, which predicts any piece.
   */
  readonly pieces?: Int32Array;
  /** Keep each layer's input alone and compute the rest again in the backward pass; default false. */
  readonly checkpointing?: boolean;
  /** Make room for attention weights: for {@link Trainer.attention} and losses on them; default false. */
  readonly attention?: boolean;
  /** Factor on a parameter's rate, 0 to freeze it; default 1 for all. */
  readonly rateOf?: (parameter: Omit<Parameter, "rate">) => number;
}

/** A model in training. One instance is one linear memory; nothing grows after it is made. */
export interface Trainer {
  /** In the order of the forward pass. */
  readonly parameters: readonly Parameter[];
  /** Bytes of linear memory. */
  readonly memoryBytes: number;
  /** Steps taken since the start of the run; what dropout and the optimizer's bias correction go by. */
  readonly steps: number;
  /** How many threads take part, why not more, and the chunks that each has carried out. */
  readonly threads: ThreadState;

  /**
   * Forward, backward, clipping and AdamW over the examples as if they were one batch (gradient accumulation).
   * The same bits with any number of threads. A loss or gradient that is not finite is an InputError
   * (`input/diverged`) and leaves parameters and moments as they were.
   */
  step(examples: readonly Example[], rate: number): Promise<StepReport>;
  /** Emissions `[tokens, labels]` without dropout: the fp32 backend's, bit for bit. */
  emissions(batch: PackedBatch): Float32Array;
  /** Outputs of these layers, counted from 1, `[tokens, hiddenSize]` each, without dropout. */
  hidden(batch: PackedBatch, layers: readonly number[]): Float32Array[];
  /**
   * Attention weights of these layers, counted from 1, without dropout, laid out as in {@link AttentionInput}. An InputError
   * (`input/option`) where no room was made for them ({@link TrainerOptions.attention}).
   */
  attention(batch: PackedBatch, layers: readonly number[]): Float32Array[];
  /** The mean loss without dropout; changes nothing. */
  evaluate(examples: readonly Example[]): Promise<number>;

  /** A copy of a parameter. */
  read(name: string): Float32Array;
  /** Sets a parameter, of the shape that {@link Parameter.shape} says. */
  write(name: string, data: Float32Array): void;
  /** A copy of the last step's derivative by a parameter, before clipping; undefined: it is frozen. */
  gradient(name: string): Float32Array | undefined;
  /** A copy of the whole model. */
  model(): TrainableModel;
  /** Copies of AdamW's moments, `NAME.m` and `NAME.v` for each parameter that is not frozen. */
  moments(): NamedTensor[];
  /** Continues a run: moments as {@link moments} gave them, and the number of steps taken. */
  restore(moments: readonly NamedTensor[], steps: number): void;
  /** Ends the threads and gives memory back. */
  close(): void;
}

/** Makes a trainer of a model: `createTrainer` with a compiled module and threads already chosen. */
export type MakeTrainer = (model: TrainableModel, options: TrainerOptions) => Promise<Trainer>;
