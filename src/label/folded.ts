/**
 * Texts and terms made comparable: compatibility forms, small letters, one space for any white space, one hyphen and
 * one apostrophe for the many there are; and where in the caller's text each character came from.
 *
 * The tokenizer's own normalization is used, so that a place is as exact here as in a recogniser, and the same in
 * every engine: `ﬁ` matches `fi`, `Ⅳ` matches `iv`, `য়` matches however it is encoded.
 *
 * Weak where: letters are made small one by one, so `ß` is not `ss`. Accents stay: `naïve` is not `naive`, and in Bangla a
 * vowel sign is a letter.
 *
 * @module
 */
import { Aligned } from "../tokenizer/aligned.ts";
import { toLowerCase } from "../tokenizer/bert_normalizer.ts";
import { normalizeForm } from "../tokenizer/forms.ts";
import { BLANK, kindAt, kinds, LETTER, NUMBER } from "../tokenizer/kinds.ts";
import { classes, flagsAbove, joinSurrogates, MARK } from "../tokenizer/unicode.ts";

const HYPHENS = new Set([0x2010, 0x2011, 0x2012, 0x2013, 0x2212]);
const APOSTROPHES = new Set([0x2018, 0x2019, 0x02bc]);
/** Joiners and the soft hyphen, which spelling does not depend on; ZWNJ and ZWJ in Bangla, too, where they choose a glyph. */
const INVISIBLE = new Set([0x00ad, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff]);

/** A folded text. Valid until the same {@link Folder} folds another. */
export interface Folded {
  /** UTF-16 code units; the first `length` count. */
  readonly units: Uint16Array;
  /** Where the source of each unit starts in the caller's text. */
  readonly starts: Int32Array;
  /** Where it ends, exclusive. */
  readonly ends: Int32Array;
  readonly length: number;
}

/** Folds texts, one at a time. */
export class Folder {
  #text = new Aligned();
  #spare = new Aligned();

  /** Folds a text. */
  fold(text: string): Folded {
    this.#text.limitTo(text.length);
    this.#spare.limitTo(text.length);
    this.#text.load(text);
    this.#step((source, target) => normalizeForm("NFKC", source, target));
    this.#step(toLowerCase);
    // Small letters of composed ones may compose anew: İ.
    this.#step((source, target) => normalizeForm("NFKC", source, target));
    this.#clean();
    return this.#text;
  }

  /** A folded text as a string, without white space around: what a term is looked up by. */
  key(text: string): string {
    this.fold(text);
    return this.#text.text().trim();
  }

  #step(step: (source: Aligned, target: Aligned) => boolean): void {
    if (step(this.#text, this.#spare)) [this.#text, this.#spare] = [this.#spare, this.#text];
  }

  #clean(): void {
    const { units, starts, ends, length } = this.#text, table = kinds();
    let n = 0;
    for (let i = 0; i < length; i++) {
      let unit = units[i]!;
      if (INVISIBLE.has(unit)) continue;
      if (unit > 0x7e || unit <= 0x20) {
        if (HYPHENS.has(unit)) unit = 0x2d;
        else if (APOSTROPHES.has(unit)) unit = 0x27;
        else if (table.bmp[unit]! & BLANK) {
          if (n > 0 && units[n - 1] === 0x20) {
            ends[n - 1] = ends[i]!;
            continue;
          }
          unit = 0x20;
        }
      }
      units[n] = unit;
      starts[n] = starts[i]!;
      ends[n++] = ends[i]!;
    }
    this.#text.length = n;
  }
}

/** Whether the character at a place belongs to a word: a letter, a mark or a number. Either half of a pair may be asked. */
export function isWord(units: Uint16Array, at: number): boolean {
  const half = units[at]! & 0xfc00;
  const from = half === 0xdc00 ? at - 1 : at;
  if (kindAt(kinds(), units, from) & (LETTER | NUMBER)) return true;
  const unit = units[from]!;
  const flags = half === 0xd800 || half === 0xdc00
    ? flagsAbove(classes(), joinSurrogates(unit, units[from + 1]!))
    : classes().bmp[unit]!;
  return (flags & MARK) !== 0;
}
