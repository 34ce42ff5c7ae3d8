/**
 * Pre-tokenizers beside BERT's: of bytes, Metaspace, scripts, and all that cut by regular expressions or tables.
 *
 * @module
 */

import { show } from "../errors.ts";
import { byteUnits, cutBytes } from "./byte_level.ts";
import { numeric } from "./categories.ts";
import type { Cut } from "./cuts.ts";
import { type Fields, invalid, readBoolean, readString } from "./fields.ts";
import { compileMetaspace } from "./metaspace.ts";
import { Regex } from "./regex/match.ts";
import type { Ranges } from "./regex/sets.ts";
import { cutByScript } from "./scripts.ts";
import { cutMatches, readBehavior, readPattern } from "./split.ts";
import { rangesOf } from "./unicode.ts";
import { PUNCTUATION } from "./unicode_tables.ts";

/** A step, and what it makes of white space. */
export interface Cutter {
  readonly cut: Cut;
  /** The unit that it writes for a space, where it does. */
  readonly blank?: number;
  /** Whether what comes out of it is bytes. */
  readonly byteLevel?: boolean;
}

/** Finds single characters. */
function ofSet(ranges: Ranges): Regex {
  return new Regex({ kind: "set", ranges }, "");
}

/** Compiles one; undefined for a type that is not known. */
export function compileCut(type: string, fields: Fields, where: string): Cutter | undefined {
  switch (type) {
    case "Punctuation":
      return { cut: cutMatches(ofSet(rangesOf(PUNCTUATION)), readBehavior(fields, where)) };
    case "Digits": {
      const alone = readBoolean(fields, "individual_digits", where);
      return { cut: cutMatches(ofSet(numeric()), alone ? "Isolated" : "Contiguous") };
    }
    case "Split": {
      const behavior = readBehavior(fields, where);
      const invert = readBoolean(fields, "invert", where);
      return { cut: cutMatches(readPattern(fields, where), behavior, invert) };
    }
    case "CharDelimiterSplit": {
      const delimiter = readString(fields, "delimiter", where), c = delimiter.codePointAt(0);
      if (c === undefined || String.fromCodePoint(c) !== delimiter) {
        throw invalid(`${where}.delimiter`, `expected one character, got ${show(delimiter)}`);
      }
      return { cut: cutMatches(ofSet([c, c + 1]), "Removed") };
    }
    case "UnicodeScripts":
      return { cut: cutByScript() };
    case "ByteLevel": {
      const prefix = readBoolean(fields, "add_prefix_space", where);
      const words = fields.use_regex === undefined || readBoolean(fields, "use_regex", where);
      return { cut: cutBytes(prefix, words), blank: byteUnits()[32], byteLevel: true };
    }
    case "Metaspace": {
      const { unit, cut } = compileMetaspace(fields, where);
      return { cut, blank: unit };
    }
  }
  return undefined;
}
