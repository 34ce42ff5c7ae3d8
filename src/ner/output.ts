/**
 * What of its entities a caller wants to see, and how their places are counted.
 *
 * Strings of JavaScript count UTF-16 code units; Python, Rust's `chars` and many corpora count code points, and Go, Rust
 * and files count bytes of UTF-8. A lone surrogate is a code point, and the three bytes of what encoders write for it.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import { nearest } from "./check_options.ts";
import type { Entity } from "./entities.ts";
import type { OffsetUnit, OutputOptions } from "./options.ts";

/** Units between two places of a text. */
function count(text: string, from: number, to: number, unit: OffsetUnit): number {
  if (unit === "utf16") return to - from;
  let units = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    const pair = code >= 0xd800 && code < 0xdc00 && i + 1 < to &&
      (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (pair) i++;
    units += unit === "codepoint" ? 1 : pair ? 4 : code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
  }
  return units;
}

/** Places in a text that may come in pieces, in another unit. Places that ascend are counted in one pass. */
export class Offsets {
  readonly #unit: OffsetUnit;
  /** Text from `start` on, and the units before it. */
  #text = "";
  #start = 0;
  #before = 0;
  /** The last place that was asked for, and the units before it. */
  #place = 0;
  #units = 0;

  constructor(unit: OffsetUnit, text = "") {
    this.#unit = unit;
    this.#text = text;
  }

  /** Takes the next piece of the text. */
  add(piece: string): void {
    if (this.#unit !== "utf16") this.#text += piece;
  }

  /** Nothing before a place will be asked for any more. */
  forget(place: number): void {
    if (this.#unit === "utf16") return;
    this.#before = this.#at(place);
    this.#text = this.#text.slice(place - this.#start);
    this.#start = place;
  }

  #at(place: number): number {
    if (this.#unit === "utf16") return place;
    if (place < this.#place) this.#place = this.#start, this.#units = this.#before;
    const start = this.#start;
    this.#units += count(this.#text, this.#place - start, place - start, this.#unit);
    this.#place = place;
    return this.#units;
  }

  /** An entity with its places in the unit. */
  of<T extends { start: number; end: number }>(entity: T): T {
    return this.#unit === "utf16"
      ? entity
      : { ...entity, start: this.#at(entity.start), end: this.#at(entity.end) };
  }
}

/** Whether an entity is among those that are wanted. */
export function wanted({ minScore = 0, types }: OutputOptions): (entity: Entity) => boolean {
  return ({ type, score }) => score >= minScore && (types === undefined || types.includes(type));
}

/**
 * Throws {@link InputError} `input/option` for a type that no entity can have.
 *
 * @param method the call, as its user wrote it
 */
export function checkTypes(
  { types }: OutputOptions,
  known: readonly string[],
  method: string,
): void {
  const wrong = types?.find((type) => !known.includes(type));
  if (wrong === undefined) return;
  const meant = nearest(wrong, known);
  throw new InputError(
    "input/option",
    `${method}: types has ${show(wrong)}; ${
      meant === undefined ? `the model knows ${known.join(", ")}` : `${meant} was probably meant`
    }.`,
  );
}
