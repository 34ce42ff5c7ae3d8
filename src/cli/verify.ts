/**
 * `edge-ner verify`: our backends against onnxruntime-web, on the same ids.
 *
 * ONNX Runtime runs the exported graph itself; we run weights that were recognised in it. Whatever was
 * misread (a transposed matrix, another activation, swapped heads) shows as a difference here. The
 * emissions of all inputs are compared as one vector, and so are the entities that come of them.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import type { Command } from "commander";
import {
  bundleFromFolder,
  decodeSpans,
  describeOnnx,
  DifferenceMeter,
  Ner,
  NerError,
  placeOf,
  scoreSpans,
} from "../../mod.ts";
import type { ModelBundle, OnnxDescription, Span } from "../../mod.ts";
import { CheckFailed, UsageError } from "./errors.ts";
import { readModelFiles } from "./files.ts";
import { readLines } from "./lines.ts";
import { decimal } from "./model.ts";
import type { ExactBackend } from "./model.ts";
import { modelSource } from "./named.ts";
import { loadOrt, openOrt } from "./ort.ts";
import type { OrtModel } from "./ort.ts";
import { complain, print } from "./output.ts";
import { SENTENCES } from "./sentences.ts";
import { small, table } from "./table.ts";

interface VerifyOptions {
  readonly text?: readonly string[];
  readonly file?: readonly string[];
  readonly maxFp32: number;
  readonly maxInt8: number;
  readonly maxQuantized: number;
  readonly json?: boolean;
  readonly unconstrained?: boolean;
  readonly allowStripAccents?: boolean;
}

/** One backend's distance from ONNX Runtime. */
interface Comparison {
  readonly model: string;
  readonly backend: ExactBackend;
  readonly inputs: number;
  readonly tokens: number;
  readonly maxAbs: number;
  readonly relativeL2: number;
  /** Strict F1 of our entities with ONNX Runtime's as gold; 1 if neither has any. */
  readonly entityF1: number;
  /** ONNX Runtime's entities, ours, and how many are the same. */
  readonly entities: { readonly ort: number; readonly ours: number; readonly same: number };
  /** Limit of `relativeL2`. */
  readonly limit: number;
  readonly ok: boolean;
}

/** An input with its ids and what ONNX Runtime makes of them. */
interface Expected {
  readonly text: string;
  readonly emissions: Float32Array;
  readonly spans: readonly Span[];
}

const BACKENDS: readonly ExactBackend[] = ["reference", "fp32", "int8"];

/** What a graph in half precision is given: 11 bits a number, some ten roundings a layer. */
const HALF_LIMIT = 5e-3;

const HELP = `
Inputs are --text and the lines of --file; without either, a built-in list of Bangla medical sentences.
A text that is longer than the model's positions is cut. "rel. L2" is |ours - ort| / |ort| over all emissions
of all inputs, and decides: the exit code is 1 if a backend is above its limit. A quantized graph rounds on
its own, otherwise than any other engine; one in half precision is given 0.005. Of several models, those that
onnxruntime-web cannot run are named and left out. Needs onnxruntime-web, which is loaded only here.

Examples:
  edge-ner verify ./export-torchscript ./export-dynamo/model.onnx
  edge-ner verify model.onnx --text "জ্বরে প্যারাসিটামল খাওয়া যায়।" --max-fp32 1e-6
  edge-ner verify ./my-export --file sentences.txt --json`;

/** Defines the command. */
export function verifyCommand(program: Command): void {
  const list = (value: string, values: readonly string[] = []): string[] => [...values, value];
  program.command("verify")
    .description("compare our backends with onnxruntime-web on exported models")
    .argument("<export...>", "ONNX files, or folders with model.onnx")
    .option("-t, --text <text>", "compare on this text; repeatable", list)
    .option("-f, --file <path>", "compare on the lines of a file; repeatable", list)
    .option(
      "--max-fp32 <x>",
      "largest relative L2 of reference and fp32",
      decimal(0, Infinity),
      1e-5,
    )
    .option("--max-int8 <x>", "largest relative L2 of int8", decimal(0, Infinity), 0.02)
    .option(
      "--max-quantized <x>",
      "largest relative L2 where the graph itself computes in integers",
      decimal(0, Infinity),
      0.1,
    )
    .option("--json", "print one JSON object instead of a table")
    .option("--unconstrained", "let the decoder use label sequences that the scheme forbids")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .addHelpText("after", HELP)
    .action(verify);
}

/** The texts to compare on, empty ones left out. */
async function inputs(options: VerifyOptions): Promise<readonly string[]> {
  if (!options.text && !options.file) return SENTENCES;
  const texts = [...options.text ?? []];
  for (const path of options.file ?? []) {
    const chunks = createReadStream(path) as AsyncIterable<Uint8Array>;
    for await (const lines of readLines(chunks, path, complain)) {
      texts.push(...lines.map((line) => line.text));
    }
  }
  return texts.filter((text) => text.trim() !== "");
}

async function verify(paths: readonly string[], options: VerifyOptions): Promise<void> {
  const texts = await inputs(options);
  if (texts.length === 0) throw new UsageError("there is no text to compare on");
  // A name that nothing has is a mistake, and no model to leave out.
  for (const path of paths) modelSource(path);
  const ort = await loadOrt();
  const results: Comparison[] = [];
  let left = 0;
  for (const path of paths) {
    try {
      results.push(...await verifyModel(ort, path, texts, options));
    } catch (error) {
      if (!isAboutOne(error) || paths.length === 1) throw error;
      complain(`warning: ${path}: left out: ${error.message}`);
      left++;
    }
  }
  if (results.length === 0) throw new UsageError("none of the models could be compared");
  const version = ort.env.versions.web ?? "";
  if (options.json) await print(JSON.stringify({ onnxruntimeWeb: version, results }) + "\n");
  else {
    const models = new Set(results.map((r) => r.model)).size;
    await print(
      report(results, version) + (paths.length > 1 ? `\n${models} models compared` : "") +
        (left > 0 ? `, ${left} left out\n` : paths.length > 1 ? "\n" : ""),
    );
  }
  const failed = results.filter(({ ok }) => !ok).length;
  if (failed > 0) {
    throw new CheckFailed(`${failed} of ${results.length} comparisons are above their limit`);
  }
}

/** Whether only this model cannot be compared: onnxruntime-web cannot run it, or its folder holds none. */
function isAboutOne(error: unknown): error is Error {
  return error instanceof UsageError ||
    (error instanceof NerError && error.code === "runtime/folder");
}

/** Compares every backend with onnxruntime-web on one model. */
async function verifyModel(
  ort: Awaited<ReturnType<typeof loadOrt>>,
  path: string,
  texts: readonly string[],
  options: VerifyOptions,
): Promise<Comparison[]> {
  const { content } = await readModelFiles(path), { allowStripAccents } = options;
  if (content.kind !== "export") {
    throw new UsageError(`${path}: is a ${content.kind}, which has no graph to compare with`);
  }
  const { model: graph, external } = content.files;
  const bundle = bundleFromFolder(content, { allowStripAccents });
  const { precision } = describeOnnx(graph, external);
  const model = await openOrt(ort, graph, external, bundle.weights);
  try {
    const expected = await runOrt(model, bundle, texts, options);
    const results: Comparison[] = [];
    for (const backend of BACKENDS) {
      results.push(await compare(bundle, expected, { path, backend, precision, options }));
    }
    return results;
  } finally {
    await model.close();
  }
}

/** The longest part of a text, from its start, that the encoder takes at once. */
function fitting(text: string, { tokenizer, weights }: ModelBundle): string {
  const room = weights.config.maxPositions - 2;
  // We would cut a longer one into windows, which no single run of the graph can be compared with. What is
  // left of a text that was cut may have other tokens, so it is looked at again.
  for (;;) {
    const { ids, ends } = tokenizer.encode(text);
    if (ids.length <= room) return text;
    const end = ends[room - 1];
    text = text.slice(0, end < text.length ? end : end - 1);
  }
}

/**
 * Spans of emissions, as far as their tokens reach. Those of `extract` may be wider, so that they tear no character:
 * both sides are decoded alike here, and what differs is the encoders.
 */
function decoded(
  emissions: ArrayLike<number>,
  { starts, ends }: { readonly starts: ArrayLike<number>; readonly ends: ArrayLike<number> },
  { weights, crf }: ModelBundle,
  { unconstrained }: VerifyOptions,
): Span[] {
  return decodeSpans(emissions, weights.config.labels, crf, { constrained: !unconstrained })
    .flatMap((span): Span[] => {
      const place = placeOf(span, starts, ends);
      return place ? [{ type: span.type, ...place }] : [];
    });
}

async function runOrt(
  model: OrtModel,
  bundle: ModelBundle,
  texts: readonly string[],
  options: VerifyOptions,
): Promise<Expected[]> {
  const { tokenizer, weights } = bundle, { labels } = weights.config;
  const expected: Expected[] = [];
  for (const whole of texts) {
    const text = fitting(whole, bundle);
    const { ids, starts, ends } = tokenizer.encode(text);
    const all = await model.run([tokenizer.cls, ...ids, tokenizer.sep]);
    const emissions = all.slice(labels.length, all.length - labels.length);
    const spans = decoded(emissions, { starts, ends }, bundle, options);
    expected.push({ text, emissions, spans });
  }
  return expected;
}

async function compare(
  bundle: ModelBundle,
  expected: readonly Expected[],
  { path, backend, precision, options }: {
    readonly path: string;
    readonly backend: ExactBackend;
    readonly precision: OnnxDescription["precision"];
    readonly options: VerifyOptions;
  },
): Promise<Comparison> {
  const ner = await Ner.fromBundle(bundle, {
    backend,
    constrained: !options.unconstrained,
  });
  const meter = new DifferenceMeter();
  const ours: Span[][] = [];
  let tokens = 0;
  try {
    for (const { text, emissions } of expected) {
      const { data, tokens: own } = await ner.emissions(text);
      meter.add(data, emissions);
      tokens += own.length;
      const starts = own.map(({ start }) => start), ends = own.map(({ end }) => end);
      ours.push(decoded(data, { starts, ends }, bundle, options));
    }
  } finally {
    ner.close();
  }
  const { support, predicted, correct, f1 } = scoreSpans(expected.map((e) => e.spans), ours).micro;
  const own = backend === "int8" ? options.maxInt8 : options.maxFp32;
  const graph = { float: 0, half: HALF_LIMIT, quantized: options.maxQuantized }[precision];
  const limit = Math.max(own, graph);
  const { maxAbs, relativeL2 } = meter.value;
  return {
    model: path,
    backend,
    inputs: expected.length,
    tokens,
    maxAbs,
    relativeL2,
    entityF1: support + predicted === 0 ? 1 : f1,
    entities: { ort: support, ours: predicted, same: correct },
    limit,
    ok: relativeL2 <= limit,
  };
}

function report(results: readonly Comparison[], version: string): string {
  const rows = results.map((r) => [
    r.model,
    r.backend,
    String(r.inputs),
    String(r.tokens),
    small(r.maxAbs),
    small(r.relativeL2),
    small(r.limit),
    r.ok ? "ok" : "FAIL",
    `${r.entities.same} of ${r.entities.ort}`,
    (100 * r.entityF1).toFixed(1),
  ]);
  const header = [
    "model",
    "backend",
    "inputs",
    "tokens",
    "max abs",
    "rel. L2",
    "limit",
    "",
    "same entities",
    "F1",
  ];
  return `Difference of emissions to onnxruntime-web ${version}\n\n${table(header, rows)}`;
}
