/**
 * What teachers say of a batch, and the loss that a student has from it.
 *
 *   loss = a labels + (1 - a) teachers, and, if asked for, w hidden states and v attention
 *
 * Each is a sum over tokens, divided by the number of all tokens but [CLS] and [SEP]: a token that nobody has labelled
 * has the second part alone. Of several teachers it is the mean of their emissions, and of their CRFs' scores, that is
 * taught, which is the normalized product of their distributions.
 *
 * What teachers say of a sequence is kept while there is room, and asked again where there is none; of sequences that are
 * others in each epoch nothing is kept. Since a batch changes no bit of a text's emissions, that changes time alone.
 *
 * @module
 */
import type { PackedBatch } from "../../backend/backend.ts";
import { InputError, show } from "../../errors.ts";
import type { FeatureFinder } from "../../lexicon/features.ts";
import type { Lexicons } from "../../model/lexicon.ts";
import type { CrfWeights } from "../../model/weights.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { attentionLoss } from "../losses/attention.ts";
import { distillationLoss } from "../losses/distillation.ts";
import { hiddenLoss } from "../losses/hidden.ts";
import { pathLoss } from "../losses/paths.ts";
import { sumLoss } from "../losses/sum.ts";
import { pack, type Sequence } from "../loop/sequences.ts";
import type { Example, Loss } from "../types.ts";
import type { DistillSettings } from "./options.ts";
import type { Teacher } from "./teacher.ts";
import { Views } from "./views.ts";

/** Most emissions that are kept: 256 MiB. */
const MOST_KEPT = 1 << 26;

/** A student of some teachers. */
export class Lessons {
  readonly settings: DistillSettings;
  readonly #teachers: readonly Teacher[];
  /** For each teacher, its column of each of the student's labels. */
  readonly #columns: readonly Int32Array[];
  readonly #views: Views;
  readonly #crf: CrfWeights | undefined;
  readonly #kept = new WeakMap<Int32Array, Float32Array>();
  #room: number;

  /**
   * Throws {@link InputError}: `input/labels` for teachers of other labels than `labels`, `input/tokenizer` for teachers
   * with another tokenizer, `input/option` for one that sees less than `length` tokens, for no teacher, and for hidden
   * states or attention that cannot be compared. Of emissions `mostKept` numbers are kept at most.
   */
  constructor(
    teachers: readonly Teacher[],
    student: {
      readonly labels: readonly string[];
      readonly tokenizer: Tokenizer;
      readonly length: number;
      readonly layers: number;
      readonly hiddenSize: number;
      readonly lexicons?: Lexicons | undefined;
    },
    settings: DistillSettings,
    mostKept: number = MOST_KEPT,
  ) {
    if (teachers.length === 0) {
      throw new InputError("input/option", "there is no teacher to learn from.");
    }
    for (const [i, teacher] of teachers.entries()) check(teacher, i, student);
    for (const what of ["states", "attention"] as const) {
      const taught = settings[what];
      if (taught) checkLayers(what, taught.layers, teachers, student);
    }
    this.settings = settings;
    this.#teachers = teachers;
    this.#columns = teachers.map(({ labels }) =>
      Int32Array.from(student.labels, (label) => labels.indexOf(label))
    );
    this.#views = new Views(teachers.map(({ lexicons }) => lexicons), student.lexicons);
    this.#crf = meanCrf(teachers, student.labels);
    this.#room = mostKept;
  }

  /** Tells the teachers from others. */
  get fingerprint(): string {
    return this.#teachers.map(({ fingerprint, crf }) => fingerprint + (crf ? " crf" : ""))
      .join(", ");
  }

  /** Of lexicons that only teachers have: with these the sequences' {@link Sequence.others} are found. */
  get finders(): readonly FeatureFinder[] {
    return this.#views.finders;
  }

  /** The losses of a batch of sequences, of which some may have no labels. */
  losses(
    sequences: readonly Sequence[],
    batch: PackedBatch,
    labelled: Loss,
    student: { readonly crf: boolean },
  ): Pick<Example, "loss" | "hidden" | "attention"> {
    const loss = this.#loss(sequences, batch, labelled, student);
    const { states, attention } = this.settings;
    if (states === undefined && attention === undefined) return { loss };
    const [teacher] = this.#teachers, seen = this.#seenBy(0, sequences, batch);
    const counted = countedOf(chainsOf(sequences, batch), batch), { offsets } = batch;
    const own = (layers: readonly number[]): number[] => layers.map((_, i) => i + 1);
    // The teacher's layers in ascending order, as they come out of it; then as the student has them.
    const said = (layers: readonly number[], what: "hidden" | "attention"): Float32Array[] => {
      const wanted = [...new Set(layers)].sort((a, b) => a - b);
      const all = teacher![what](seen, wanted);
      return layers.map((layer) => all[wanted.indexOf(layer)]!);
    };
    return {
      loss,
      ...(states && {
        hidden: hiddenLoss(own(states.layers), said(states.layers, "hidden"), {
          ...{ weight: states.weight, counted },
        }),
      }),
      ...(attention && {
        attention: attentionLoss(own(attention.layers), said(attention.layers, "attention"), {
          ...{ heads: teacher!.heads, offsets, counted, weight: attention.weight },
        }),
      }),
    };
  }

  #loss(
    sequences: readonly Sequence[],
    batch: PackedBatch,
    labelled: Loss,
    student: { readonly crf: boolean },
  ): Loss {
    const { alpha, temperature, lesson } = this.settings;
    const emissions = this.emissions(sequences);
    const chains = chainsOf(sequences, batch);
    const taught = lesson === "marginals"
      ? pathLoss({ emissions, crf: this.#crf }, chains, { temperature, crf: student.crf })
      : distillationLoss(emissions, batch.ids.length, temperature, countedOf(chains, batch));
    if (labelled.count === 0 || alpha === 0) return scaled(taught, 1 - alpha);
    const share = labelled.count / taught.count;
    return sumLoss([
      { loss: taught, weight: 1 - alpha },
      { loss: labelled, weight: alpha * share },
    ]);
  }

  /** The teachers' emissions `[tokens, labels]`, in the student's order of labels. */
  emissions(sequences: readonly Sequence[]): Float32Array {
    const missing = sequences.filter(({ ids }) => !this.#kept.has(ids));
    const fresh = new Map<Int32Array, Float32Array>();
    if (missing.length > 0) {
      const batch = pack(missing),
        all = this.#ask(missing, batch),
        columns = this.#columns[0]!.length;
      missing.forEach(({ ids }, i) => {
        const own = all.slice(batch.offsets[i]! * columns, batch.offsets[i + 1]! * columns);
        fresh.set(ids, own);
        if (own.length > this.#room) return;
        this.#room -= own.length;
        this.#kept.set(ids, own);
      });
    }
    const parts = sequences.map(({ ids }) => fresh.get(ids) ?? this.#kept.get(ids)!);
    const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
    return out;
  }

  /** A batch as a teacher takes it. */
  #seenBy(
    teacher: number,
    sequences: readonly Sequence[],
    { ids, offsets }: PackedBatch,
  ): PackedBatch {
    const features = this.#views.features(teacher, sequences, offsets);
    return { ids, offsets, ...(features && { features }) };
  }

  /** The mean of what the teachers say of a batch. */
  #ask(sequences: readonly Sequence[], batch: PackedBatch): Float32Array {
    const tokens = batch.ids.length, size = this.#columns[0]!.length;
    const sums = new Float64Array(tokens * size);
    this.#teachers.forEach((teacher, i) => {
      const own = teacher.emissions(this.#seenBy(i, sequences, batch)), columns = this.#columns[i]!;
      for (let t = 0; t < tokens; t++) {
        for (let j = 0; j < size; j++) sums[t * size + j]! += own[t * size + columns[j]!]!;
      }
    });
    return Float32Array.from(sums, (sum) => sum / this.#teachers.length);
  }
}

/**
 * The mean of the teachers' CRFs for labels in this order, one that has none scoring nothing; undefined where none has
 * any.
 */
export function meanCrf(
  teachers: readonly Pick<Teacher, "labels" | "crf">[],
  labels: readonly string[],
): CrfWeights | undefined {
  if (teachers.every(({ crf }) => crf === undefined)) return undefined;
  const size = labels.length;
  const columns = teachers.map((teacher) => labels.map((label) => teacher.labels.indexOf(label)));
  const mean = (
    length: number,
    value: (crf: CrfWeights, columns: readonly number[], k: number) => number,
  ): Float32Array =>
    Float32Array.from({ length }, (_, k) => {
      const values = teachers.map(({ crf }, i) => crf ? value(crf, columns[i]!, k) : 0);
      return values.reduce((sum, one) => sum + one, 0) / teachers.length;
    });
  return {
    start: mean(size, ({ start }, own, k) => start[own[k]!]!),
    end: mean(size, ({ end }, own, k) => end[own[k]!]!),
    transitions: mean(size * size, ({ transitions }, own, k) => {
      return transitions[own[Math.floor(k / size)]! * size + own[k % size]!]!;
    }),
  };
}

function check(
  teacher: Teacher,
  i: number,
  { labels, tokenizer, length }: ConstructorParameters<typeof Lessons>[1],
): void {
  const name = `teacher ${i + 1}`;
  const same = teacher.labels.length === labels.length &&
    labels.every((label) => teacher.labels.includes(label));
  if (!same) {
    throw new InputError(
      "input/labels",
      `${name} has the labels ${teacher.labels.join(", ")}; the student has ${labels.join(", ")}.`,
    );
  }
  if (
    teacher.tokenizer !== tokenizer &&
    JSON.stringify(teacher.tokenizer.toJSON()) !== JSON.stringify(tokenizer.toJSON())
  ) {
    throw new InputError(
      "input/tokenizer",
      `${name} has another tokenizer than the student, so that their tokens are not the same.`,
    );
  }
  if (teacher.maxPositions < length) {
    throw new InputError(
      "input/option",
      `${name} sees ${teacher.maxPositions} tokens at once; sequences here have up to ${length}.`,
    );
  }
}

/** All tokens of each sequence but the special ones at both ends. */
function chainsOf(sequences: readonly Sequence[], { offsets }: PackedBatch): Int32Array[] {
  return sequences.map(({ ids }, i) =>
    Int32Array.from({ length: ids.length - 2 }, (_, t) => offsets[i]! + 1 + t)
  );
}

function checkLayers(
  what: "states" | "attention",
  layers: readonly number[],
  teachers: readonly Teacher[],
  student: { readonly layers: number; readonly hiddenSize: number },
): void {
  const [teacher] = teachers,
    name = what === "states" ? "hidden states are" : "attention is",
    fail = (what: string): never => {
      throw new InputError("input/option", what);
    };
  if (teachers.length > 1) fail(`${name} learnt of one teacher, and there are several.`);
  if (layers.length !== student.layers) {
    fail(
      `${what}.layers has ${layers.length} of the teacher's layers; the student has ${student.layers}.`,
    );
  }
  const wrong = layers.find((one) => !Number.isInteger(one) || one < 1 || one > teacher!.layers);
  if (wrong !== undefined) {
    fail(`${what}.layers has ${show(wrong)}; the teacher's layers are 1 to ${teacher!.layers}.`);
  }
  if (what === "states" && teacher!.hiddenSize !== student.hiddenSize) {
    fail(
      `the teacher's hidden states have ${
        teacher!.hiddenSize
      } columns, the student's ${student.hiddenSize}; ` +
        "only equally wide ones are compared.",
    );
  }
}

function countedOf(chains: readonly Int32Array[], { ids }: PackedBatch): Uint8Array {
  const counted = new Uint8Array(ids.length);
  for (const chain of chains) for (const token of chain) counted[token] = 1;
  return counted;
}

/** A loss times a factor. */
function scaled(loss: Loss, weight: number): Loss {
  return weight === 1 ? loss : sumLoss([{ loss, weight }]);
}
