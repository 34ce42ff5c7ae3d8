/**
 * Labelled texts a token a line: `token<TAB>tag`, a blank line between texts, as CoNLL's shared tasks have them.
 *
 * Columns are separated by tabs or, in a file without any, by spaces; the first is the token, the last its tag, and
 * what lies between is not read. `-DOCSTART-` lines are skipped. A file of predictions has two tags at its end, the gold
 * one and the predicted one. Tags are read as `crf/scheme.ts` reads a model's
 * labels: BIO, IOB1, BIOES, BILOU or plain, told from the tags' own names. As in conlleval, an entity begins
 * wherever a tag continues none, which reads IOB1 right, too.
 *
 * CoNLL-U Plus, which declares its columns (`# global.columns = ...`), is read by them: FORM, the column whose name is
 * NER, and `# text = ...`, in which the tokens are found one after the other, so that the text is as it stood.
 *
 * Else a text is its tokens with a space between. A tokenizer that cuts at punctuation gives the same tokens for
 * `disease :` as for `disease:`, so little is lost.
 *
 * Weak: one that does not (SentencePiece) sees spaces here that no user writes, and a word that the file cuts in two
 * (`ca n't`) is two words. JSON lines with the text as it stood are better.
 *
 * @module
 */
import { FormatError, InputError, show } from "../errors.ts";
import { mayFollow, parseTags, spansOf, type Tag } from "../crf/scheme.ts";
import { type LabelledText, type LabelledTexts, linesOf } from "./text.ts";

/** One text's rows. */
interface Sentence {
  /** The line of its first row; the others follow. */
  readonly line: number;
  /** The columns of each row, two or more. */
  readonly rows: (readonly string[])[];
  /** The text, where a comment has it. */
  readonly text: string | undefined;
}

/** What a file of CoNLL-U Plus begins with, and what has a text there. */
const DECLARED = /^# global\.columns = (.*)$/m, COMMENTED = /^# text = (.*)$/;

/** Whether a file declares its columns, and so says what it holds. */
export function declaresColumns(content: string): boolean {
  return DECLARED.test(content.slice(0, 1 + content.indexOf("\n")));
}

/** Which columns of a file that declares them are tokens and tags. */
function columnsOf(content: string, name: string): { form: number; tag: number } | undefined {
  if (!declaresColumns(content)) return undefined;
  const columns = DECLARED.exec(content)![1]!.trim().split(/ +/);
  const form = columns.indexOf("FORM"), tag = columns.findIndex((one) => /(^|:)NER$/.test(one));
  if (form >= 0 && tag >= 0) return { form, tag };
  throw new FormatError(
    "data/tag",
    `${name}, line 1: declares ${columns.join(", ")}; expected FORM and NER among its columns.`,
  );
}

/** A text and where its tokens begin in it. */
function placed(
  { tokens, text }: { readonly tokens: readonly string[]; readonly text: string | undefined },
  where: string,
): { text: string; starts: number[] } {
  const starts: number[] = [];
  if (text === undefined) {
    let joined = "";
    for (const token of tokens) {
      if (joined !== "") joined += " ";
      starts.push(joined.length);
      joined += token;
    }
    return { text: joined, starts };
  }
  let at = 0;
  for (const token of tokens) {
    const start = text.indexOf(token, at);
    if (start < 0 || text.slice(at, start).trim() !== "") {
      throw new FormatError(
        "data/tag",
        `${where}: the token ${show(token)} is not what follows in the text ${show(text)}.`,
      );
    }
    starts.push(start);
    at = start + token.length;
  }
  return { text, starts };
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
  const declared = columnsOf(content, name);
  const sentences = sentencesOf(content, name, TRAINING, declared !== undefined).map((
    { line, rows, text },
  ) => ({
    line,
    text,
    tokens: rows.map((columns) => columns[declared?.form ?? 0]!),
    tags: rows.map((columns) => columns.at(declared?.tag ?? -1)!),
  }));
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
    const { text, starts } = placed(sentence, `${name}, line ${sentence.line}`);
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

/** What the rows of a kind of file are made of. */
interface Kind {
  /** How many columns that takes. */
  readonly columns: number;
  /** For messages. */
  readonly called: string;
  readonly expected: string;
}

const TRAINING: Kind = { columns: 2, called: "a token and its tag", expected: "two columns" };
const PREDICTIONS: Kind = {
  columns: 3,
  called: "a token, its gold tag and its predicted one",
  expected: "three columns",
};

function sentencesOf(
  content: string,
  name: string,
  kind: Kind,
  comments = false,
): Sentence[] {
  const separator = content.includes("\t") ? /\t/ : / +/, sentences: Sentence[] = [];
  let open: Sentence | undefined, text: string | undefined;
  linesOf(content).forEach((raw, i) => {
    if (comments && raw.startsWith("# ")) {
      text = COMMENTED.exec(raw)?.[1] ?? text;
      return;
    }
    const line = raw.trimEnd(), columns = line.split(separator).map((column) => column.trim());
    if (line.trim() === "" || columns[0] === "-DOCSTART-") {
      open = text = undefined;
      return;
    }
    const read = [columns[0], ...columns.slice(1 - kind.columns)];
    if (columns.length < kind.columns || read.includes("")) {
      throw new FormatError(
        "data/tag",
        `${name}, line ${i + 1}: ${show(raw)} is not ${kind.called}; expected ${kind.expected} ` +
          "with a tab between.",
      );
    }
    if (open === undefined) sentences.push(open = { line: i + 1, rows: [], text });
    open.rows.push(columns);
  });
  return sentences;
}

/** Tag sequences of a file that has gold and predicted tags side by side. */
export interface TagPairs {
  /** Gold tags by sentence and token. */
  readonly gold: readonly (readonly string[])[];
  /** Predicted tags; lengths are those of the gold ones. */
  readonly predicted: readonly (readonly string[])[];
  /** How messages call a token, by sentence and place, both from 0: `out.tsv, line 7`. */
  readonly where: (sentence: number, token: number) => string;
}

/**
 * Reads gold and predicted tags: the last two columns, as conlleval takes them; the first is the token. Tags are not
 * looked at.
 *
 * Throws {@link FormatError} `data/tag` for a line with fewer than three columns, {@link InputError} `input/data` for a
 * file without a token.
 */
export function readTagPairs(content: string, name: string): TagPairs {
  const sentences = sentencesOf(content, name, PREDICTIONS);
  if (sentences.length === 0) throw new InputError("input/data", `${name}: holds no token.`);
  const column = (at: number): string[][] =>
    sentences.map(({ rows }) => rows.map((columns) => columns.at(at)!));
  return {
    gold: column(-2),
    predicted: column(-1),
    where: (sentence, token) => `${name}, line ${sentences[sentence]!.line + token}`,
  };
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
