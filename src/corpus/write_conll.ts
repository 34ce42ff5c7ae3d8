/**
 * Texts with entities as tokens and tags: CoNLL-2003's two columns (`bio`), and CoNLL-U Plus (`conll`), which keeps the
 * texts as they stood.
 *
 * Tokens are words and what stands between them (UAX #29), cut once more where an entity begins or ends inside a word. Tags
 * are IOB2, the scheme of all that is called CoNLL today.
 *
 * `bio` has a token and its tag in a line, a tab between, and a blank line behind each text; a reader puts a space
 * between tokens. `conll` declares its columns (`# global.columns = ID FORM NER MISC`; without the number, a token `#` would
 * begin a line as comments do), has each text (`# text = ...`) and says where no space follows (`SpaceAfter=No`), as
 * https://universaldependencies.org/ext-format.html has it, so that what is read back has the same offsets. Line ends, tabs
 * and other control characters of a text would be structure there: spaces and pictures stand for them, one for one.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import type { Span } from "../eval/spans.ts";
import { wordBreaks } from "../segment/words.ts";
import { picture } from "./controls.ts";
import { inOrder } from "./text.ts";

/** What a file of CoNLL-U Plus begins with. */
export const CONLL_COLUMNS = "# global.columns = ID FORM NER MISC\n";

/** A token and its tag. */
interface Row {
  readonly start: number;
  readonly end: number;
  readonly tag: string;
}

/** Tokens of a text with their tags. Throws FormatError `data/overlap`, {@link InputError} `input/labels`. */
function rowsOf(text: string, entities: readonly Span[], where: string): Row[] {
  const sorted = inOrder(entities, text, where);
  for (const { type } of sorted) {
    if (/[\s\p{Cc}]/u.test(type)) {
      throw new InputError(
        "input/labels",
        `${where}: the type ${show(type)} has white space in it, which ends a column.`,
      );
    }
  }
  const edges = new Set([...wordBreaks(text), ...sorted.flatMap(({ start, end }) => [start, end])]);
  const places = [...edges, text.length].sort((a, b) => a - b), rows: Row[] = [];
  let next = 0;
  for (let i = 0; i + 1 < places.length; i++) {
    const start = places[i]!, end = places[i + 1]!;
    if (text.slice(start, end).trim() === "") continue;
    while (next < sorted.length && sorted[next]!.end <= start) next++;
    const entity = sorted[next];
    const inside = entity !== undefined && entity.start < end && start < entity.end;
    // White space at an entity's beginning is no token: its first row begins it.
    const first = inside && text.slice(entity.start, start).trim() === "";
    rows.push({ start, end, tag: inside ? `${first ? "B" : "I"}-${entity.type}` : "O" });
  }
  return rows;
}

/** White space of one unit, for what columns and lines are made with; pictures for other control characters. */
function plain(text: string): string {
  return picture(text.replace(/\s/g, " "));
}

/** A text in two columns, a blank line behind it; a text without a token is none. Throws as {@link conllOf}. */
export function bioOf(text: string, entities: readonly Span[], where: string): string {
  const rows = rowsOf(text, entities, where);
  if (rows.length === 0) return "";
  return rows.map(({ start, end, tag }) => `${plain(text.slice(start, end)).trim()}\t${tag}\n`)
    .join("") + "\n";
}

/**
 * A text in CoNLL-U Plus, a blank line behind it; a text without a token is none.
 *
 * @param where how messages call it
 * @throws {FormatError} `data/overlap` for entities that overlap, {@link InputError} `input/labels` for a type with white
 * space in it
 */
export function conllOf(text: string, entities: readonly Span[], where: string): string {
  const rows = rowsOf(text, entities, where);
  if (rows.length === 0) return "";
  const lines = rows.map(({ start, end, tag }, i) => {
    const joined = end === (rows[i + 1]?.start ?? -1);
    const form = plain(text.slice(start, end)).trim();
    return `${i + 1}\t${form}\t${tag}\t${joined ? "SpaceAfter=No" : "_"}\n`;
  });
  return `# text = ${plain(text)}\n${lines.join("")}\n`;
}
