/**
 * The characters that a regular expression can name: general categories, `\s`, `\d`, `\w`, some scripts.
 *
 * As Oniguruma has them, whose Unicode is a later one than that of the reference's other parts.
 *
 * @module
 */

import * as data from "./category_tables.ts";
import { type Ranges, union } from "./regex/sets.ts";
import { decode, rangesOf } from "./unicode.ts";
import { SPACE } from "./unicode_tables.ts";

const NAMES =
  ("Cn Lo Ll Lu Mn Mc Me Nd Nl No Lm Lt Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co")
    .split(" ");

let runs: number[] | undefined;

/** Characters whose category is one of some. */
function categories(wanted: (name: string) => boolean): Ranges {
  runs ??= decode(data.CATEGORIES);
  const is = NAMES.map(wanted);
  const out: number[] = [];
  let at = 0, inside = false;
  for (const run of runs) {
    const here = is[run % NAMES.length];
    if (here !== inside) {
      out.push(at);
      inside = here;
    }
    at += 1 + Math.floor(run / NAMES.length);
  }
  if (inside) out.push(at);
  return out;
}

const SCRIPTS: Readonly<Record<string, string>> = {
  Han: data.HAN,
  Hiragana: data.HIRAGANA,
  Katakana: data.KATAKANA,
  Hangul: data.HANGUL,
};

/** `\s`, `\d`, `\w`, a category (`Lu`), a group of them (`L`), or a script; undefined for anything else. */
export function characters(name: string): Ranges | undefined {
  if (name === "\\s") return rangesOf(SPACE);
  if (name === "\\d") return categories((category) => category === "Nd");
  if (name === "\\w") {
    return union(categories((name) => /L|M|Nd|Nl|Pc/.test(name)), rangesOf(data.WORD_MORE));
  }
  if (Object.hasOwn(SCRIPTS, name)) return rangesOf(SCRIPTS[name]);
  if (!/^(?:[CLMNPSZ]|[A-Z][a-z])$/.test(name)) return undefined;
  if (name.length === 2 && !NAMES.includes(name)) return undefined;
  return categories((category) => category.startsWith(name));
}

/** Characters with a numeric category, as Rust's `char::is_numeric` has it. */
export function numeric(): Ranges {
  return union(characters("N")!, rangesOf(data.NUMERIC_MORE));
}
