/**
 * brat's standoff format (https://brat.nlplab.org/standoff.html): a text in one file, and beside it `T1<TAB>MED 0
 * 12<TAB>প্যারাসিটামল` for each entity, by characters.
 *
 * A document is a line of the text here, as it is all over the command line, and the file's own offsets run on. brat
 * counts code points, as Python does; JavaScript's code units are counted anew. A type is a word of letters, digits,
 * `_` and `-` there; others are refused. Notes, relations, events and attributes (`#`, `R`, `E`, `A`, ...) are not entities and are not
 * read.
 *
 * Weak: brat has no scores.
 *
 * @module
 */
import { FormatError, InputError, show } from "../errors.ts";
import type { Span } from "../eval/spans.ts";
import { picture } from "./controls.ts";
import { inOrder, type LabelledTexts, linesOf } from "./text.ts";

/** Writes documents as the two files that brat has of a collection. */
export class BratWriter {
  #characters = 0;
  #entities = 0;

  /**
   * The next lines of both files.
   *
   * @param where how messages call the document
   * @throws {InputError} `input/labels` for a type that brat does not know as one
   */
  add(text: string, entities: readonly Span[], where: string): { text: string; ann: string } {
    const line = picture(text), begin = this.#characters;
    const ann = entities.map(({ type, start, end }) => {
      if (!/^[\p{L}\p{N}_-]+$/u.test(type)) {
        throw new InputError(
          "input/labels",
          `${where}: the type ${show(type)} is none in brat; expected letters, digits, _ and -.`,
        );
      }
      const from = begin + characters(line.slice(0, start));
      const to = from + characters(line.slice(start, end));
      return `T${++this.#entities}\t${type} ${from} ${to}\t${line.slice(start, end)}\n`;
    });
    this.#characters += characters(line) + 1;
    return { text: `${line}\n`, ann: ann.join("") };
  }
}

/** Code points. */
const characters = (text: string): number => Array.from(text).length;

/**
 * Reads both files; each line of the text is a document, blank ones are none.
 *
 * Throws {@link FormatError} that names file and line: `data/span` for an entity that is none, that is discontinuous, goes
 * over a line's end, or whose text is another than the file's; `data/overlap`.
 */
export function readBrat(ann: string, text: string, name: string, textName: string): LabelledTexts {
  // A byte order mark is a character that is counted.
  const lines = text.split("\n"), places: { at: number; line: number; unit: number }[] = [];
  for (let line = 0, unit = 0, i = 0; i <= text.length;) {
    places.push({ at: i, line, unit });
    const code = text.codePointAt(i) ?? 0, width = code > 0xffff ? 2 : 1;
    if (code === 10) line++, unit = 0;
    else unit += width;
    i += width;
  }
  const entities = lines.map((): Span[] => []);
  linesOf(ann).forEach((row, i) => {
    if (!row.startsWith("T")) return;
    const where = `${name}, line ${i + 1}`;
    const fail = (what: string): never => {
      throw new FormatError("data/span", `${where}: ${show(row)} ${what}`);
    };
    const [, body, own] = row.split("\t"), [type, from, to, ...more] = (body ?? "").split(/[ ;]/);
    if (own === undefined || !/^\d+$/.test(from ?? "") || !/^\d+$/.test(to ?? "")) {
      fail(
        "is no entity; expected T1, a type with a beginning and an end, and its text, tabs between.",
      );
    }
    if (more.length > 0) {
      fail("is in several parts; a token has one label, so only whole spans are read.");
    }
    const first = places[Number(from)], last = places[Number(to)];
    if (first === undefined || last === undefined || first.at >= last.at) {
      fail(`is no part of ${textName}, which has ${places.length - 1} characters.`);
    }
    const { at, line, unit } = first!, end = last!;
    if (text.slice(at, end.at) !== own) {
      fail(`reads ${show(text.slice(at, end.at))} in ${textName}; offsets count characters.`);
    }
    if (end.line !== line) {
      fail(`goes over the end of a line, and each line of ${textName} is a text.`);
    }
    entities[line]!.push({ type: type!, start: unit, end: unit + own!.length });
  });
  const texts = lines.flatMap((raw, i) => {
    const where = `${textName}, line ${i + 1}`, line = raw.replace(/\r$/, "");
    if (line.trim() === "") return [];
    return [{ text: line, entities: inOrder(entities[i]!, line, where), where }];
  });
  return { texts, warnings: [] };
}
