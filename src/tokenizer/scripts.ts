/**
 * UnicodeScripts: a word ends where the script changes.
 *
 * Characters that are of no script (the reference's table has none for unassigned ones, nor for a space) belong
 * to what stands before, and are dropped where nothing does; kana count as Han. Scripts are numbered as they were met when the table was made: only whether two
 * are the same matters.
 *
 * @module
 */

import type { Cut } from "./cuts.ts";
import { SCRIPTS } from "./script_tables.ts";
import { decode, joinSurrogates } from "./unicode.ts";

/** Where a run of characters of one script begins, and which script that is; 0: none. */
interface Scripts {
  readonly starts: Int32Array;
  readonly scripts: Uint8Array;
}

let table: Scripts | undefined;

function scripts(): Scripts {
  if (table) return table;
  const numbers = decode(SCRIPTS);
  const starts: number[] = [], found: number[] = [];
  for (let i = 0, at = 0; i < numbers.length;) {
    // The lowest bit says whether the script is that of the run before the last, or follows.
    const length = (numbers[i] >> 1) + 1;
    const script = numbers[i++] & 1 ? numbers[i++] : found[found.length - 2];
    starts.push(at);
    found.push(script);
    at += length;
  }
  return table = { starts: Int32Array.from(starts), scripts: Uint8Array.from(found) };
}

/** The script of a code point. */
function scriptOf({ starts, scripts }: Scripts, codePoint: number): number {
  let low = 0, high = starts.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (starts[mid] <= codePoint) low = mid + 1;
    else high = mid;
  }
  return scripts[low - 1];
}

/** The step of a UnicodeScripts. */
export function cutByScript(): Cut {
  return ({ units }, { bounds, length }, _, out) => {
    const all = scripts();
    for (let s = 0; s < length; s += 2) {
      const to = bounds[s + 1];
      let begin = -1, script = 0; // what stands before the first script is dropped
      for (let i = bounds[s]; i < to;) {
        const wide = (units[i] & 0xfc00) === 0xd800;
        const here = scriptOf(all, wide ? joinSurrogates(units[i], units[i + 1]) : units[i]);
        if (here !== 0 && here !== script) {
          if (begin >= 0) out.push(begin, i);
          begin = i;
          script = here;
        }
        i += wide ? 2 : 1;
      }
      if (begin >= 0) out.push(begin, to);
    }
    return false;
  };
}
