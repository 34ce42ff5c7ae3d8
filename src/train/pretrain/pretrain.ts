/**
 * Pretraining: an encoder learns from text that nobody has labelled, by finding hidden words or replaced tokens.
 *
 * {@link Pretraining.run} yields a record after every step and every look at the held-out sequences; whoever consumes
 * them decides when to save a {@link Pretraining.checkpoint} and may stop at any record. As in fine-tuning, nothing here
 * reads a clock or a file: corpus, model, options and seed decide every bit, also of a run that was ended and went on.
 *
 * Every pass goes through the whole corpus in an order of its own. What is hidden is drawn for each sequence of each
 * pass anew, from random numbers that depend on nothing but seed, pass and sequence.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { writeCheckpoint } from "../../formats/hf/write_checkpoint.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import { drawingLoss } from "../losses/drawn.ts";
import { maskedLoss } from "../losses/cross_entropy.ts";
import { replacedLoss } from "../losses/replaced.ts";
import { IGNORED } from "../losses/targets.ts";
import { rateAt } from "../loop/options.ts";
import { pack } from "../loop/sequences.ts";
import { startModel } from "../loop/start.ts";
import { Random } from "../random.ts";
import type { Example, MakeTrainer, Trainer, TrainerOptions } from "../types.ts";
import type { Corpus } from "./corpus.ts";
import { generatorOf, maskedHead, replacedHead } from "./heads.ts";
import { type Masked, maskedOf, Masking } from "./masking.ts";
import { type PretrainOptions, type PretrainSettings, pretrainSettingsOf } from "./options.ts";
import {
  type ModelState,
  type PretrainState,
  readPretrainState,
  writePretrainState,
} from "./state.ts";

/** After a step. */
export interface PretrainStep {
  /** Tells it from a {@link HeldOutRecord}. */
  readonly kind: "step";
  /** Counted from 1. */
  readonly step: number;
  /** Times that the corpus is being gone through, counted from 1. */
  readonly pass: number;
  /** Mean over the hidden tokens, or over all where replaced ones are to be found. */
  readonly loss: number;
  /** Of the generator; absent without one. */
  readonly generatorLoss?: number;
  /** The step's rate. */
  readonly rate: number;
  /** Norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Tokens of the step. */
  readonly tokens: number;
}

/** A look at the held-out sequences. */
export interface HeldOutRecord {
  /** Tells it from a {@link PretrainStep}. */
  readonly kind: "held-out";
  /** Steps taken. */
  readonly step: number;
  /** As {@link PretrainStep.loss}, without dropout, the same words hidden each time. */
  readonly loss: number;
  /** Of the generator; absent without one. */
  readonly generatorLoss?: number;
}

/** What a run goes through. */
export type PretrainRecord = PretrainStep | HeldOutRecord;

/** What is learnt from what. */
export interface PretrainInput {
  /** The encoder to start from; when a run goes on, that of the checkpoint. */
  readonly model: ModelBundle;
  /** Sequences to learn from. */
  readonly corpus: Corpus;
  /** Sequences to judge by; may be empty. */
  readonly heldOut: Corpus;
  /** How. */
  readonly options?: PretrainOptions;
  /** `optimizer.safetensors` of the checkpoint that a run goes on from. */
  readonly state?: Uint8Array | undefined;
}

/** Hidden tokens of a batch may be so much more than the share of its tokens: words are whole, sequences short. */
const SPARE = 1.25;

/** Parameters that only the heads of pretraining have. */
const HEADS = /^(masked|replaced)\./;

/** An encoder being pretrained. */
export class Pretraining {
  /** The options, with nothing left open. */
  readonly settings: PretrainSettings;
  /** Steps of the whole run. */
  readonly totalSteps: number;
  readonly #model: ModelBundle;
  readonly #corpus: Corpus;
  readonly #heldOut: Corpus;
  readonly #masking: Masking;
  readonly #encoder: Trainer;
  readonly #generator: Trainer | undefined;
  readonly #run: unknown;
  #pass: number;
  #batch: number;
  /** Batches of the steps of the pass under way. */
  #steps: { readonly pass: number; readonly batches: readonly Int32Array[][] } | undefined;

  private constructor(parts: {
    settings: PretrainSettings;
    model: ModelBundle;
    corpus: Corpus;
    heldOut: Corpus;
    masking: Masking;
    encoder: Trainer;
    generator: Trainer | undefined;
    run: unknown;
    state: PretrainState | undefined;
  }) {
    this.settings = parts.settings;
    this.#model = parts.model;
    this.#corpus = parts.corpus;
    this.#heldOut = parts.heldOut;
    this.#masking = parts.masking;
    this.#encoder = parts.encoder;
    this.#generator = parts.generator;
    this.#run = parts.run;
    const { state, settings: { steps, passes } } = parts;
    this.#pass = state?.pass ?? 0;
    this.#batch = state?.batch ?? 0;
    if (state) {
      restore(this.#encoder, state.encoder, state.step);
      if (this.#generator) restore(this.#generator, state.generator!, state.step);
    }
    let total = steps ?? 0;
    if (steps === undefined) {
      for (let pass = 0; pass < passes; pass++) total += this.#stepsOf(pass).length;
    }
    this.totalSteps = total;
  }

  /**
   * Makes ready. Throws {@link InputError}: `input/option` for an option out of range, `input/tokenizer` for a tokenizer
   * without [MASK], `input/data` for a corpus without a sequence, `input/batch` for sequences that do not fit the model
   * or a batch; a FormatError `checkpoint/state` for a state of another run; and what making a trainer throws.
   */
  static async create(make: MakeTrainer, input: PretrainInput): Promise<Pretraining> {
    const { model, corpus, heldOut, options = {} } = input, { config } = model.weights;
    const settings = pretrainSettingsOf(options), { objective, seed, share, tokens } = settings;
    if (corpus.lengths.length === 0) {
      throw new InputError("input/data", "the corpus has no sequence to learn from.");
    }
    for (const { lengths } of [corpus, heldOut]) {
      const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
      if (longest <= Math.min(tokens, config.maxPositions)) continue;
      throw new InputError(
        "input/batch",
        `the corpus has a sequence of ${longest} tokens; the model sees ${config.maxPositions}, ` +
          `and a batch holds ${tokens}.`,
      );
    }
    const masking = new Masking(model.tokenizer, share);
    const { layers, hiddenSize, heads, vocabSize } = config;
    const run = {
      options: settings,
      corpus: corpus.fingerprint,
      heldOut: heldOut.fingerprint,
      sizes: { layers, hiddenSize, heads, vocabSize },
    };
    // Read first: a state of another run is refused before memory is taken.
    const state = input.state && readPretrainState(input.state, run);
    const trainerOptions: TrainerOptions = {
      maxTokens: tokens,
      maxMasked: mostMasked(settings),
      seed,
      dropout: settings.dropout,
      weightDecay: settings.weightDecay,
      clip: settings.clip,
      // What nothing is asked of must not decay.
      rateOf: ({ name }) => name.startsWith("classifier.") ? 0 : 1,
    };
    const { weights } = startModel(model, { labels: config.labels, crf: false, seed });
    const encoder = await make({
      weights,
      ...(objective === "masked"
        ? { masked: maskedHead(config, seed) }
        : { replaced: replacedHead(config, seed) }),
    }, trainerOptions);
    const generator = objective === "masked"
      ? undefined
      : await make(generatorOf(config, model.tokenizer, seed), trainerOptions);
    return new Pretraining({
      settings,
      model,
      corpus,
      heldOut,
      masking,
      encoder,
      generator,
      run,
      state,
    });
  }

  /** Bytes of linear memory, and parameters that are learnt, those of a generator apart. */
  get size(): {
    readonly memoryBytes: number;
    readonly learnt: number;
    readonly generator: number;
  } {
    const count = (trainer: Trainer | undefined): number =>
      trainer?.parameters.filter(({ rate }) => rate > 0)
        .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0) ?? 0;
    const { memoryBytes } = this.#encoder;
    return {
      memoryBytes: memoryBytes + (this.#generator?.memoryBytes ?? 0),
      learnt: count(this.#encoder),
      generator: count(this.#generator),
    };
  }

  /** Where the run stands: steps taken. */
  get position(): { readonly step: number } {
    return { step: this.#encoder.steps };
  }

  /** Whether the run is over. */
  get over(): boolean {
    return this.#encoder.steps >= this.totalSteps;
  }

  /** Trains, from where the run stands to its end. Throws {@link InputError} `input/diverged`. */
  async *run(): AsyncGenerator<PretrainRecord, void> {
    while (!this.over) {
      const steps = this.#stepsOf(this.#pass);
      if (this.#batch === steps.length) {
        this.#pass++;
        this.#batch = 0;
        continue;
      }
      const record = await this.#step(steps[this.#batch]!);
      this.#batch++;
      yield record;
      if (this.looks) yield await this.#look();
    }
  }

  /** Whether a look at the held-out sequences follows the last step: who stops before it goes on without it. */
  get looks(): boolean {
    const due = this.over || this.#encoder.steps % this.settings.evaluate === 0;
    return due && this.#heldOut.lengths.length > 0;
  }

  /** The batches of each step of a pass. */
  #stepsOf(pass: number): readonly Int32Array[][] {
    if (this.#steps?.pass === pass) return this.#steps.batches;
    const { lengths } = this.#corpus, { seed, accumulate } = this.settings;
    const order = new Random(seed, "order", pass).permutation(lengths.length);
    const batches = cut(order, lengths, this.settings);
    const steps: Int32Array[][] = [];
    for (let i = 0; i < batches.length; i += accumulate) {
      steps.push(batches.slice(i, i + accumulate));
    }
    this.#steps = { pass, batches: steps };
    return steps;
  }

  async #step(batches: readonly Int32Array[]): Promise<PretrainStep> {
    const step = this.#encoder.steps + 1, { seed, accumulate } = this.settings;
    const rate = rateAt(step, this.totalSteps, this.settings);
    const { length } = this.#corpus.lengths;
    const hidden = batches.map((batch) =>
      Array.from(batch, (i) => {
        const random = new Random(seed, "hide", (this.#pass * length + i) >>> 0);
        return this.#masking.mask(this.#corpus.read(i), random);
      })
    );
    let generatorLoss: number | undefined;
    const examples = await this.#examples(
      hidden,
      (i) => new Random(seed, "replace", (step * accumulate + i) >>> 0),
      async (filling) => generatorLoss = (await this.#generator!.step(filling, rate)).loss,
    );
    const { loss, gradientNorm, tokens } = await this.#encoder.step(examples, rate);
    return {
      kind: "step",
      step,
      pass: this.#pass + 1,
      loss,
      ...(generatorLoss !== undefined && { generatorLoss }),
      rate,
      gradientNorm,
      tokens,
    };
  }

  /** The loss on the held-out sequences. */
  async #look(): Promise<HeldOutRecord> {
    const { lengths } = this.#heldOut, { seed } = this.settings;
    const all = Int32Array.from(lengths.keys());
    // Streams of their own, from the end.
    const last = 2 ** 32 - 1;
    const hidden = cut(all, lengths, this.settings).map((batch) =>
      Array.from(batch, (i) => {
        const random = new Random(seed, "hide", last - i);
        return this.#masking.mask(this.#heldOut.read(i), random);
      })
    );
    let generatorLoss: number | undefined;
    const examples = await this.#examples(
      hidden,
      (i) => new Random(seed, "replace", last - i),
      async (filling) => generatorLoss = await this.#generator!.evaluate(filling),
    );
    return {
      kind: "held-out",
      step: this.#encoder.steps,
      loss: await this.#encoder.evaluate(examples),
      ...(generatorLoss !== undefined && { generatorLoss }),
    };
  }

  /** What the encoder is asked; `fill` has the generator go over the gaps first, where there is one. */
  async #examples(
    batches: readonly (readonly Masked[])[],
    random: (batch: number) => Random,
    fill: (examples: readonly Example[]) => Promise<number>,
  ): Promise<Example[]> {
    const gaps = batches.map((sequences) => {
      const batch = pack(sequences);
      const tokens = Int32Array.from(
        sequences.flatMap((own, s) => Array.from(own.tokens, (t) => t + batch.offsets[s]!)),
      );
      const pieces = Int32Array.from(sequences.flatMap((own) => [...own.pieces]));
      return { batch, tokens, pieces };
    });
    if (this.#generator === undefined) {
      return gaps.map(({ batch, tokens, pieces }) => ({ batch, loss: maskedLoss(tokens, pieces) }));
    }
    const filled = gaps.map((gap, i) => ({
      ...gap,
      ...drawingLoss(gap.tokens, gap.pieces, random(i)),
    }));
    await fill(filled);
    return filled.map(({ batch, tokens, pieces, drawn }): Example => {
      const ids = batch.ids.slice(), flags = new Int32Array(ids.length);
      tokens.forEach((token, i) => ids[token] = pieces[i]!);
      ids.forEach((id, t) => flags[t] = this.#masking.isSpecial(id) ? IGNORED : 0);
      tokens.forEach((token, i) => {
        ids[token] = drawn[i]!;
        flags[token] = Number(drawn[i] !== pieces[i]);
      });
      return { batch: { ids, offsets: batch.offsets }, loss: replacedLoss(flags) };
    });
  }

  /** The encoder as it stands, with the head and CRF that it came with. */
  result(): ModelBundle {
    const { weights } = this.#encoder.model(), { crf, tokenizer } = this.#model;
    return { weights, crf, tokenizer };
  }

  /**
   * The run as it stands: a Hugging Face checkpoint of the encoder, and `optimizer.safetensors` beside it.
   * {@link Pretraining.create} goes on from it with the same bits.
   */
  checkpoint(): Map<string, Uint8Array> {
    const state: PretrainState = {
      step: this.#encoder.steps,
      pass: this.#pass,
      batch: this.#batch,
      encoder: stateOf(this.#encoder, HEADS),
      generator: this.#generator && stateOf(this.#generator, /./),
    };
    return writeCheckpoint(this.result())
      .set("optimizer.safetensors", writePretrainState(state, this.#run));
  }

  /** Gives memory back. */
  close(): void {
    this.#encoder.close();
    this.#generator?.close();
  }
}

/** Most tokens that are hidden in a batch. */
function mostMasked({ tokens, share }: PretrainSettings): number {
  return Math.ceil(SPARE * share * tokens) + 1;
}

/** Sequences in their order, as many in a batch as fit. */
function cut(order: Int32Array, lengths: Uint16Array, settings: PretrainSettings): Int32Array[] {
  const { tokens, share } = settings, most = mostMasked(settings), batches: Int32Array[] = [];
  let start = 0, sum = 0, masked = 0;
  order.forEach((sequence, i) => {
    const length = lengths[sequence]!, hidden = maskedOf(length, share);
    if (sum + length > tokens || masked + hidden > most) {
      batches.push(order.slice(start, i));
      start = i;
      sum = masked = 0;
    }
    sum += length;
    masked += hidden;
  });
  batches.push(order.slice(start));
  return batches;
}

/** Moments, and the values of the parameters that a checkpoint has no place for. */
function stateOf(trainer: Trainer, kept: RegExp): ModelState {
  const names = trainer.parameters.map(({ name }) => name).filter((name) => kept.test(name));
  return {
    moments: trainer.moments(),
    values: new Map(names.map((name) => [name, trainer.read(name)])),
  };
}

function restore(trainer: Trainer, { moments, values }: ModelState, step: number): void {
  trainer.restore(moments, step);
  for (const [name, data] of values) trainer.write(name, data);
}
