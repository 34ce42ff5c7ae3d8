/**
 * Whether a text shares a long stretch with texts that are held out for a test.
 *
 * A model that was pretrained on the sentences it is tested on looks better than it is. What is compared is letters
 * and digits alone, small ones and in compatibility form (NFKC), so that punctuation, spacing and case hide nothing. A text
 * shares something if `length` of them in a row stand in a held-out text; a held-out text that is shorter counts as
 * a whole, if the text is the same.
 *
 * Every stretch of the held-out texts is a rolling hash of 53 bits in a set (Karp and Rabin 1987): some 40 bytes a
 * character. That two stretches differ and their hashes do not happens once in 10^15 comparisons with one stretch.
 *
 * @module
 */
import { InputError, show } from "../../errors.ts";

/** Multipliers of the two hashes, odd; Knuth's and xxHash's. */
const BASES = [0x9e3779b1, 0x85ebca77] as const;

/** Held-out texts, to which others are compared. */
export class HeldOut {
  readonly #length: number;
  /** The multipliers to the power of the length less 1: what leaves a window is taken out times this. */
  readonly #powers: readonly number[];
  readonly #seen = new Set<number>();

  /** `length`: letters and digits in a row that are too many to share. Throws {@link InputError} `input/option`. */
  constructor(length: number) {
    if (!Number.isInteger(length) || length < 8 || length > 10_000) {
      throw new InputError(
        "input/option",
        `the length of a shared stretch is ${show(length)}; expected 8 to 10,000.`,
      );
    }
    this.#length = length;
    this.#powers = BASES.map((base) => {
      let power = 1;
      for (let i = 1; i < length; i++) power = Math.imul(power, base);
      return power;
    });
  }

  /** Stretches that are known. */
  get size(): number {
    return this.#seen.size;
  }

  /** Holds a text out. */
  add(text: string): void {
    for (const hash of this.#hashes(lettersOf(text))) this.#seen.add(hash);
  }

  /** Whether a text shares a stretch with one that is held out. */
  shares(text: string): boolean {
    for (const hash of this.#hashes(lettersOf(text))) if (this.#seen.has(hash)) return true;
    return false;
  }

  /** The hash of each stretch, or of the whole where it is shorter than one. */
  *#hashes(letters: string): Generator<number> {
    const size = this.#length, [first, second] = BASES, [firstPower, secondPower] = this.#powers;
    let a = 0, b = 0;
    for (let i = 0; i < letters.length; i++) {
      if (i >= size) {
        const old = letters.charCodeAt(i - size) + 1;
        a = (a - Math.imul(old, firstPower!)) | 0;
        b = (b - Math.imul(old, secondPower!)) | 0;
      }
      // 1 is added so that what is nothing and what is NUL differ.
      const code = letters.charCodeAt(i) + 1;
      a = (Math.imul(a, first) + code) | 0;
      b = (Math.imul(b, second) + code) | 0;
      if (i >= size - 1) yield join(a, b);
    }
    if (letters.length > 0 && letters.length < size) yield join(a, b);
  }
}

/** 53 bits of two hashes as a number. */
function join(a: number, b: number): number {
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

/** What counts when texts are compared. */
function lettersOf(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{M}\p{N}]+/gu, "");
}
