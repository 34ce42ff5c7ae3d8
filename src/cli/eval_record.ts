/**
 * What `eval --record` writes down of a model beside its scores: size, speed, and accuracy by word, for `report`.
 *
 * @module
 */
import { appendFileSync } from "node:fs";
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { bundleFromFolder, Ner, withoutLexicons, writeExport } from "../../mod.ts";
import type { Confusion, LinearWeights, ModelBundle, NormWeights } from "../../mod.ts";
import type { Span, SpanScores } from "../../mod.ts";
import { type Latency, type ModelRecord, ROLES } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readModelFiles } from "./files.ts";
import { type ExactBackend, exactBackend, integer, type ModelOptions } from "./model.ts";
import { modelSource } from "./named.ts";
import { loadOrt, openOrt } from "./ort.ts";

/** What {@link addRecordOptions} parses to. */
export interface RecordOptions {
  readonly record?: string;
  readonly as?: typeof ROLES[number];
  readonly name?: string;
  readonly seed: number;
  readonly ort?: boolean;
}

/** Adds the options. */
export function addRecordOptions(command: Command): Command {
  return command
    .option("--record <file>", "append a record for report to this file")
    .addOption(
      new Option("--as <role>", "what the model is in the report (default: ablation)")
        .choices(ROLES),
    )
    .option("--name <text>", "what it is called there (default: as --as)", notEmpty)
    .option("--seed <n>", "seed of its run, for means over several", integer(0, 2 ** 32 - 1), 1)
    .option("--ort", "time onnxruntime-web on it, too");
}

function notEmpty(value: string): string {
  if (value.trim() !== "") return value;
  throw new InvalidArgumentError("Expected a name.");
}

/** What was scored. */
export interface Scored {
  readonly texts: readonly string[];
  readonly gold: readonly (readonly Span[])[];
  readonly predicted: readonly (readonly Span[])[];
  readonly scores: SpanScores;
  readonly confusion: Confusion;
}

/** Texts that are timed, and how often. */
const TIMED = 32, PASSES = 3;

/** Files that hold a model's numbers. */
const WEIGHTS = /\.(safetensors|onnx|onnx_data|data)$/i;

/** Appends a record of the model that the options name. */
export async function record(
  options: RecordOptions & ModelOptions,
  scored: Scored,
): Promise<void> {
  const source = modelSource(options.model), { as = "ablation", seed } = options;
  if (/^https?:/.test(source)) throw new UsageError("--record needs a model on this disk");
  const { content, sizes } = await readModelFiles(source);
  const bundle = bundleFromFolder(content, { allowStripAccents: options.allowStripAccents });
  const sized = Object.entries(sizes).filter(([name]) =>
    WEIGHTS.test(name) || Object.keys(sizes).length === 1
  );
  const backend = exactBackend(options, "--record");
  const latencies = [await ownLatency(bundle, backend, scored.texts)];
  if (options.ort) latencies.push(await ortLatency(bundle, backend, scored.texts));
  const own: ModelRecord = {
    kind: "model",
    role: as,
    name: options.name ?? as,
    seed,
    backend,
    layers: bundle.weights.layers.length,
    parameters: parametersOf(bundle),
    bytes: sized.reduce((sum, [, size]) => sum + size, 0),
    latencies,
    scores: scored.scores,
    wordAccuracy: wordAccuracy(scored),
    confusion: scored.confusion,
  };
  appendFileSync(options.record!, JSON.stringify(own) + "\n");
}

/** The mean over texts of the best of several passes, in milliseconds. */
async function timed(
  texts: readonly string[],
  run: (text: string) => Promise<unknown>,
): Promise<number> {
  const some = texts.slice(0, TIMED);
  for (const text of some.slice(0, 4)) await run(text);
  const best = some.map(() => Infinity);
  for (let pass = 0; pass < PASSES; pass++) {
    for (const [i, text] of some.entries()) {
      const start = performance.now();
      await run(text);
      best[i] = Math.min(best[i], performance.now() - start);
    }
  }
  return best.reduce((sum, time) => sum + time, 0) / some.length;
}

async function ownLatency(
  bundle: ModelBundle,
  backend: ExactBackend,
  texts: readonly string[],
): Promise<Latency> {
  const ner = await Ner.fromBundle(bundle, { backend, threads: 1 });
  try {
    return { engine: "edge-ner", milliseconds: await timed(texts, (text) => ner.extract(text)) };
  } finally {
    ner.close();
  }
}

/** The encoder alone, without lexicon features, on the ids of the same texts, from an export of the model in the same precision. */
async function ortLatency(
  bundle: ModelBundle,
  backend: ExactBackend,
  texts: readonly string[],
): Promise<Latency> {
  const files = writeExport(withoutLexicons(bundle), {
    dtype: backend === "int8" ? "int8" : "f32",
  });
  const graph = files.get("model.onnx")!;
  const model = await openOrt(await loadOrt(), graph, undefined, bundle.weights);
  const { tokenizer, weights: { config } } = bundle, { cls, sep } = tokenizer;
  try {
    const milliseconds = await timed(texts, (text) => {
      const ids = tokenizer.encode(text).ids.subarray(0, config.maxPositions - 2);
      return model.run([cls, ...ids, sep]);
    });
    return { engine: "onnxruntime-web", milliseconds };
  } finally {
    await model.close();
  }
}

/** Numbers that were trained; those of a layer that occurs more than once count once. */
function parametersOf({ weights, crf }: ModelBundle): number {
  const linear = ({ weight, bias }: LinearWeights): number =>
    weight.rows * weight.columns + bias.length;
  const norm = ({ gamma, beta }: NormWeights): number => gamma.length + beta.length;
  const tables = [weights.wordEmbedding, weights.positionEmbedding, weights.typeEmbedding];
  const layers = [...new Set(weights.layers)].reduce(
    (sum, { qkv, attentionOutput, attentionNorm, up, down, feedForwardNorm }) =>
      sum + linear(qkv) + linear(attentionOutput) + linear(up) + linear(down) +
      norm(attentionNorm) + norm(feedForwardNorm),
    0,
  );
  return tables.reduce((sum, table) => sum + (table ? table.rows * table.columns : 0), 0) +
    norm(weights.embeddingNorm) + layers + linear(weights.classifier) +
    (weights.embeddingProjection ? linear(weights.embeddingProjection) : 0) +
    (crf ? crf.start.length + crf.end.length + crf.transitions.length : 0);
}

/** The share of words, cut at spaces, that begin in the same entity, at the same place in it, as in the gold. */
export function wordAccuracy({ texts, gold, predicted }: Omit<Scored, "scores" | "confusion">) {
  let words = 0, right = 0;
  texts.forEach((text, i) => {
    for (const { index } of text.matchAll(/\S+/g)) {
      words++;
      right += Number(tagAt(gold[i], index, text) === tagAt(predicted[i], index, text));
    }
  });
  return words === 0 ? 0 : right / words;
}

/** The tag of the word that begins at `at`: `O`, or the type and whether the entity began in a word before. */
function tagAt(spans: readonly Span[], at: number, text: string): string {
  const span = spans.find(({ start, end }) => start <= at && at < end);
  if (span === undefined) return "O";
  return `${/\s/.test(text.slice(span.start, at)) ? "I" : "B"}-${span.type}`;
}
