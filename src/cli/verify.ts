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
import { decodeSpans, DifferenceMeter, Ner, scoreSpans } from "../../mod.ts";
import type { ModelBundle, Span } from "../../mod.ts";
import { CheckFailed, UsageError } from "./errors.ts";
import { bundleOf, readModelFiles } from "./files.ts";
import { readLines } from "./lines.ts";
import { decimal } from "./model.ts";
import type { BackendName } from "./model.ts";
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
  readonly json?: boolean;
  readonly unconstrained?: boolean;
  readonly allowStripAccents?: boolean;
}

/** One backend's distance from ONNX Runtime. */
interface Comparison {
  readonly model: string;
  readonly backend: BackendName;
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

const BACKENDS: readonly BackendName[] = ["reference", "fp32", "int8"];

const HELP = `
Inputs are --text and the lines of --file; without either, a built-in list of Bangla medical sentences.
"rel. L2" is |ours - ort| / |ort| over all emissions of all inputs, and decides: the exit code is 1 if a
backend is above its limit. Needs onnxruntime-web, which is loaded only here.

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
  const ort = await loadOrt();
  const results: Comparison[] = [];
  for (const path of paths) {
    const files = readModelFiles(path);
    if (files.kind === "package") {
      throw new UsageError(`${path}: is not an ONNX file; a package has no graph to compare with`);
    }
    const bundle = bundleOf(files, options.allowStripAccents);
    const labels = bundle.weights.config.labels.length;
    const model = await openOrt(ort, files.files.model, files.files.external, labels);
    try {
      const expected = await runOrt(model, bundle, texts, options, path);
      for (const backend of BACKENDS) {
        results.push(await compare(path, backend, bundle, expected, options));
      }
    } finally {
      await model.close();
    }
  }
  const version = ort.env.versions.web ?? "";
  if (options.json) await print(JSON.stringify({ onnxruntimeWeb: version, results }) + "\n");
  else await print(report(results, version));
  const failed = results.filter(({ ok }) => !ok).length;
  if (failed > 0) {
    throw new CheckFailed(`${failed} of ${results.length} comparisons are above their limit`);
  }
}

async function runOrt(
  model: OrtModel,
  { tokenizer, weights, crf }: ModelBundle,
  texts: readonly string[],
  options: VerifyOptions,
  path: string,
): Promise<Expected[]> {
  const { labels, maxPositions } = weights.config;
  const expected: Expected[] = [];
  for (const text of texts) {
    const { ids, starts, ends } = tokenizer.encode(text);
    // We would cut it into windows, which no single run of the graph can be compared with.
    if (ids.length + 2 > maxPositions) continue;
    const all = await model.run([tokenizer.cls, ...ids, tokenizer.sep]);
    const emissions = all.slice(labels.length, all.length - labels.length);
    const spans = decodeSpans(emissions, labels, crf, !options.unconstrained)
      .map(({ type, first, last }) => ({ type, start: starts[first], end: ends[last] }));
    expected.push({ text, emissions, spans });
  }
  const left = texts.length - expected.length;
  if (left > 0 && expected.length > 0) {
    complain(
      `warning: ${path}: left out ${left} of ${texts.length} texts, longer than the model's ` +
        `${maxPositions - 2} tokens`,
    );
  }
  if (expected.length === 0) throw new UsageError(`${path}: every text is too long for this model`);
  return expected;
}

async function compare(
  path: string,
  backend: BackendName,
  bundle: ModelBundle,
  expected: readonly Expected[],
  options: VerifyOptions,
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
      ours.push(await ner.extract(text));
    }
  } finally {
    ner.close();
  }
  const { support, predicted, correct, f1 } = scoreSpans(expected.map((e) => e.spans), ours).micro;
  const limit = backend === "int8" ? options.maxInt8 : options.maxFp32;
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
