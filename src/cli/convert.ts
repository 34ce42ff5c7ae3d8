/**
 * `edge-ner convert`: an export folder to one packed file, and a model to a smaller one.
 *
 * The file appears under its name only when it is whole: it is written beside its place, read back,
 * compared, loaded and run, and then renamed. What quantizing and leaving out cost is measured on
 * sentences, since the error of weights says little about the error of entities; a package that differs from
 * its source by more than rounding can is not left behind.
 *
 * @module
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import {
  DifferenceMeter,
  Ner,
  quantizeEncoder,
  readPackage,
  scoreSpans,
  writePackage,
} from "../../mod.ts";
import type {
  EncoderWeights,
  Matrix,
  ModelBundle,
  QuantizeReport,
  Span,
  Token,
} from "../../mod.ts";
import { CheckFailed, UsageError } from "./errors.ts";
import { bundleOf, readBytes, readModelFiles } from "./files.ts";
import { print } from "./output.ts";
import { partsOf } from "./parts.ts";
import { SENTENCES } from "./sentences.ts";
import { addShrinkOptions, checkCorpora, shrink, SHRINK_HELP, trimText } from "./shrink.ts";
import type { ShrinkOptions } from "./shrink.ts";
import { bytes as size, small, table } from "./table.ts";

interface ConvertOptions extends ShrinkOptions {
  readonly output: string;
  readonly dtype: "int8" | "f32";
  readonly embeddings?: "int8" | "int4";
  readonly force?: boolean;
  readonly allowStripAccents?: boolean;
}

const HELP = `
The folder holds what "torch.onnx.export" and Hugging Face's save_pretrained write: model.onnx (and its
external data), config.json, tokenizer.json or vocab.txt with tokenizer_config.json, and crf.safetensors
if the model has a CRF. An .onnx file may be named instead; the others are looked for beside it. A
package may be given, too, to make a smaller one of it.
${SHRINK_HELP}

Examples:
  edge-ner convert ./my-export -o my-model.safetensors
  edge-ner convert ./my-export -o my-model-f32.safetensors --dtype f32
  edge-ner convert my-model-f32.safetensors -o my-model.safetensors --force
  edge-ner convert ./my-export -o tiny.safetensors --embeddings int4 --trim-script Bengali
  edge-ner convert ./teacher -o start.safetensors --layers 1,5,9,12 --trim-vocab notes.txt`;

/** Defines the command. */
export function convertCommand(program: Command): void {
  const command = program.command("convert")
    .description("pack a model into one file, and make it smaller")
    .argument("<model>", "folder of an export, .onnx file or packed model")
    .requiredOption("-o, --output <file>", "file to write")
    .addOption(
      new Option("--dtype <type>", "how matrices are stored").choices(["int8", "f32"])
        .default("int8"),
    )
    .addOption(
      new Option("--embeddings <type>", "how the word embedding is stored with --dtype int8")
        .choices(["int8", "int4"]),
    );
  addShrinkOptions(command)
    .option("--force", "overwrite the output, and keep one that differs too much from its source")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .addHelpText("after", HELP)
    .action(convert);
}

/** Says what is wrong with writing a file to `path`, before any work is done. */
export function checkOutput(path: string, force: boolean): void {
  const folder = dirname(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new UsageError(`${path}: ${folder} is not a folder`);
  }
  if (!existsSync(path)) return;
  if (statSync(path).isDirectory()) throw new UsageError(`${path}: is a folder, not a file`);
  if (!force) throw new UsageError(`${path}: exists already; --force overwrites it`);
}

/** Says what cannot be had from weights as they are stored. */
function checkTypes(source: string, weights: EncoderWeights, options: ConvertOptions): void {
  const { dtype, embeddings } = options, { wordEmbedding, layers } = weights;
  const stored = [wordEmbedding, ...layers.map(({ up }) => up.weight)].map((m: Matrix) => m.type);
  const packed = stored.find((type) => type !== "f32");
  if (dtype === "f32" && packed) {
    const name = packed === "i4" ? "int4" : "int8";
    throw new UsageError(`${source}: is ${name} already; float32 cannot be had back from it`);
  }
  if (dtype === "f32" && embeddings) throw new UsageError("--embeddings needs --dtype int8");
  if (embeddings === "int8" && wordEmbedding.type === "i4") {
    throw new UsageError(`${source}: its word embedding is int4 already; int8 cannot be had back`);
  }
}

async function convert(source: string, options: ConvertOptions): Promise<void> {
  const { output, dtype, force = false } = options;
  checkOutput(output, force);
  checkCorpora(options);
  const files = readModelFiles(source);
  const original = bundleOf(files, options.allowStripAccents);
  checkTypes(source, original.weights, options);
  const before = writePackage(original);
  const shrunk = await shrink(original, options);
  let result = shrunk.bundle;
  let report: QuantizeReport | undefined;
  if (dtype === "int8") {
    const quantized = quantizeEncoder(result.weights, { embeddings: options.embeddings });
    report = quantized.report;
    result = { ...result, weights: quantized.weights };
  }
  const packed = result === original ? before : writePackage(result);

  const written = await replaceFile(output, packed, force, async (copy) => {
    const read = readPackage(copy, { allowStripAccents: options.allowStripAccents });
    const backend = dtype === "int8" ? "int8" : "fp32";
    const change = await compare(original, read, backend);
    // Leaving layers out is meant to change emissions; what is written must be what was left.
    const own = shrunk.bundle === original ? change : await compare(shrunk.bundle, read, backend);
    checkChange(own, dtype === "f32" ? "f32" : options.embeddings ?? "int8", output, force);
    return change;
  });

  const sizes = files.kind === "package" ? [files.bytes.length] : Object.values(files.sizes);
  const sourceBytes = sizes.reduce((sum, one) => sum + one, 0);
  await print(
    `${source}: ${sizes.length} ${sizes.length === 1 ? "file" : "files"}, ${size(sourceBytes)}\n` +
      `${output}: ${size(packed.length)}, ` +
      `${(100 * packed.length / sourceBytes).toFixed(1)} % of that; read back, loaded and run\n\n` +
      sizeTable(before, packed) + "\n" +
      (shrunk.report ? trimText(shrunk.report, original, result) + "\n" : "") +
      costs(report, written),
  );
}

/** Writes a file that is not there yet and reads it back; throws if that gives anything else. */
export function writeNew(path: string, bytes: Uint8Array): Uint8Array {
  const file = openSync(path, "wx");
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const copy = readBytes(path);
  if (copy.length !== bytes.length || copy.some((byte, i) => byte !== bytes[i])) {
    throw new Error(`${path}: what was read back is not what was written`);
  }
  return copy;
}

/**
 * Writes a file so that it is either not there or whole. `check` gets what was read back, before the
 * file gets its name; what it throws leaves no trace.
 */
export async function replaceFile<T>(
  path: string,
  bytes: Uint8Array,
  force: boolean,
  check: (copy: Uint8Array) => Promise<T>,
): Promise<T> {
  // In the same folder, so that renaming never copies.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const result = await check(writeNew(temporary, bytes));
    // Someone else may have made it meanwhile.
    checkOutput(path, force);
    renameSync(temporary, path);
    return result;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** How two models differ on the built-in sentences. */
interface Change {
  /** Of the emissions of sentences whose tokens are the same; others have no counterpart. */
  readonly maxAbs: number;
  readonly relativeL2: number;
  /** Sentences whose tokens are the same. */
  readonly comparable: number;
  readonly before: number;
  readonly after: number;
  readonly same: number;
}

/** Whether two models cut a text into the same pieces; trimming gives them other ids. */
function sameTokens(a: readonly Token[], b: readonly Token[]): boolean {
  return a.length === b.length &&
    a.every(({ piece, start, end }, i) =>
      piece === b[i].piece && start === b[i].start && end === b[i].end
    );
}

/**
 * The largest relative L2 of a package's emissions against its source's. Both backends read the same weights,
 * so float32 has no reason to differ but the order of sums. int8 takes 0.02 at most on trained weights (as
 * onnxruntime's own int8 does, and `verify` allows) and up to 0.04 on the random ones of the tests; the bound
 * leaves five times the former, and a part that is missing or in the wrong place makes it 0.3 to 1.6. An int4
 * embedding alone has a relative error of 0.1.
 */
const MOST = { f32: 1e-5, int8: 0.1, int4: 0.25 } as const;

/** Refuses a package that is not its source any more, unless it was forced. */
function checkChange(
  { relativeL2 }: Change,
  type: keyof typeof MOST,
  output: string,
  force: boolean,
): void {
  if (relativeL2 <= MOST[type] || force) return;
  throw new CheckFailed(
    `${output}: not written: on the built-in sentences its emissions would differ from its source's by a ` +
      `relative L2 of ${small(relativeL2)}, and rounding to ${type} explains at most ${
        MOST[type]
      }. ` +
      "Either the weights do not bear it (--dtype f32 keeps them as they are), or this is a fault to be " +
      "reported; --force writes it all the same.",
  );
}

/** Runs the packed model and, in float32, the original. */
async function compare(
  original: ModelBundle,
  packed: ModelBundle,
  backend: "int8" | "fp32",
): Promise<Change> {
  const one = await Ner.fromBundle(original, { backend: "fp32" });
  const two = await Ner.fromBundle(packed, { backend });
  const meter = new DifferenceMeter();
  const entities: [Span[][], Span[][]] = [[], []];
  let comparable = 0;
  try {
    for (const sentence of SENTENCES) {
      const [old, now] = [await one.emissions(sentence), await two.emissions(sentence)];
      if (sameTokens(old.tokens, now.tokens)) {
        meter.add(now.data, old.data);
        comparable++;
      }
      entities[0].push(await one.extract(sentence));
      entities[1].push(await two.extract(sentence));
    }
  } finally {
    one.close();
    two.close();
  }
  const { support, predicted, correct } = scoreSpans(...entities).micro;
  return { ...meter.value, comparable, before: support, after: predicted, same: correct };
}

function sizeTable(before: Uint8Array, after: Uint8Array): string {
  const old = partsOf(before);
  const now = partsOf(after);
  const row = (name: string, parameters: number, a: number, b: number): string[] => [
    name,
    parameters === 0 ? "" : parameters.toLocaleString("en"),
    size(a),
    size(b),
    `${(100 * b / a).toFixed(1)} %`,
  ];
  return table(["part", "parameters", "before", "after", ""], [
    ...old.map(({ name, parameters, bytes }) =>
      row(name, parameters, bytes, now.find((part) => part.name === name)?.bytes ?? 0)
    ),
    row("total", old.reduce((sum, p) => sum + p.parameters, 0), before.length, after.length),
  ]);
}

function costs(report: QuantizeReport | undefined, change: Change): string {
  const lines: string[] = [];
  if (report && report.tensors.length > 0) {
    const worst = report.tensors.reduce((a, b) => b.relativeError > a.relativeError ? b : a);
    const row = report.tensors.reduce((a, b) => b.worstRowError > a.worstRowError ? b : a);
    lines.push(
      `Relative error of a quantized matrix: at most ${
        small(worst.relativeError)
      } (${worst.name});`,
      `of a row: at most ${small(row.worstRowError)} (row ${row.worstRow} of ${row.name}).`,
    );
  }
  const { comparable } = change;
  lines.push(
    comparable === 0
      ? `None of ${SENTENCES.length} built-in sentences has the tokens it had, so emissions cannot be ` +
        "compared with float32's;"
      : `On ${comparable} built-in sentences, against float32: emissions differ by a relative L2 of ` +
        `${small(change.relativeL2)}, at most ${small(change.maxAbs)};`,
    `${change.before} entities before, ${change.after} after, ${change.same} the same` +
      (comparable < SENTENCES.length ? ` (by characters, on all ${SENTENCES.length}).` : "."),
  );
  return lines.map((line) => line + "\n").join("");
}
