/**
 * Texts as the encoder takes them: ids between [CLS] and [SEP], each with its label, and batches of them.
 *
 * A text that is longer than the encoder sees at once goes in windows, as when entities are recognised; where two
 * overlap, a token is learnt from twice.
 *
 * @module
 */
import type { PackedBatch } from "../../backend/backend.ts";
import { windowsOf } from "../../ner/windows.ts";
import type { Encoding, Tokenizer } from "../../tokenizer/types.ts";
import type { Labeller } from "../data/labels.ts";
import type { LabelledText } from "../../corpus/text.ts";
import type { OwnPartial } from "../data/partial.ts";
import { crfLoss, partialCrfLoss } from "../losses/crf.ts";
import { IGNORED, OPEN } from "../losses/targets.ts";
import type { Loss } from "../types.ts";

/** What lexicons say of tokens. */
export interface Features {
  /** By the model's own lexicons, if it has any; zeros for special tokens. */
  readonly features?: Float32Array;
  /** By lexicons that only its teachers have (distill/views.ts). */
  readonly others?: readonly Float32Array[];
}

/** A text, or a window of one. */
export interface Sequence extends Features {
  /** With the special tokens at both ends. */
  readonly ids: Int32Array;
  /** Labels; those of the special tokens are left out of any loss. */
  readonly labels: Int32Array;
  /** Where the text stands, for messages. */
  readonly where: string;
  /** Of a text whose labels are known in part: what {@link OPEN} stands for, and a factor on its loss. */
  readonly partial?: Pick<OwnPartial, "open" | "weight">;
}

/** Features of the tokens of text number `index`. */
export type FindFeatures = (text: string, encoding: Encoding, index: number) => Features;

/** Features of a window's tokens between special tokens, which have none. */
export function windowFeatures(
  features: Float32Array,
  count: number,
  { start, end }: { readonly start: number; readonly end: number },
): Float32Array {
  const own = new Float32Array((end - start + 2) * count);
  own.set(features.subarray(start * count, end * count), count);
  return own;
}

/**
 * Sequences of at most `size` tokens, special ones included; a text without tokens gives none. `encode` is the tokenizer's,
 * or what is to be learnt from in its place.
 */
export function sequencesOf(
  texts: readonly LabelledText[],
  encode: Tokenizer["encode"],
  { cls, sep }: Pick<Tokenizer, "cls" | "sep">,
  labeller: Labeller,
  size: number,
  find?: FindFeatures,
): Sequence[] {
  return texts.flatMap(({ text, entities, where }, index) => {
    const encoding = encode(text), labels = labeller.label(entities, encoding);
    const { features, others } = find?.(text, encoding, index) ?? {};
    return windowsOf(encoding.ids.length, size - 2).map(({ start, end }): Sequence => {
      const own = (all: Float32Array) =>
        windowFeatures(all, all.length / encoding.ids.length, { start, end });
      return {
        ids: Int32Array.from([cls, ...encoding.ids.subarray(start, end), sep]),
        labels: Int32Array.from([IGNORED, ...labels.subarray(start, end), IGNORED]),
        ...(features && { features: own(features) }),
        ...(others && { others: others.map(own) }),
        where,
      };
    });
  });
}

/** The sequences of texts whose labels are known in part: tokens outside their entities have one of a set. */
export function partialSequencesOf(
  { texts, open, weight }: Pick<OwnPartial, "texts" | "open" | "weight">,
  encode: Tokenizer["encode"],
  specials: Pick<Tokenizer, "cls" | "sep">,
  labeller: Labeller,
  size: number,
  find?: FindFeatures,
): Sequence[] {
  return sequencesOf(texts, encode, specials, labeller, size, find).map((sequence) => ({
    ...sequence,
    labels: sequence.labels.map((label) => labeller.tags[label]?.role === "outside" ? OPEN : label),
    partial: { open, weight },
  }));
}

/** The CRF's loss over packed sequences, of which some are known in part. */
export function chainLossOf(
  sequences: readonly Sequence[],
  offsets: Int32Array,
  columns: number,
): Loss {
  const tokens = offsets.at(-1)!, labels = new Int32Array(tokens);
  sequences.forEach((sequence, i) => labels.set(sequence.labels, offsets[i]));
  if (sequences.every(({ partial }) => partial === undefined)) return crfLoss(labels, offsets);
  const allowed = new Uint8Array(tokens * columns);
  sequences.forEach(({ partial }, i) => {
    for (let t = offsets[i]!; t < offsets[i + 1]!; t++) {
      const label = labels[t]!;
      if (label === OPEN) allowed.set(partial!.open, t * columns);
      else if (label !== IGNORED) allowed[t * columns + label] = 1;
    }
  });
  const weights = Float64Array.from(sequences, ({ partial }) => partial?.weight ?? 1);
  return partialCrfLoss(allowed, offsets, { weights });
}

/** One sequence of the tokens of several, between one pair of special tokens. */
export function join(sequences: readonly Sequence[]): Sequence {
  const [first] = sequences;
  if (first === undefined || sequences.length === 1) return first!;
  const inner = (values: (sequence: Sequence) => Int32Array): Int32Array => {
    const own = values(first);
    const parts = sequences.flatMap((sequence) => [...values(sequence).subarray(1, -1)]);
    return Int32Array.from([own[0]!, ...parts, own.at(-1)!]);
  };
  const features = joinedFeatures(sequences, (one) => one.features);
  const others = first.others?.map((_, i) => joinedFeatures(sequences, (one) => one.others![i])!);
  return {
    ids: inner(({ ids }) => ids),
    labels: inner(({ labels }) => labels),
    ...(features && { features }),
    ...(others && { others }),
    where: sequences.map(({ where }) => where).join(" + "),
  };
}

/** Features of the tokens of several between one pair of special tokens. */
function joinedFeatures(
  sequences: readonly Sequence[],
  of: (sequence: Sequence) => Float32Array | undefined,
): Float32Array | undefined {
  const features = of(sequences[0]!);
  if (features === undefined) return undefined;
  const count = features.length / sequences[0]!.ids.length;
  const parts = sequences.map((one) => of(one)!.subarray(count, -count));
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const all = new Float32Array(size + 2 * count);
  let at = count;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Sequences one after the other. */
export function pack(sequences: readonly Pick<Sequence, "ids" | "features">[]): PackedBatch {
  const offsets = new Int32Array(sequences.length + 1);
  sequences.forEach(({ ids }, i) => offsets[i + 1] = offsets[i]! + ids.length);
  const ids = new Int32Array(offsets[sequences.length]!);
  sequences.forEach((sequence, i) => ids.set(sequence.ids, offsets[i]));
  const features = packFeatures(sequences.map((sequence) => sequence.features), offsets);
  return { ids, offsets, ...(features && { features }) };
}

/** Features of sequences one after the other; undefined where they have none. */
export function packFeatures(
  sequences: readonly (Float32Array | undefined)[],
  offsets: Int32Array,
): Float32Array | undefined {
  const [first] = sequences;
  if (first === undefined) return undefined;
  const count = first.length / (offsets[1]! - offsets[0]!);
  const features = new Float32Array(offsets.at(-1)! * count);
  sequences.forEach((own, i) => features.set(own!, offsets[i]! * count));
  return features;
}

/** Adds the ids that occur. */
export function addPieces(seen: Set<number>, sequences: readonly Pick<Sequence, "ids">[]): void {
  for (const { ids } of sequences) for (const id of ids) seen.add(id);
}
