/**
 * `edge-ner vocab`: a WordPiece vocabulary from texts.
 *
 * @module
 */
import { statSync } from "node:fs";
import type { Command } from "commander";
import { VocabularyTrainer, writeVocabulary } from "../../train.ts";
import type { LabelledText, Tokenizer } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readLabelled } from "./labelled.ts";
import { readLines } from "./lines.ts";
import { integer } from "./model.ts";
import { complain, print } from "./output.ts";
import { Progress } from "./progress.ts";
import { checkFile, checkFolder, replaceFile, replaceFolder } from "./replace.ts";
import { bytes, table } from "./table.ts";
import { openText, readText, textFiles } from "./text_files.ts";

interface VocabOptions {
  readonly output: string;
  readonly size: number;
  readonly minFrequency: number;
  readonly alphabet: number;
  readonly cased?: boolean;
  readonly stripAccents?: boolean;
  readonly endings?: string;
  readonly entities?: readonly string[];
  readonly times: number;
  readonly force?: boolean;
}

const HELP = `
The corpora are text, a document a line; .gz files are unpacked, and of a folder all .txt and .txt.gz files are read. The
same texts give the same file, byte for byte.

The output is a folder with tokenizer.json, tokenizer_config.json and vocab.txt, as this program and Hugging Face
load them; or vocab.txt alone, where its name ends in .txt. Accents are kept unless --strip-accents says otherwise:
a vocab.txt alone needs "strip_accents": false in the tokenizer_config.json beside it.

An entity that ends inside a word piece cannot be found exactly. --endings cuts words before the endings of a script
that is inflected by them (Bengali), or before those that a file lists, one a line, where a known word is left.
--entities reads labelled texts (as "train --data" does), counts their words --times times, and cuts where their
entities end. A word that is cut takes a token more.

Examples:
  edge-ner vocab corpus.txt.gz -o my-vocab --size 16000
  edge-ner vocab corpus.txt.gz --entities train.jsonl -o my-vocab --size 16000 --endings Bengali`;

/** Defines the command. */
export function vocabCommand(program: Command): void {
  program.command("vocab")
    .description("learn a WordPiece vocabulary from texts")
    .argument("[corpus...]", "text files or folders of them, a document a line, perhaps .gz")
    .requiredOption("-o, --output <path>", "folder to write, or a .txt file")
    .requiredOption("--size <n>", "pieces in all", integer(1, 1 << 20))
    .option("--min-frequency <n>", "occurrences that make a pair a piece", integer(1, 1 << 20), 2)
    .option("--alphabet <n>", "most characters, the commonest", integer(1, 1 << 20), 1000)
    .option("--cased", "tell capital letters from small ones")
    .option("--strip-accents", "delete nonspacing marks (in Brahmic scripts: vowels)")
    .option("--endings <script>", "cut words before a script's endings, or before a file's")
    .option(
      "--entities <file>",
      "labelled texts, whose entities are to end between pieces; repeatable",
      (value: string, values: readonly string[] = []) => [...values, value],
    )
    .option("--times <n>", "how often a labelled text counts", integer(1, 1000), 5)
    .option("--force", "overwrite the output")
    .addHelpText("after", HELP)
    .action(vocab);
}

/** A script's name as it is, or a file's lines. */
function endingsOf(value: string | undefined): string | readonly string[] | undefined {
  if (value === undefined || /^\p{L}+$/u.test(value)) return value;
  return readText(value).split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
}

async function vocab(corpora: readonly string[], options: VocabOptions): Promise<void> {
  const { output, entities = [], times, force = false } = options;
  const single = /\.txt$/i.test(output);
  if (single) checkFile(output, { force });
  else checkFolder(output, { force });
  if (corpora.length + entities.length === 0) throw new UsageError("name a corpus to learn from");
  const trainer = new VocabularyTrainer({
    size: options.size,
    minFrequency: options.minFrequency,
    alphabet: options.alphabet,
    lowercase: !options.cased,
    stripAccents: options.stripAccents ?? false,
    endings: endingsOf(options.endings),
  });
  const marked: LabelledText[] = [];
  for (const path of entities) {
    const texts = readLabelled(path);
    for (const text of texts) trainer.add(text, times);
    marked.push(...texts);
  }
  const texts = await readCorpora(textFiles(corpora), trainer);
  const tokenizer = trainer.train();
  const files = writeVocabulary(tokenizer);
  // Files are read back and compared where they are written; there is nothing more to check.
  const written = { force, check: () => {} };
  if (single) await replaceFile(output, files.get("vocab.txt")!, written);
  else await replaceFolder(output, files, written);
  const shown = [...files].filter(([name]) => !single || name === "vocab.txt");
  await print(
    `${output}: ${tokenizer.vocabSize.toLocaleString("en")} pieces from ` +
      `${(texts + marked.length).toLocaleString("en")} texts, ` +
      `${trainer.words.toLocaleString("en")} different words\n\n` +
      table(["file", "size"], shown.map(([name, content]) => [name, bytes(content.length)])) +
      (marked.length > 0 ? `\n${boundaryText(tokenizer, marked)}` : ""),
  );
}

async function readCorpora(paths: readonly string[], trainer: VocabularyTrainer): Promise<number> {
  // Sizes as they lie on the disk: of a packed file, the end comes sooner than the bar says.
  const progress = new Progress(paths.reduce((sum, path) => sum + statSync(path).size, 0));
  let texts = 0, read = 0;
  try {
    for (const path of paths) {
      for await (const lines of readLines(openText(path), path, complain)) {
        for (const { text } of lines) {
          if (text.trim() === "") continue;
          trainer.add({ text });
          texts++;
          read += text.length;
        }
        progress.update(read, texts);
      }
    }
  } finally {
    progress.stop();
  }
  return texts;
}

/** How many beginnings and ends of entities fall between pieces. */
function boundaryText(tokenizer: Tokenizer, texts: readonly LabelledText[]): string {
  let all = 0, between = 0;
  for (const { text, entities } of texts) {
    const { starts, ends } = tokenizer.encode(text), [from, to] = [new Set(starts), new Set(ends)];
    for (const { start, end } of entities) {
      all += 2;
      between += Number(from.has(start)) + Number(to.has(end));
    }
  }
  const share = all === 0 ? "none" : `${(100 * between / all).toFixed(2)} %`;
  return `Of ${all} beginnings and ends of entities, ${between} fall between pieces (${share}).\n`;
}
