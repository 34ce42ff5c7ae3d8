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
import type { Tokenizer } from "../../tokenizer/types.ts";
import type { Labeller } from "../data/labels.ts";
import type { LabelledText } from "../data/text.ts";
import { IGNORED } from "../losses/targets.ts";

/** A text, or a window of one. */
export interface Sequence {
  /** With the special tokens at both ends. */
  readonly ids: Int32Array;
  /** Labels; those of the special tokens are left out of any loss. */
  readonly labels: Int32Array;
  /** Where the text stands, for messages. */
  readonly where: string;
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
): Sequence[] {
  return texts.flatMap(({ text, entities, where }) => {
    const encoding = encode(text), labels = labeller.label(entities, encoding);
    return windowsOf(encoding.ids.length, size - 2).map(({ start, end }): Sequence => ({
      ids: Int32Array.from([cls, ...encoding.ids.subarray(start, end), sep]),
      labels: Int32Array.from([IGNORED, ...labels.subarray(start, end), IGNORED]),
      where,
    }));
  });
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
  return {
    ids: inner(({ ids }) => ids),
    labels: inner(({ labels }) => labels),
    where: sequences.map(({ where }) => where).join(" + "),
  };
}

/** Sequences one after the other. */
export function pack(sequences: readonly Pick<Sequence, "ids">[]): PackedBatch {
  const offsets = new Int32Array(sequences.length + 1);
  sequences.forEach(({ ids }, i) => offsets[i + 1] = offsets[i]! + ids.length);
  const ids = new Int32Array(offsets[sequences.length]!);
  sequences.forEach((sequence, i) => ids.set(sequence.ids, offsets[i]));
  return { ids, offsets };
}

/** Adds the ids that occur. */
export function addPieces(seen: Set<number>, sequences: readonly Pick<Sequence, "ids">[]): void {
  for (const { ids } of sequences) for (const id of ids) seen.add(id);
}
