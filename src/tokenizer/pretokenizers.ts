/**
 * Pre-tokenizers: where a normalized text is cut into words. The `pre_tokenizer` of a file becomes a list of
 * steps; what each does is told where it is written.
 *
 * @module
 */

import { show } from "../errors.ts";
import { byteUnits, cutBytes } from "./byte_level.ts";
import { numeric } from "./categories.ts";
import { ALONE, type ClassTable, type Cut, cutByClass, decide, DROPPED } from "./cuts.ts";
import {
  invalid,
  MAX_DEPTH,
  readArray,
  readBoolean,
  readObject,
  readString,
  readType,
  unsupported,
} from "./fields.ts";
import { compileMetaspace } from "./metaspace.ts";
import { Regex } from "./regex/match.ts";
import type { Ranges } from "./regex/sets.ts";
import { cutByScript } from "./scripts.ts";
import { cutMatches, readBehavior, readPattern } from "./split.ts";
import { PUNCTUATION, rangesOf, SPACE, WORD } from "./unicode.ts";
import { PUNCTUATION as PUNCTUATION_TABLE } from "./unicode_tables.ts";

/** A compiled pre-tokenizer. */
export interface PreTokenizer {
  readonly steps: readonly Cut[];
  /** Units of the final text that stand for white space. */
  readonly blanks: ReadonlySet<number>;
  /** Whether the final text is of bytes. */
  readonly byteLevel: boolean;
  /** Whether it has spaces written as letters. */
  readonly writesSpaces: boolean;
}

const SUPPORTED = "BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation, Digits, Split, " +
  "CharDelimiterSplit, UnicodeScripts, ByteLevel, Metaspace, Sequence, null";

/** Compiles the `pre_tokenizer` of a tokenizer.json. Null: the whole text is one word. */
export function compilePreTokenizer(spec: unknown): PreTokenizer {
  const compiler = new Compiler();
  compiler.compile(spec, "pre_tokenizer", 0);
  return compiler;
}

/** Finds single characters. */
function ofSet(ranges: Ranges): Regex {
  return new Regex({ kind: "set", ranges }, "");
}

class Compiler implements PreTokenizer {
  readonly steps: Cut[] = [];
  blanks: Set<number> = new Set([32, 0x2581]);
  byteLevel = false;
  writesSpaces = false;
  private table: ClassTable | undefined; // of the last step, if that has one

  compile(spec: unknown, where: string, depth: number): void {
    if (spec === null || spec === undefined) return;
    if (depth > MAX_DEPTH) throw invalid(where, `nested more than ${MAX_DEPTH} deep`);
    const fields = readObject(spec, where);
    const type = readType(fields, where);
    if (type === "Sequence") {
      readArray(fields.pretokenizers, `${where}.pretokenizers`).forEach((part, i) => {
        this.compile(part, `${where}.pretokenizers[${i}]`, depth + 1);
      });
      return;
    }
    switch (type) {
      case "BertPreTokenizer":
        this.decide(SPACE, DROPPED);
        return this.decide(PUNCTUATION, ALONE);
      case "WhitespaceSplit":
        return this.decide(SPACE, DROPPED);
      case "Whitespace": // `\w+|[^\w\s]+`: runs of word characters and runs of others
        this.decide(SPACE, DROPPED);
        return this.decide(WORD, 1);
      case "Punctuation": {
        const behavior = fields.behavior === undefined ? "Isolated" : readBehavior(fields, where);
        if (behavior === "Isolated") return this.decide(PUNCTUATION, ALONE);
        return this.step(cutMatches(ofSet(rangesOf(PUNCTUATION_TABLE)), behavior));
      }
      case "Digits": {
        const alone = readBoolean(fields, "individual_digits", where);
        return this.step(cutMatches(ofSet(numeric()), alone ? "Isolated" : "Contiguous"));
      }
      case "Split": {
        const behavior = readBehavior(fields, where);
        const invert = readBoolean(fields, "invert", where);
        return this.step(cutMatches(readPattern(fields, where), behavior, invert));
      }
      case "CharDelimiterSplit": {
        const delimiter = readString(fields, "delimiter", where), c = delimiter.codePointAt(0);
        if (c === undefined || String.fromCodePoint(c) !== delimiter) {
          throw invalid(`${where}.delimiter`, `expected one character, got ${show(delimiter)}`);
        }
        return this.step(cutMatches(ofSet([c, c + 1]), "Removed"));
      }
      case "UnicodeScripts":
        return this.step(cutByScript());
      case "ByteLevel": {
        const prefix = readBoolean(fields, "add_prefix_space", where);
        const words = fields.use_regex === undefined || readBoolean(fields, "use_regex", where);
        this.step(cutBytes(prefix, words));
        this.byteLevel = this.writesSpaces = true;
        this.blanks = new Set([byteUnits()[32]]);
        return;
      }
      case "Metaspace": {
        const { unit, cut } = compileMetaspace(fields, where);
        this.blanks.add(unit);
        this.writesSpaces = true;
        return this.step(cut);
      }
    }
    throw unsupported(where, `pre-tokenizer ${type}`, SUPPORTED);
  }

  private step(cut: Cut): void {
    this.steps.push(cut);
    this.table = undefined;
  }

  private decide(flag: number, kind: number): void {
    if (this.table === undefined) {
      const table = new Uint8Array(8);
      this.step(cutByClass(table));
      this.table = table;
    }
    decide(this.table!, flag, kind);
  }
}
