/**
 * `edge-ner convert`: an export folder to one packed file, and a model to a smaller one.
 *
 * The file appears under its name only when it is whole (`replace.ts`) and was read back, loaded, run and compared
 * with what it was made of (`change.ts`); a package that differs from its source by more than rounding can is
 * not left behind.
 *
 * @module
 */
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import {
  addTerms,
  bundleFromFolder,
  dequantizeEncoder,
  LANE_DEPTH,
  mergeAdapter,
  namesLabels,
  quantizeEncoder,
  readAdapter,
  readPackage,
  sampleInputs,
  shiftTypes,
  writePackage,
} from "../../mod.ts";
import type { EncoderWeights, Matrix, ModelBundle, QuantizeReport, Tokenizer } from "../../mod.ts";
import { readAdapterFiles } from "./adapter.ts";
import { changeOf, checkChange, costText, entitiesText } from "./change.ts";
import { UsageError } from "./errors.ts";
import { readModelFiles } from "./files.ts";
import { MODEL_FORMS } from "./named.ts";
import { complain, print } from "./output.ts";
import { partsOf } from "./parts.ts";
import { checkFile, replaceFile } from "./replace.ts";
import {
  addShrinkOptions,
  checkCorpora,
  shrink,
  SHRINK_HELP,
  textsOf,
  trimText,
} from "./shrink.ts";
import type { ShrinkOptions } from "./shrink.ts";
import { addTermOptions, readTermOptions, type TermArguments } from "./terms.ts";
import { bytes as size, small, table } from "./table.ts";

interface ConvertOptions extends ShrinkOptions, TermArguments {
  readonly output: string;
  readonly dtype: "int8" | "f32";
  readonly embeddings?: "int8" | "int4";
  readonly lanes?: number;
  readonly sample?: readonly string[];
  readonly adapter?: string;
  readonly shift?: Readonly<Record<string, number>>;
  readonly shiftUnknown?: Readonly<Record<string, number>>;
  readonly wholeWords?: boolean;
  readonly force?: boolean;
  readonly allowStripAccents?: boolean;
}

const HELP = `
The folder holds what "torch.onnx.export" and Hugging Face's save_pretrained write: model.onnx (and its
external data), config.json, tokenizer.json or vocab.txt with tokenizer_config.json, and crf.safetensors
if the model has a CRF. An .onnx file may be named instead; the others are looked for beside and above it. So
may a URL of either, or hf:OWNER/NAME, a model of the Hugging Face hub, whose files are kept in the user's cache. A
package may be given, too, to make a smaller one of it.

Lane budgets. --lanes 181 makes weights that processors without an exact dot product of bytes multiply in 0.55 of the
time, for a somewhat larger error (docs/lane_budget.md); --sample, with a text file like those that the model will read, wins
part of it back, without --lanes too. The report says what both came to.
${SHRINK_HELP}

Recall. --shift MED=0.7 makes a model find more of a type, less surely; choose x on validation data, with "eval". --shift-unknown
does so only at tokens that are in no term of the model's own dictionary (train --dictionary). Scores are others then, so a
temperature that was fitted to the old ones goes: calibrate afterwards.

Words. --whole-words makes a model whose entities are whole words, or words up to an ending that is joined to them: what it
finds of the inside of a word that it does not know becomes the word. Right where its corpus has hardly any others.

Own terms. --lexicon, --always and --never pack lists with the model, as fingerprints; whoever loads it finds them.

Examples:
  edge-ner convert ./my-export -o my-model.safetensors
  edge-ner convert hf:OWNER/NAME -o my-model.safetensors
  edge-ner convert ./my-export -o my-model-f32.safetensors --dtype f32
  edge-ner convert my-model-f32.safetensors -o my-model.safetensors --force
  edge-ner convert ./my-export -o tiny.safetensors --embeddings int4 --trim-script Bengali
  edge-ner convert ./my-export -o my-model.safetensors --lanes 255 --sample notes.txt
  edge-ner convert ./my-export --lexicon MED=drugs.txt -o my-model.safetensors
  edge-ner convert ./base --adapter ./my-run/adapter -o my-model.safetensors
  edge-ner convert ./teacher -o start.safetensors --layers 1,5,9,12 --trim-vocab notes.txt`;

/** Defines the command. */
export function convertCommand(program: Command): void {
  const command = program.command("convert")
    .description("pack a model into one file, and make it smaller")
    .argument("<model>", MODEL_FORMS)
    .requiredOption("-o, --output <file>", "file to write")
    .addOption(
      new Option("--dtype <type>", "how matrices are stored").choices(["int8", "f32"])
        .default("int8"),
    )
    .addOption(
      new Option("--embeddings <type>", "how the word embedding is stored with --dtype int8")
        .choices(["int8", "int4"]),
    );
  command
    .option(
      "--lanes <levels>",
      "let products be summed in 16 bits, with activations of so many levels: 255 with --sample, 181 without",
      parseLevels,
    )
    .option(
      "--sample <corpus>",
      "round weights by what this text file makes of them; repeatable",
      (path: string, paths: readonly string[] = []) => [...paths, path],
    );
  command.option("--adapter <path>", "merge this adapter (LoRA, as PEFT saves it) into the model");
  command.option(
    "--shift <type=x>",
    "find more of a type (or less, below 0): odds times e^x at each token; repeatable",
    parseShift,
  );
  command.option(
    "--shift-unknown <type=x>",
    "the same, but not within terms of the model's own dictionary; repeatable",
    parseShift,
  );
  command.option("--whole-words", "let entities be whole words, or words up to an ending");
  addTermOptions(command);
  addShrinkOptions(command)
    .option("--force", "overwrite the output, and keep one that differs too much from its source")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .addHelpText("after", HELP)
    .action(convert);
}

/** `TYPE=X`, added to those before. */
function parseShift(
  value: string,
  before: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const at = value.lastIndexOf("="), type = value.slice(0, at), x = value.slice(at + 1);
  if (at < 1 || !/^[+-]?\d+(\.\d+)?$/.test(x)) {
    throw new InvalidArgumentError("Expected TYPE=X with a number X, like MED=0.7.");
  }
  if (Object.hasOwn(before, type)) {
    throw new InvalidArgumentError(
      `${type} was moved by ${before[type]} before; say the sum once.`,
    );
  }
  return { ...before, [type]: Number(x) };
}

/** The largest quantized activation, for a lane budget. */
function parseLevels(value: string): number {
  const levels = Number(value);
  if (/^\d+$/.test(value) && levels >= 1 && levels <= 255) return levels;
  throw new InvalidArgumentError(
    "Expected a number from 1 to 255: 255 with --sample, 181 without.",
  );
}

/** Tokens that are sampled: of more, an error learns nothing. */
const SAMPLED_TOKENS = 8192;

/** The first texts of corpora, as many as are sampled. */
async function sampledTexts(tokenizer: Tokenizer, paths: readonly string[]): Promise<string[]> {
  // A line that comes again would pass for evidence.
  const texts = new Set<string>();
  let tokens = 0;
  for await (const lines of textsOf(paths, complain)) {
    for (const line of lines) {
      if (tokens >= SAMPLED_TOKENS) return [...texts];
      if (texts.has(line)) continue;
      tokens += tokenizer.encode(line).ids.length;
      texts.add(line);
    }
  }
  if (tokens > 0) return [...texts];
  throw new UsageError(`${paths.join(", ")}: there is no text in it`);
}

/** To int8, as the options say. */
async function quantize(
  bundle: ModelBundle,
  { embeddings, lanes, sample }: ConvertOptions,
): Promise<{ weights: EncoderWeights; report: QuantizeReport }> {
  const samples = sample &&
    await sampleInputs(bundle, await sampledTexts(bundle.tokenizer, sample));
  const budget = lanes === undefined ? undefined : { levels: lanes, depth: LANE_DEPTH };
  return quantizeEncoder(bundle.weights, { embeddings, lanes: budget, samples });
}

/** What the emissions would be if every weight were rounded for itself, without a budget. */
async function besideText(
  original: ModelBundle,
  bundle: ModelBundle,
  { embeddings }: ConvertOptions,
): Promise<string> {
  const { weights } = quantizeEncoder(bundle.weights, { embeddings });
  const { relativeL2, same } = await changeOf(original, { ...bundle, weights }, "int8");
  return "Without a lane budget and samples: emissions would differ by a relative L2 of " +
    `${small(relativeL2)}, ${same} entities would be the same.\n`;
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
  const { lanes, sample } = options;
  for (const [name, value] of Object.entries({ embeddings, lanes, sample })) {
    if (dtype === "f32" && value) throw new UsageError(`--${name} needs --dtype int8`);
  }
  if (sample && stored.some((type) => type === "i8") && lanes === undefined) {
    throw new UsageError(
      `${source}: is int8 already; --sample can round it only to a lane budget (--lanes)`,
    );
  }
  if (embeddings === "int8" && wordEmbedding.type === "i4") {
    throw new UsageError(`${source}: its word embedding is int4 already; int8 cannot be had back`);
  }
}

/** The model with an adapter merged into it; one that names no labels has the model's, and its CRF. */
async function withAdapter(model: ModelBundle, path: string): Promise<ModelBundle> {
  const { bytes, ...files } = await readAdapterFiles(path), own = namesLabels(bytes);
  const { labels } = model.weights.config;
  const adapter = readAdapter(bytes, { ...files, ...(!own && { labels }) });
  const weights = mergeAdapter(dequantizeEncoder(model.weights), adapter);
  // As beside the model: a head of its own is not calibrated, and its entities may be parts of words.
  const head = own ? { crf: adapter.crf, temperature: undefined, wholeWords: undefined } : {};
  return { ...model, weights, ...head };
}

/** The model with what the options say of its decisions: shifts, whole words, terms. */
function changed(model: ModelBundle, options: ConvertOptions): ModelBundle {
  const { shift, shiftUnknown, wholeWords } = options, terms = readTermOptions(options);
  let result = wholeWords ? { ...model, wholeWords } : model;
  if (shift) result = shiftTypes(result, shift);
  if (shiftUnknown) result = shiftTypes(result, shiftUnknown, { unknown: true });
  return terms ? addTerms(result, terms) : result;
}

/** What the source said of its scores and entities, and the package cannot. */
function lostText(source: ModelBundle, result: ModelBundle): string {
  const lines: string[] = [];
  if (source.temperature !== undefined && result.temperature === undefined) {
    lines.push(
      `Not calibrated any more: the temperature ${source.temperature} was fitted to other scores; ` +
        '"edge-ner calibrate" fits one to these.',
    );
  }
  if (source.wholeWords && !result.wholeWords) {
    lines.push(
      "Entities are not whole words any more: those of the adapter's labels may be others; --whole-words says that they are.",
    );
  }
  return lines.map((line) => line + "\n").join("");
}

async function convert(source: string, options: ConvertOptions): Promise<void> {
  const { output, dtype, force = false } = options;
  checkFile(output, { force });
  checkCorpora([...options.trimVocab ?? [], ...options.sample ?? []]);
  const { allowStripAccents } = options, files = await readModelFiles(source);
  const loaded = bundleFromFolder(files.content, { allowStripAccents });
  const adapted = options.adapter === undefined
    ? loaded
    : await withAdapter(loaded, options.adapter);
  const original = changed(adapted, options);
  checkTypes(source, original.weights, options);
  const before = writePackage(original);
  const shrunk = await shrink(original, options);
  let result = shrunk.bundle;
  let report: QuantizeReport | undefined;
  if (dtype === "int8") {
    const quantized = await quantize(result, options);
    report = quantized.report;
    result = { ...result, weights: quantized.weights };
  }
  const packed = result === original ? before : writePackage(result);

  const change = await replaceFile(output, packed, {
    force,
    async check(copy) {
      const read = readPackage(copy, { allowStripAccents });
      const backend = dtype === "int8" ? "int8" : "fp32";
      const change = await changeOf(original, read, backend);
      if (force) return change;
      // Leaving layers out is meant to change emissions; what is written must be what was left.
      const own = shrunk.bundle === original
        ? change
        : await changeOf(shrunk.bundle, read, backend);
      checkChange(own, dtype === "f32" ? "f32" : options.embeddings ?? "int8", output);
      return change;
    },
  });

  const decided = original === adapted ? undefined : await changeOf(adapted, original, "fp32");
  const sizes = Object.values(files.sizes);
  const sourceBytes = sizes.reduce((sum, one) => sum + one, 0);
  await print(
    `${source}: ${sizes.length} ${sizes.length === 1 ? "file" : "files"}, ${size(sourceBytes)}\n` +
      `${output}: ${size(packed.length)}, ` +
      `${(100 * packed.length / sourceBytes).toFixed(1)} % of that; read back, loaded and run\n\n` +
      sizeTable(before, packed) + "\n" +
      (shrunk.report ? trimText(shrunk.report, original, result) + "\n" : "") +
      (decided
        ? `By what the options decide, on the built-in sentences: ${entitiesText(decided)}\n`
        : "") +
      costText(report, change) +
      (options.lanes || options.sample ? await besideText(original, shrunk.bundle, options) : "") +
      lostText(loaded, result),
  );
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
