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

/** Sequences of at most `size` tokens, special ones included; a text without tokens gives none. */
export function sequencesOf(
  texts: readonly LabelledText[],
  tokenizer: Tokenizer,
  labeller: Labeller,
  size: number,
): Sequence[] {
  const { cls, sep } = tokenizer;
  return texts.flatMap(({ text, entities, where }) => {
    const encoding = tokenizer.encode(text), labels = labeller.label(entities, encoding);
    return windowsOf(encoding.ids.length, size - 2).map(({ start, end }): Sequence => ({
      ids: Int32Array.from([cls, ...encoding.ids.subarray(start, end), sep]),
      labels: Int32Array.from([IGNORED, ...labels.subarray(start, end), IGNORED]),
      where,
    }));
  });
}

/** Sequences one after the other. */
export function pack(sequences: readonly Pick<Sequence, "ids">[]): PackedBatch {
  const offsets = new Int32Array(sequences.length + 1);
  sequences.forEach(({ ids }, i) => offsets[i + 1] = offsets[i]! + ids.length);
  const ids = new Int32Array(offsets[sequences.length]!);
  sequences.forEach((sequence, i) => ids.set(sequence.ids, offsets[i]));
  return { ids, offsets };
}

/** Ids that occur, ascending. */
export function piecesOf(sequences: readonly Pick<Sequence, "ids">[]): Int32Array {
  const seen = new Set<number>();
  for (const { ids } of sequences) for (const id of ids) seen.add(id);
  return Int32Array.from(seen).sort();
}
