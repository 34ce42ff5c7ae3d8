/**
 * Tokens that remember which of them begin a word: an id and one bit, in 32.
 *
 * A corpus is tokenized once and read many times, and which tokens are masked is drawn anew each time. Whole words
 * are masked, so a token has to say whether it goes on with the word of the one before it.
 *
 * @module
 */

/** A token of id `id`; `inside`: it goes on with the word of the token before it. */
export function mark(id: number, inside: boolean): number {
  return id * 2 + Number(inside);
}

/** The id of a marked token. */
export function idOf(marked: number): number {
  return marked >>> 1;
}

/** Whether a marked token goes on with the word of the one before it. */
export function insideWord(marked: number): boolean {
  return (marked & 1) === 1;
}
