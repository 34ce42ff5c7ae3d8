/**
 * A text on its way through normalization, each of its code units knowing where it came from.
 *
 * Three parallel arrays: the UTF-16 code units of the text as it is now, and for each of them the start and
 * end, in the caller's string, of what it was made of. A step that deletes a character drops its elements; a
 * step that turns one character into two gives both the same source. Positions are code units rather than
 * code points, so a token's place needs no conversion at the end.
 *
 * Weak point: three stores a unit and ten bytes of scratch. It is kept between calls (small texts are the
 * usual ones) and given up after a large one.
 *
 * @module
 */

import { TokenizerError } from "../errors.ts";

/**
 * How many times its length a text may grow to. Compatibility decomposition makes 18 units of one, spaces
 * around ideographs 3; a hundred replacements in a row, each of one letter by two, would fill any memory.
 */
const MAX_GROWTH = 64;

/** Code units that remember their source. Both `starts` and `ends` never decrease. */
export class Aligned {
  /** UTF-16 code units; surrogates only ever in pairs. The first `length` count. */
  units: Uint16Array = new Uint16Array(0);
  /** Where the source of each unit starts. The two halves of a pair share theirs. */
  starts: Int32Array = new Int32Array(0);
  /** Where the source of each unit ends, exclusive. */
  ends: Int32Array = new Int32Array(0);
  /** How many units there are. */
  length = 0;
  private limit = Infinity;

  /**
   * Bounds what normalization may make of `units` of a caller's text. Checked whatever room there is, so that
   * a text is refused, or not, regardless of those before it.
   */
  limitTo(units: number): void {
    this.limit = MAX_GROWTH * units + 1024;
  }

  /** Makes room for `size` units in all; what is there stays. @throws {TokenizerError} beyond the limit */
  reserve(size: number): void {
    if (size > this.limit) {
      throw new TokenizerError(
        "tokenizer/growth",
        `the normalizer makes a text more than ${MAX_GROWTH} times as long as it was`,
      );
    }
    if (size <= this.units.length) return;
    const { units, starts, ends, length } = this;
    const capacity = Math.max(64, size, units.length * 2);
    this.units = new Uint16Array(capacity);
    this.starts = new Int32Array(capacity);
    this.ends = new Int32Array(capacity);
    const kept = Math.min(length, units.length);
    this.units.set(units.subarray(0, kept));
    this.starts.set(starts.subarray(0, kept));
    this.ends.set(ends.subarray(0, kept));
  }

  /** Gives memory back if there is much of it. */
  release(): void {
    this.length = 0;
    if (this.units.length <= 0x10000) return;
    this.units = new Uint16Array(0);
    this.starts = new Int32Array(0);
    this.ends = new Int32Array(0);
  }

  /** Takes a whole string, each unit its own source, each pair one source, a lone surrogate as U+FFFD. */
  load(text: string): void {
    const n = text.length;
    this.length = 0;
    this.reserve(n);
    this.length = n;
    const { units, starts, ends } = this;
    for (let i = 0; i < n; i++) {
      const unit = text.charCodeAt(i);
      units[i] = unit;
      starts[i] = i;
      ends[i] = i + 1;
      if ((unit & 0xf800) !== 0xd800) continue;
      const next = i + 1 < n && unit < 0xdc00 ? text.charCodeAt(i + 1) : 0;
      if ((next & 0xfc00) !== 0xdc00) {
        units[i] = 0xfffd;
        continue;
      }
      ends[i] = i + 2;
      units[i + 1] = next;
      starts[i + 1] = i;
      ends[i + 1] = i + 2;
      i++;
    }
  }

  /** Appends units `from` to `to` of another text, sources and all. */
  append(source: Aligned, from: number, to: number): void {
    const at = this.length;
    this.length = at + to - from;
    this.reserve(this.length);
    // Not TypedArray.set: most calls copy a few units, and three views would cost more than that.
    const { units, starts, ends } = this;
    for (let i = from, j = at; i < to; i++, j++) {
      units[j] = source.units[i];
      starts[j] = source.starts[i];
      ends[j] = source.ends[i];
    }
  }

  /** Appends a string all of whose units come from `start` to `end`. */
  appendText(text: string, start: number, end: number): void {
    const at = this.length;
    this.reserve(at + text.length);
    for (let i = 0; i < text.length; i++) this.units[at + i] = text.charCodeAt(i);
    this.starts.fill(start, at, at + text.length);
    this.ends.fill(end, at, at + text.length);
    this.length = at + text.length;
  }

  /** The units `from` to `to` as a string. In slices: an argument list has a limit. */
  text(from = 0, to: number = this.length): string {
    let out = "";
    // The usual call is for two or three units.
    if (to - from < 8) {
      for (let i = from; i < to; i++) out += String.fromCharCode(this.units[i]);
      return out;
    }
    for (let i = from; i < to; i += 4096) {
      out += String.fromCharCode(...this.units.subarray(i, Math.min(i + 4096, to)));
    }
    return out;
  }
}

/**
 * One step of a normalizer. True if the result is in `target`; false if it is in `source`, unchanged or changed in place.
 * Whichever it is, the other's content is lost.
 */
export type Step = (source: Aligned, target: Aligned) => boolean;
