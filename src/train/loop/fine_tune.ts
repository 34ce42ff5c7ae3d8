/**
 * Fine-tuning: epochs of steps over labelled texts, validated after each, the best kept.
 *
 * {@link FineTuning.run} yields a record after every step and epoch; whoever consumes them decides when to save a
 * {@link FineTuning.checkpoint} and what to print, and may stop at any record. Nothing here reads a clock or a file. What
 * a run does is a function of the data, the model it starts from and the options: the same bits in every runtime and with
 * any number of threads, and, continued from a checkpoint, the bits that it would have had without the stop.
 *
 * @module
 */
import type { PackedBatch } from "../../backend/backend.ts";
import { InputError } from "../../errors.ts";
import type { SpanScores } from "../../eval/spans.ts";
import { writeCheckpoint } from "../../formats/hf/write_checkpoint.ts";
import type { Adapter } from "../../model/adapter.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import type { Lexicons } from "../../model/lexicon.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { batchesOf } from "../data/batches.ts";
import { Labeller } from "../data/labels.ts";
import type { PartialCorpus } from "../data/partial.ts";
import type { LabelledText } from "../../corpus/text.ts";
import { type DistillOptions, distillSettingsOf } from "../distill/options.ts";
import { Lessons } from "../distill/lessons.ts";
import type { Teacher } from "../distill/teacher.ts";
import { crossEntropyLoss } from "../losses/cross_entropy.ts";
import type { Example, Loss, MakeTrainer, NamedTensor, Parameter, Trainer } from "../types.ts";
import { changes, Epochs } from "./epochs.ts";
import {
  fingerprint,
  fingerprintOf,
  fingerprintOfLexicons,
  fingerprintOfNames,
} from "./fingerprint.ts";
import { type LexiconOptions, TrainingLexicons } from "./lexicons.ts";
import { LowRank } from "./low_rank.ts";
import { type FineTuneOptions, rateAt, rateOf, type Settings, settingsOf } from "./options.ts";
import { addPieces, chainLossOf, pack, type Sequence } from "./sequences.ts";
import { startModel } from "./start.ts";
import { type Best, readState, type RunState, writeState } from "./state.ts";
import { Validation } from "./validate.ts";

/** A step's loss above so many times the first one's is divergence, whatever comes after. */
const DIVERGED = 20;

/** After a step. */
export interface StepRecord {
  /** Tells it from an {@link EpochRecord}. */
  readonly kind: "step";
  /** Counted from 1, over all epochs. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean over the step's tokens. */
  readonly loss: number;
  /** The step's rate. */
  readonly rate: number;
  /** Norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Tokens of the step. */
  readonly tokens: number;
}

/** After an epoch. */
export interface EpochRecord {
  /** Tells it from a {@link StepRecord}. */
  readonly kind: "epoch";
  /** Steps taken. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean over the epoch's steps. */
  readonly loss: number;
  /** Strict scores on the validation texts; absent where there are none. */
  readonly scores: SpanScores | undefined;
  /** The best epoch so far. */
  readonly best: Best | undefined;
}

/** What a run goes through. */
export type TrainRecord = StepRecord | EpochRecord;

/** Teachers to learn from, beside the labels. */
export interface Teaching extends DistillOptions {
  /** Of several, the mean of their emissions is what is taught. */
  readonly teachers: readonly Teacher[];
  /** Texts that nobody has labelled; their entities, if they have any, are not looked at. */
  readonly unlabelled?: readonly LabelledText[];
}

/** What is learnt from what. */
export interface FineTuneInput {
  /** The model to start from; when a run goes on, that of the checkpoint (of adapters, the first one again). */
  readonly model: ModelBundle;
  /** Label names by emission column, with `O`. */
  readonly labels: readonly string[];
  /** Texts to learn from. */
  readonly train: readonly LabelledText[];
  /** Texts to choose the best epoch by; none: the last one is it. */
  readonly validation: readonly LabelledText[];
  /** Further names by type, which entities may be exchanged for; with `augment.exchange`. */
  readonly names?: Readonly<Record<string, readonly string[]>> | undefined;
  /** What lexicons the model is to have, in the place of its own; not with adapters. Default: its own, as they are. */
  readonly lexicons?: LexiconOptions | undefined;
  /** Further corpora, which know some of the types. Only with a CRF. */
  readonly also?: readonly PartialCorpus[] | undefined;
  /** Teachers, where a student is to learn from any. */
  readonly teaching?: Teaching | undefined;
  /** How. */
  readonly options?: FineTuneOptions;
  /** `optimizer.safetensors` of the checkpoint that a run goes on from. */
  readonly state?: Uint8Array | undefined;
}

/** A model being fine-tuned. */
export class FineTuning {
  /** The options, with nothing left open. */
  readonly settings: Settings;
  /** Steps of the whole run, if nothing stops it early. */
  readonly totalSteps: number;
  readonly #trainer: Trainer;
  readonly #tokenizer: Tokenizer;
  readonly #labels: readonly string[];
  readonly #epochs: Epochs;
  readonly #lexicons: Lexicons | undefined;
  readonly #lessons: Lessons | undefined;
  readonly #validation: Validation | undefined;
  /** What is learnt in the place of the encoder's own matrices. */
  readonly #lowRank: LowRank | undefined;
  /** Word pieces in no text, and the parameters of their embeddings, which stay as they are. */
  readonly #unseen: { readonly pieces: number; readonly parameters: number };
  /** What must be the same for a run to go on. */
  readonly #run: unknown;
  #state: Omit<RunState, "moments" | "step">;

  private constructor(parts: {
    settings: Settings;
    trainer: Trainer;
    tokenizer: Tokenizer;
    labels: readonly string[];
    epochs: Epochs;
    lexicons: Lexicons | undefined;
    lessons: Lessons | undefined;
    totalSteps: number;
    validation: Validation | undefined;
    lowRank: LowRank | undefined;
    unseen: { readonly pieces: number; readonly parameters: number };
    run: unknown;
    state: RunState | undefined;
  }) {
    this.settings = parts.settings;
    this.#trainer = parts.trainer;
    this.#tokenizer = parts.tokenizer;
    this.#labels = parts.labels;
    this.#epochs = parts.epochs;
    this.#lexicons = parts.lexicons;
    this.#lessons = parts.lessons;
    this.#validation = parts.validation;
    this.#lowRank = parts.lowRank;
    this.#unseen = parts.unseen;
    this.#run = parts.run;
    this.totalSteps = parts.totalSteps;
    if (parts.state) {
      this.#restore(parts.state);
      this.#state = parts.state;
    } else {
      const average = this.settings.average > 0 ? this.#values() : undefined;
      this.#state = {
        epoch: 0,
        batch: 0,
        losses: [0, 0],
        firstLoss: undefined,
        best: undefined,
        bestValues: undefined,
        average,
        values: undefined,
      };
    }
  }

  /**
   * Makes ready. Throws {@link InputError}: `input/option` for an option out of range, `input/labels` for labels that
   * cannot say what the data do or teachers of others, `input/tokenizer` for teachers with another tokenizer, `input/data`
   * for texts without tokens or names of no type of theirs; a FormatError `checkpoint/state` for a state of another run;
   * and what making a trainer throws.
   */
  static async create(make: MakeTrainer, input: FineTuneInput): Promise<FineTuning> {
    const { model, labels, train, options = {} } = input, { tokenizer } = model;
    const settings = settingsOf(options, model.weights.config);
    const labeller = new Labeller(labels);
    const { augment, length, seed } = settings, { names, also } = input;
    if (also?.length && !settings.crf) {
      throw new InputError(
        "input/option",
        "corpora whose labels are known in part need a CRF, whose likelihood can leave a label open.",
      );
    }
    const { layers, hiddenSize } = model.weights.config;
    const { teachers, unlabelled, ...distill } = input.teaching ?? { teachers: [] };
    if (input.lexicons && settings.lora) {
      throw new InputError(
        "input/option",
        "adapters go beside a model with the lexicons that it has; leave out one of the two.",
      );
    }
    const lexicons = input.lexicons
      ? TrainingLexicons.make(input.lexicons, train, labeller.tags, seed)
      : model.lexicons && TrainingLexicons.kept(model.lexicons);
    const lessons = input.teaching &&
      new Lessons(
        teachers,
        { labels, tokenizer, length, layers, hiddenSize, lexicons: lexicons?.lexicons },
        distillSettingsOf(distill),
        // Nothing is kept of sequences that no other epoch has.
        changes({ augment, also, lexicons }) ? 0 : undefined,
      );
    const parts = {
      lexicons,
      ...{ texts: train, tokenizer, labeller, length, seed, augment, names, also },
      unlabelled,
      others: lessons?.finders,
    };
    const epochs = new Epochs(parts);
    if (epochs.plain.length === 0) {
      throw new InputError("input/data", "no text to learn from has a token.");
    }
    const validation = input.validation.length === 0 ? undefined : new Validation(
      input.validation,
      tokenizer,
      settings.length,
      settings.tokens,
      lexicons && ((text, encoding) => lexicons.features(text, encoding)),
    );
    const run = {
      options: settings,
      labels,
      texts: fingerprint(epochs.plain),
      validation: fingerprint(validation?.sequences ?? []),
      ...(names && { names: fingerprintOfNames(names) }),
      ...(also?.length && {
        also: [
          fingerprint(epochs.further()),
          ...also.map(({ types, perEpoch, weight }) => ({ types, perEpoch, weight })),
        ],
      }),
      ...(lexicons && {
        [input.lexicons ? "lexicons" : "keptLexicons"]: fingerprintOfLexicons(lexicons.lexicons),
      }),
      ...(lessons && { teaching: [lessons.settings, lessons.fingerprint] }),
      ...(settings.lora && { encoder: fingerprintOf(model.weights) }),
    };
    // Read first: a state of another run is refused before memory is taken.
    const state = input.state && readState(input.state, run);
    const pieces = new Set<number>();
    let totalSteps = 0;
    for (let epoch = 0; epoch < settings.epochs; epoch++) {
      totalSteps += stepsOf(epochs, settings, epoch).length;
      addPieces(pieces, epochs.sequences(epoch));
    }
    addPieces(pieces, validation?.sequences ?? []);
    const { vocabSize, embeddingSize } = model.weights.config, unseen = vocabSize - pieces.size;
    const started = startModel(model, {
      labels,
      crf: settings.crf,
      seed: settings.seed,
      lexicons: lexicons?.lexicons,
    });
    const lowRank = settings.lora && new LowRank(started.weights, settings.lora, settings.seed);
    const trainer = await make(started, {
      maxTokens: settings.tokens,
      seed: settings.seed,
      dropout: settings.dropout,
      weightDecay: settings.weightDecay,
      beta2: settings.beta2,
      clip: settings.clip,
      attention: distill.attention !== undefined,
      pieces: Int32Array.from(pieces).sort(),
      rateOf: (parameter) =>
        lowRank && !/^(classifier|crf)\./.test(parameter.name)
          ? Number(lowRank.adapted.has(parameter.name))
          : rateOf(parameter, settings),
    });
    return new FineTuning({
      settings,
      trainer,
      tokenizer,
      labels,
      epochs,
      lexicons: lexicons?.lexicons,
      lessons,
      totalSteps,
      validation,
      lowRank,
      unseen: { pieces: unseen, parameters: unseen * embeddingSize },
      run,
      state,
    });
  }

  /**
   * Bytes of linear memory; parameters that are learnt, and that the model and adapters beside it have; and word pieces that are
   * in no text: their embeddings are among `parameters`, and are not learnt.
   */
  get size(): {
    readonly memoryBytes: number;
    readonly learnt: number;
    readonly parameters: number;
    readonly unseen: number;
  } {
    const { parameters, memoryBytes } = this.#trainer;
    const count = ({ shape }: { shape: readonly number[] }): number =>
      shape.reduce((product, size) => product * size, 1);
    const sum = (list: typeof parameters): number => list.reduce((s, p) => s + count(p), 0);
    const own = this.#lowRank?.size ?? 0;
    return {
      memoryBytes,
      learnt: sum(this.#learnt) + own,
      parameters: sum(parameters) + this.#unseen.parameters + own,
      unseen: this.#unseen.pieces,
    };
  }

  /** Where the run stands: steps taken, and epochs that are over. */
  get position(): { readonly step: number; readonly epoch: number } {
    return { step: this.#trainer.steps, epoch: this.#state.epoch };
  }

  /** The best epoch so far; undefined where nothing was validated. */
  get best(): Best | undefined {
    return this.#state.best;
  }

  /** Whether the run is over: all epochs done, or too many of them without a better score. */
  get over(): boolean {
    const { epoch, best } = this.#state;
    return epoch >= this.settings.epochs ||
      (best !== undefined && epoch - best.since >= this.settings.patience);
  }

  /**
   * Trains, from where the run stands to its end. Throws {@link InputError} `train/diverged` that names the step and its
   * texts when a loss or a gradient is not finite, or a loss is far above the first one's.
   */
  async *run(): AsyncGenerator<TrainRecord, void> {
    while (!this.over) {
      const { epoch } = this.#state;
      const steps = stepsOf(this.#epochs, this.settings, epoch);
      while (this.#state.batch < steps.length) {
        yield await this.#step(steps[this.#state.batch]!);
      }
      yield this.#endEpoch();
    }
  }

  /** Sequence number `i` of the epoch that is not over. */
  #sequence(i: number): Sequence {
    return this.#epochs.sequences(this.#state.epoch)[i]!;
  }

  async #step(batches: readonly Int32Array[]): Promise<StepRecord> {
    const state = this.#state, step = this.#trainer.steps + 1;
    const rate = rateAt(step, this.totalSteps, this.settings);
    const examples = batches.map((batch) => this.#example(batch));
    const report = await this.#trainer.step(examples, rate).catch((error: unknown) => {
      throw error instanceof InputError && error.code === "train/diverged"
        ? this.#diverged(step, batches, error.message, error)
        : error;
    });
    const { loss, gradientNorm, tokens } = report, firstLoss = state.firstLoss ?? loss;
    const { clip } = this.settings, factor = gradientNorm > clip ? clip / gradientNorm : 1;
    this.#lowRank?.update(this.#trainer, { number: step, rate, factor }, this.settings);
    if (loss > DIVERGED * firstLoss) {
      throw this.#diverged(
        step,
        batches,
        `the loss is ${loss.toPrecision(4)}, ${DIVERGED} times the first step's.`,
      );
    }
    if (state.average) this.#moveAverage(state.average, step);
    this.#state = {
      ...state,
      batch: state.batch + 1,
      losses: [state.losses[0] + loss, state.losses[1] + 1],
      firstLoss,
    };
    return { kind: "step", step, epoch: state.epoch + 1, loss, rate, gradientNorm, tokens };
  }

  #example(indices: Int32Array): Example {
    const sequences = Array.from(indices, (i) => this.#sequence(i)), batch = pack(sequences);
    const { crf } = this.settings, labelled = this.#labelLoss(sequences, batch);
    if (this.#lessons === undefined) return { batch, loss: labelled };
    return { batch, ...this.#lessons.losses(sequences, batch, labelled, { crf }) };
  }

  #labelLoss(sequences: readonly Sequence[], batch: PackedBatch): Loss {
    if (this.settings.crf) return chainLossOf(sequences, batch.offsets, this.#labels.length);
    const labels = new Int32Array(batch.ids.length);
    sequences.forEach((sequence, i) => labels.set(sequence.labels, batch.offsets[i]));
    return crossEntropyLoss(labels);
  }

  #diverged(
    step: number,
    batches: readonly Int32Array[],
    what: string,
    cause?: unknown,
  ): InputError {
    const places = batches.flatMap((batch) => Array.from(batch, (i) => this.#sequence(i).where));
    const shown = places.slice(0, 4).join("; ") + (places.length > 4 ? "; ..." : "");
    return new InputError(
      "train/diverged",
      `training diverges in epoch ${
        this.#state.epoch + 1
      }, step ${step}, batch of ${places.length} texts ` +
        `(${shown}): ${what}`,
      { cause },
    );
  }

  /** Validates, and keeps the parameters if they are the best so far. */
  #endEpoch(): EpochRecord {
    const state = this.#state, epoch = state.epoch + 1, { average } = state;
    const current = average ? this.#values() : undefined;
    if (average) this.#write(average);
    let { best, bestValues } = state;
    const scores = this.#validation?.score(
      (batch) => this.#trainer.emissions(batch),
      this.#labels,
      this.settings.crf ? this.#trainer.model().crf : undefined,
    );
    const score = scores?.[this.settings.metric].f1;
    if (score !== undefined && !(best !== undefined && best.score > score)) {
      best = { epoch, since: score === best?.score ? best.since : epoch, score };
      bestValues = this.#values();
    }
    if (current) this.#write(current);
    const [sum, steps] = state.losses;
    this.#state = { ...state, epoch, batch: 0, losses: [0, 0], best, bestValues };
    return {
      kind: "epoch",
      step: this.#trainer.steps,
      epoch,
      loss: sum / steps,
      scores,
      best,
    };
  }

  /** Parameters of the trainer that are learnt, and not put together from others. */
  get #learnt(): Parameter[] {
    return this.#trainer.parameters
      .filter(({ name, rate }) => rate > 0 && !this.#lowRank?.adapted.has(name));
  }

  /** Copies of all that is learnt. */
  #values(): Map<string, Float32Array> {
    const own = this.#learnt.map(({ name }) => [name, this.#trainer.read(name)] as const);
    return new Map([...own, ...this.#lowRank?.values() ?? []]);
  }

  #write(values: ReadonlyMap<string, Float32Array>): void {
    for (const { name } of this.#learnt) this.#trainer.write(name, values.get(name)!);
    this.#lowRank?.set(values);
    this.#lowRank?.write(this.#trainer);
  }

  /** Goes on from a state. */
  #restore({ moments, step, values }: RunState): void {
    const own = this.#trainer.moments().map((moment) =>
      // What is put together from adapters has moments that nothing reads, and none are kept.
      moments.find(({ name }) => name === moment.name) ?? moment
    );
    this.#trainer.restore(own, step);
    this.#lowRank?.restore(moments);
    if (values) this.#write(values);
  }

  /** Moments of all that is learnt. */
  #moments(): NamedTensor[] {
    const adapted = this.#lowRank?.adapted;
    const own = this.#trainer.moments()
      .filter(({ name }) => !adapted?.has(name.replace(/\.[mv]$/, "")));
    return [...own, ...this.#lowRank?.moments() ?? []];
  }

  /** `average += (1 - decay) * (values - average)`, with a smaller decay at first, when all is still far off. */
  #moveAverage(average: ReadonlyMap<string, Float32Array>, step: number): void {
    const weight = Math.fround(1 - Math.min(this.settings.average, (step + 1) / (step + 10)));
    const current = this.#values();
    for (const [name, mean] of average) {
      const values = current.get(name)!;
      for (let i = 0; i < mean.length; i++) mean[i]! += weight * (values[i]! - mean[i]!);
    }
  }

  /**
   * The best model: of the best epoch, or as it is now where nothing was validated. Adapters are merged into it;
   * {@link FineTuning.adapter} has them apart.
   */
  result(): ModelBundle {
    return this.#atBest(() => this.#bundle());
  }

  /** The best adapter, for the encoder that training began with; undefined where none is learnt. */
  adapter(): Adapter | undefined {
    return this.#lowRank && this.#atBest(() => this.#adapter());
  }

  /** What `look` sees while the best parameters are in their place. */
  #atBest<T>(look: () => T): T {
    const { bestValues, average } = this.#state, values = bestValues ?? average;
    if (values === undefined) return look();
    const current = this.#values();
    this.#write(values);
    const seen = look();
    this.#write(current);
    return seen;
  }

  #adapter(): Adapter {
    const { weights: { classifier }, crf } = this.#bundle(), { rank, alpha } = this.settings.lora!;
    return { rank, alpha, parts: this.#lowRank!.parts(), labels: this.#labels, classifier, crf };
  }

  #bundle(): ModelBundle {
    const { weights, crf } = this.#trainer.model();
    return {
      weights,
      crf: this.settings.crf ? crf : undefined,
      tokenizer: this.#tokenizer,
      ...(this.#lexicons && { lexicons: this.#lexicons }),
    };
  }

  /**
   * The run as it stands: a Hugging Face checkpoint, and `optimizer.safetensors` beside it. To be written whole or not at
   * all; {@link FineTuning.create} goes on from it with the same bits. (Adapters go on from the model that they began
   * with, and not from the checkpoint's, into which they are merged.)
   */
  checkpoint(): Map<string, Uint8Array> {
    const state = {
      ...this.#state,
      step: this.#trainer.steps,
      moments: this.#moments(),
      values: this.#lowRank && this.#values(),
    };
    const files = writeCheckpoint(this.#bundle());
    return files.set("optimizer.safetensors", writeState(state, this.settings.seed, this.#run));
  }

  /** Gives memory back. */
  close(): void {
    this.#trainer.close();
  }
}

/** The batches of each step of an epoch, counted from 0. */
function stepsOf(epochs: Epochs, settings: Settings, epoch: number): Int32Array[][] {
  const { tokens, texts, seed, accumulate } = settings;
  const lengths = epochs.sequences(epoch).map(({ ids }) => ids.length);
  const batches = batchesOf(lengths, { tokens, texts, seed, epoch });
  const steps: Int32Array[][] = [];
  for (let i = 0; i < batches.length; i += accumulate) {
    steps.push(batches.slice(i, i + accumulate));
  }
  return steps;
}
