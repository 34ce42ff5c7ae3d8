/**
 * A text as terms are compared with it: composed (NFC), in small letters, each run of white space one space, and each
 * unit knowing where in the caller's text it stands.
 *
 * Tables are the tokenizer's own, and never the engine's, whose Unicode is another in every runtime.
 *
 * @module
 */
import { Aligned } from "../tokenizer/aligned.ts";
import { toLowerCase } from "../tokenizer/bert_normalizer.ts";
import { normalizeForm } from "../tokenizer/forms.ts";
import { classes, flagsAbove, joinSurrogates, SPACE, WORD } from "../tokenizer/unicode.ts";

/** What a unit is: a part of a word, a space, or the first half of a character. */
export const IN_WORD = 1, BLANK = 2, HALF = 4;

/** A folded text. */
export interface Folded {
  /** How many units count. */
  readonly length: number;
  /** UTF-16 code units; a blank is U+0020. */
  readonly units: Uint16Array;
  /** {@link IN_WORD}, {@link BLANK} or {@link HALF}, of each. */
  readonly kinds: Uint8Array;
  /** Where each stands in the caller's text. */
  readonly starts: Int32Array;
  /** One past its end there. */
  readonly ends: Int32Array;
}

/** Folds a text. */
export function fold(text: string): Folded {
  let source = new Aligned(), target = new Aligned();
  source.limitTo(text.length);
  target.limitTo(text.length);
  source.load(text);
  if (normalizeForm("NFC", source, target)) [source, target] = [target, source];
  if (toLowerCase(source, target)) source = target;
  const { units, starts, ends } = source, kinds = new Uint8Array(source.length), table = classes();
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    const unit = units[i]!, pair = (unit & 0xfc00) === 0xd800;
    const flags = pair ? flagsAbove(table, joinSurrogates(unit, units[i + 1]!)) : table.bmp[unit]!;
    const blank = (flags & SPACE) !== 0;
    if (blank && length > 0 && kinds[length - 1] === BLANK) continue;
    const kind = blank ? BLANK : flags & WORD ? IN_WORD : 0;
    for (let half = pair ? 1 : 0; half >= 0; half--, length++) {
      units[length] = blank ? 0x20 : units[i]!;
      kinds[length] = kind | (half ? HALF : 0);
      starts[length] = starts[i]!;
      ends[length] = ends[i]!;
      if (half) i++;
    }
  }
  return { length, units, kinds, starts, ends };
}
