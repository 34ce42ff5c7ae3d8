/**
 * Pre-tokenizers: where a normalized text is cut into words. The `pre_tokenizer` of a file becomes a list of
 * steps; what each does is told where it is written. BERT's own are here, which all of its models have; those that take
 * tables or regular expressions are in `cutters.ts`, and a build without them refuses them (`components.ts`).
 *
 * @module
 */

import { compileCut } from "./components.ts";
import { ALONE, type ClassTable, type Cut, cutByClass, decide, DROPPED } from "./cuts.ts";
import { invalid, MAX_DEPTH, readArray, readObject, readType, unsupported } from "./fields.ts";
import { PUNCTUATION, SPACE, WORD } from "./unicode.ts";

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
      case "Punctuation":
        if (fields.behavior === undefined || fields.behavior === "Isolated") {
          return this.decide(PUNCTUATION, ALONE);
        }
    }
    const other = compileCut(type, fields, where);
    if (other === undefined) throw unsupported(where, `pre-tokenizer ${type}`, SUPPORTED);
    this.step(other.cut);
    if (other.byteLevel) this.byteLevel = true, this.blanks.clear();
    if (other.blank !== undefined) this.blanks.add(other.blank), this.writesSpaces = true;
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
