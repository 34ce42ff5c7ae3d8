/**
 * What trimming a vocabulary does to the tokens of texts, measured and not assumed.
 *
 * @module
 */
import type { Tokenizer } from "../tokenizer/types.ts";

/** How a tokenizer's result changed on some texts. */
export interface TokenChange {
  /** Texts compared. */
  readonly texts: number;
  /** Texts with any token changed. */
  readonly changedTexts: number;
  /** Tokens before. */
  readonly before: number;
  /** Tokens after: a dropped piece becomes several. */
  readonly after: number;
  /** Tokens before that are not there any more with the same piece and place. */
  readonly changed: number;
  /** Unknown tokens before. */
  readonly unknownBefore: number;
  /** Unknown tokens after. */
  readonly unknownAfter: number;
}

function occurrences(ids: Int32Array, id: number): number {
  let n = 0;
  for (const one of ids) if (one === id) n++;
  return n;
}

/** Compares two tokenizers on texts, one after the other. */
export class TokenMeter {
  readonly #before: Tokenizer;
  readonly #after: Tokenizer;
  readonly #sum = {
    texts: 0,
    changedTexts: 0,
    before: 0,
    after: 0,
    changed: 0,
    unknownBefore: 0,
    unknownAfter: 0,
  };

  /** Makes a meter for a tokenizer and its trimmed form. */
  constructor(before: Tokenizer, after: Tokenizer) {
    this.#before = before;
    this.#after = after;
  }

  /** Compares one text; true if no token changed. */
  add(text: string): boolean {
    const a = this.#before.encode(text), b = this.#after.encode(text), sum = this.#sum;
    let changed = 0;
    // Both lists are in the order of the text; the word that a token is of keeps them side by side.
    for (let i = 0, from = 0; i < a.ids.length; i++) {
      while (from < b.ids.length && b.words[from]! < a.words[i]!) from++;
      let found = false;
      for (let j = from; j < b.ids.length && b.words[j] === a.words[i] && !found; j++) {
        found = a.starts[i] === b.starts[j] && a.ends[i] === b.ends[j] &&
          this.#before.idToToken(a.ids[i]!) === this.#after.idToToken(b.ids[j]!);
      }
      if (!found) changed++;
    }
    const same = changed === 0 && a.ids.length === b.ids.length;
    sum.texts++;
    if (!same) sum.changedTexts++;
    sum.before += a.ids.length;
    sum.after += b.ids.length;
    sum.changed += changed;
    sum.unknownBefore += occurrences(a.ids, this.#before.unk);
    sum.unknownAfter += occurrences(b.ids, this.#after.unk);
    return same;
  }

  /** The sums so far. */
  get value(): TokenChange {
    return { ...this.#sum };
  }
}
