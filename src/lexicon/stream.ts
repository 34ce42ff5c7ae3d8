/**
 * Matches in a text that comes in parts: those of the whole.
 *
 * A term may lie across two parts, so the matcher looks no further than where what is still to come cannot change
 * what it finds; the next part begins there.
 *
 * @module
 */
import type { Match, Matcher } from "./matcher.ts";

/** Finds matches part by part. */
export class MatchStream {
  readonly #finder: Pick<Matcher, "part">;
  /** Where each list's next match may begin. */
  readonly #free = new Map<number, number>();
  #looked = 0;

  /** Nothing has been looked at yet. */
  constructor(finder: Pick<Matcher, "part">) {
    this.#finder = finder;
  }

  /** Where, in the whole, the next part has to begin: all matches that begin before have been given. */
  get looked(): number {
    return this.#looked;
  }

  /** Matches in the text from {@link looked} on, their places those in the whole; `ended`: there is no more. */
  look(text: string, ended: boolean): Match[] {
    const base = this.#looked;
    const free = new Map([...this.#free].map(([list, place]) => [list, place - base]));
    const { matches, until } = this.#finder.part(text, free, ended);
    for (const [list, place] of free) this.#free.set(list, place + base);
    this.#looked = base + until;
    return matches.map((match) => ({
      ...match,
      start: match.start + base,
      end: match.end + base,
    }));
  }
}
