/**
 * Training data a token a line: `token<TAB>tag`, a blank line between texts, as CoNLL's shared tasks have them.
 *
 * Columns are separated by tabs or, in a file without any, by spaces; the first is the token, the last its tag, and
 * what lies between is not read. `-DOCSTART-` lines are skipped. Tags are read as `crf/scheme.ts` reads a model's
 * labels: BIO, IOB1, BIOES, BILOU or plain, told from the tags' own names. As in conlleval, an entity begins
 * wherever a tag continues none, which reads IOB1 right, too.
 *
 * A text is its tokens with a space between. A tokenizer that cuts at punctuation gives the same tokens for
 * `disease :` as for `disease:`, so little is lost.
 *
 * Weak: one that does not (SentencePiece) sees spaces here that no user writes, and a word that the file cuts in two
 * (`ca n't`) is two words. JSON lines with the text as it stood are better.
 *
 * @module
 */
import { FormatError, show } from "../../errors.ts";
import { mayFollow, parseTags, spansOf, type Tag } from "../../crf/scheme.ts";
import { type LabelledText, type LabelledTexts, linesOf } from "./text.ts";

/** One text's tokens and tags. */
interface Sentence {
  readonly line: number;
  readonly tokens: string[];
  readonly tags: string[];
}

/** A label with a prefix, and one that any scheme may have beside. */
const PREFIXED = /^[BIESLU]-./s, OUTSIDE = /^(O|\[(PAD|CLS|SEP)\]|<(pad|s|\/s)>|PAD)$/i;

/**
 * Reads a file of tokens and tags.
 *
 * Throws {@link FormatError} `data/tag` that names file and line: for a line without a tag, and for a tag without
 * a prefix among tags that have one.
 */
export function readConll(content: string, name: string): LabelledTexts {
  const sentences = sentencesOf(linesOf(content), content.includes("\t") ? /\t/ : / +/, name);
  const lines = new Map<string, number>();
  for (const { tags, line } of sentences) {
    tags.forEach((tag, i) => lines.has(tag) || lines.set(tag, line + i));
  }
  checkNames(lines, name);
  const labels = [...lines.keys()], tags = parseTags(labels);
  const column = new Map(labels.map((label, i) => [label, i]));
  const slips: number[] = [];
  const texts = sentences.map((sentence): LabelledText => {
    const path = sentence.tags.map((tag) => column.get(tag)!);
    path.forEach((to, i) => {
      const from: Tag | undefined = i === 0 ? undefined : tags[path[i - 1]!];
      if (!mayFollow(from, tags[to]!, tags)) slips.push(sentence.line + i);
    });
    const starts: number[] = [];
    let text = "";
    for (const token of sentence.tokens) {
      if (text !== "") text += " ";
      starts.push(text.length);
      text += token;
    }
    const entities = spansOf(path, tags).map(({ type, first, last }) => ({
      type,
      start: starts[first]!,
      end: starts[last]! + sentence.tokens[last]!.length,
    }));
    return { text, entities, where: `${name}, line ${sentence.line}` };
  });
  const warnings = slips.length === 0 ? [] : [
    `${name}: ${slips.length} ${slips.length === 1 ? "tag continues" : "tags continue"} nothing ` +
    `(the first in line ${slips[0]}); an entity begins there`,
  ];
  return { texts, warnings };
}

function sentencesOf(lines: readonly string[], separator: RegExp, name: string): Sentence[] {
  const sentences: Sentence[] = [];
  let open: Sentence | undefined;
  lines.forEach((raw, i) => {
    const line = raw.trimEnd(), columns = line.split(separator);
    if (line.trim() === "" || columns[0] === "-DOCSTART-") {
      open = undefined;
      return;
    }
    const token = columns[0]!.trim(), tag = columns.at(-1)!.trim();
    if (columns.length < 2 || token === "" || tag === "") {
      throw new FormatError(
        "data/tag",
        `${name}, line ${i + 1}: ${
          show(raw)
        } is not a token and its tag; expected two columns with ` +
          "a tab between.",
      );
    }
    if (open === undefined) sentences.push(open = { line: i + 1, tokens: [], tags: [] });
    open.tokens.push(token);
    open.tags.push(tag);
  });
  return sentences;
}

/** A slip of the pen among tags with prefixes would make all of them plain, each a type of its own. */
function checkNames(lines: ReadonlyMap<string, number>, name: string): void {
  const tags = [...lines.keys()];
  if (!tags.some((tag) => /^[BI]-./s.test(tag))) return;
  const odd = tags.find((tag) => !PREFIXED.test(tag) && !OUTSIDE.test(tag));
  if (odd === undefined) return;
  throw new FormatError(
    "data/tag",
    `${name}, line ${lines.get(odd)}: the tag ${
      show(odd)
    } has no prefix, though others have one; ` +
      "expected O, or a type behind B-, I-, E-, S-, L- or U-.",
  );
}
