/**
 * `edge-ner extract`: documents in, entities out, as a stream.
 *
 * Documents go through the model in batches, and a batch ends where the input pauses, so that a pipe
 * is answered as it comes and memory does not grow with the input. Batching never changes a result.
 *
 * @module
 */
import { createReadStream, fstatSync, statSync } from "node:fs";
import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import {
  BOUNDARIES,
  type Boundary,
  type OffsetUnit,
  type Recogniser,
  type TermOptions,
} from "../../mod.ts";
import { readAdapterFiles } from "./adapter.ts";
import { UsageError } from "./errors.ts";
import { documentsOf, INPUTS, textsOf } from "./documents.ts";
import {
  isForPeople,
  type OutputName,
  OUTPUTS,
  readingsOf,
  type Writer,
  writerOf,
} from "./formats.ts";
import { readLines } from "./lines.ts";
import type { Line } from "./lines.ts";
import { addModelOptions, decimal, integer, loadModel } from "./model.ts";
import type { ModelOptions } from "./model.ts";
import { colorWanted, complain, print } from "./output.ts";
import { Progress } from "./progress.ts";
import { checkFile } from "./replace.ts";
import { addTermOptions, readTermOptions, type TermArguments } from "./terms.ts";

interface ExtractOptions extends ModelOptions, TermArguments {
  readonly file?: readonly string[];
  readonly adapter?: string;
  readonly format: OutputName;
  readonly output?: string;
  readonly boundary?: Boundary;
  readonly sentences?: boolean;
  readonly input: typeof INPUTS[number];
  readonly minScore: number;
  readonly types?: readonly string[];
  readonly offsets?: OffsetUnit;
  readonly nBest?: number;
  readonly batch: number;
  readonly color?: boolean;
}

const EXAMPLES = `
Examples:
  edge-ner extract "জ্বরে প্যারাসিটামল খাওয়া যায়।"
  edge-ner extract --file notes.txt --format jsonl > entities.jsonl
  edge-ner extract --file notes.jsonl --input jsonl --format conll > entities.conll
  edge-ner extract --file notes.txt --format brat --output annotated/notes
  cat notes.txt | edge-ner extract --min-score 0.8 | head
  edge-ner extract --model ./my-export --backend fp32 -- "-প্যারাসিটামল"
  edge-ner extract --file notes.txt --format jsonl --types MED,DIS --offsets codepoint --n-best 3
  edge-ner extract --file notes.txt --lexicon MED=drugs.txt --never not-names.txt
  edge-ner extract --model base.safetensors --adapter my-run/adapter "Add 50 ml of cream."

Each argument is one document, as is each line of a file or of standard input (an empty line, too:
as text and jsonl there is one output line for every input line). docs/formats.md tells what each format is. --boundary grapheme and word take in what a model
leaves outside of an inflected word, to the end of the character as it is written, or of the word. Offsets in JSON count UTF-16 code units, as strings
of JavaScript do; --offsets codepoint is what Python counts. --n-best 3 gives "readings" in the place of "entities", each with
its probability. Colour is used on a terminal unless NO_COLOR is set.`;

/** Defines the command. */
export function extractCommand(program: Command): void {
  const command = program.command("extract")
    .description("find entities in text given as arguments, in files or on standard input")
    .argument("[text...]", "documents")
    .option(
      "-f, --file <path>",
      "read documents from a file, one a line; repeatable; - is stdin",
      (path: string, paths: readonly string[] = []) => [...paths, path],
    )
    .addOption(
      new Option("--format <name>", "how documents are written").choices(OUTPUTS).default("text"),
    )
    .option("-o, --output <base>", "of --format brat: write <base>.txt and <base>.ann")
    .option("--adapter <path>", "put this adapter (LoRA, as PEFT saves it) beside the model")
    .addOption(
      new Option(
        "--boundary <name>",
        "where entities begin and end (default: grapheme in text and html, else model)",
      ).choices(BOUNDARIES),
    )
    .option("--sentences", "have the model see each sentence by itself")
    .addOption(
      new Option("--input <name>", "what is read: a text or an object a line, or a labelled file")
        .choices(INPUTS).default("text"),
    )
    .option("--min-score <x>", "leave out entities below this score", decimal(0, 1), 0)
    .option(
      "--types <names>",
      "leave out entities of other types than these, with commas between them",
      (names: string) => names.split(","),
    )
    .addOption(
      new Option("--offsets <unit>", "what places in JSON count (default: utf16)")
        .choices(["utf16", "codepoint", "byte"]),
    )
    .option("--n-best <k>", "in JSON, the k most probable readings of a document", integer(1, 100))
    .option("--batch <n>", "documents that go through the model together", integer(1, 4096), 32)
    .addHelpText("after", EXAMPLES);
  addTermOptions(command);
  addModelOptions(command);
  command.action((texts: string[], _: unknown, self: Command) => {
    return extract(texts, self.optsWithGlobals<ExtractOptions>());
  });
}

/** Size of a regular file, or undefined for pipes, devices and whatever cannot be asked. */
function sizeOf(path: string): number | undefined {
  try {
    const stat = path === "-" ? fstatSync(0) : statSync(path);
    return stat.isFile() ? stat.size : undefined;
  } catch {
    return undefined;
  }
}

function totalSize(paths: readonly string[]): number | undefined {
  let total = 0;
  for (const path of paths) {
    const size = sizeOf(path);
    if (size === undefined) return undefined;
    total += size;
  }
  return total;
}

async function extract(texts: readonly string[], options: ExtractOptions): Promise<void> {
  if (texts.length > 0 && options.file) throw new UsageError("give text or --file, not both");
  const { format, input, output: base } = options;
  if (texts.length > 0 && input !== "text") {
    throw new UsageError(`--input ${input} is for what is read; an argument is a text`);
  }
  if ((format === "brat") !== (base !== undefined)) {
    throw new UsageError("--format brat and --output go together: brat has two files");
  }
  for (const ending of base === undefined ? [] : ["txt", "ann"]) {
    checkFile(`${base}.${ending}`, { force: false });
  }
  if (options.format !== "jsonl") {
    for (
      const [name, value] of [["offsets", options.offsets], ["n-best", options.nBest]] as const
    ) {
      if (value !== undefined) throw new UsageError(`--${name} is for --format jsonl`);
    }
  }
  const paths = options.file ?? (texts.length > 0 ? [] : ["-"]);
  if (paths.filter((path) => path === "-").length > 1) {
    throw new UsageError("standard input can be read only once");
  }
  if (!options.file && texts.length === 0 && process.stdin.isTTY) {
    throw new UsageError("nothing to read; give text, --file, or pipe documents in");
  }
  // A wrong path must be said before the first of many files has been worked on for an hour.
  for (const path of paths) {
    if (path === "-") continue;
    if (statSync(path).isDirectory()) throw new UsageError(`${path}: is a folder, not a file`);
  }

  const terms = readTermOptions(options), ner = await load(options, terms);
  const progress = new Progress(totalSize(paths));
  // Of what is done, and not of what has been read ahead: the time left is told by it.
  let bytes = 0;
  let documents = 0;
  function* sources(): Generator<AsyncIterable<Line[]>> {
    if (texts.length > 0) yield argumentLines(texts);
    for (const path of paths) {
      if (input !== "text" && input !== "jsonl") {
        yield textsOf(path, input);
        continue;
      }
      const stream = path === "-" ? process.stdin : createReadStream(path);
      const name = path === "-" ? "standard input" : path;
      const lines = readLines(stream as AsyncIterable<Uint8Array>, name, complain);
      yield documentsOf(lines, input, name);
    }
  }
  // What is shown to people has whole characters.
  const { boundary = isForPeople(format) ? "grapheme" : "model", sentences } = options;
  if (options.nBest !== undefined && sentences) {
    throw new UsageError("--n-best reads a document as a whole; it does not go with --sentences");
  }
  const { minScore, types, offsets, nBest } = options;
  const wanted = { boundary, minScore, types, offsets };
  let writer: Writer | undefined;
  /** What is printed of documents, the first of which is the number `first`. */
  const outputsOf = async (
    texts: readonly string[],
    first: number,
    { write }: Writer,
  ): Promise<string[]> => {
    const outputs: string[] = [];
    if (nBest !== undefined) {
      for (const text of texts) {
        outputs.push(readingsOf(text, await ner.extractNBest(text, nBest, wanted)));
      }
      return outputs;
    }
    const found = await ner.extractBatch(texts, { ...wanted, sentences: sentences === true });
    for (const [n, text] of texts.entries()) outputs.push(await write(text, found[n], first + n));
    return outputs;
  };
  try {
    const own = writer = await writerOf(format, {
      types: ner.info().types,
      color: colorWanted(options.color),
      base,
    });
    await print(own.start);
    for (const source of sources()) {
      for await (const lines of source) {
        for (let i = 0; i < lines.length; i += options.batch) {
          const batch = lines.slice(i, i + options.batch);
          const outputs = await outputsOf(batch.map(({ text }) => text), documents + 1, own);
          await print(outputs.join(""));
          documents += batch.length;
          bytes += batch.reduce((sum, line) => sum + line.bytes, 0);
          progress.update(bytes, documents);
        }
      }
    }
    await print(own.end);
    await own.finish?.();
  } catch (error) {
    await writer?.discard?.();
    throw error;
  } finally {
    progress.stop();
    ner.close();
  }
}

/** The model, or the recogniser for an adapter or for terms beside it. */
async function load(options: ExtractOptions, terms: TermOptions | undefined): Promise<Recogniser> {
  const adapter = options.adapter === undefined
    ? undefined
    : await readAdapterFiles(options.adapter);
  let ner: Recogniser = await loadModel(options);
  /** Exchanges the recogniser for one that keeps what it shares. */
  const derive = async (derived: Promise<Recogniser>): Promise<void> => {
    const before = ner;
    try {
      ner = await derived;
    } finally {
      before.close();
    }
  };
  if (adapter) {
    const { bytes, ...files } = adapter;
    await derive(ner.withAdapter(bytes, files));
  }
  if (terms) await derive(ner.withLexicon(terms));
  return ner;
}

async function* argumentLines(texts: readonly string[]): AsyncGenerator<Line[]> {
  yield texts.map((text, index) => ({ text, number: index + 1, bytes: 0 }));
}
