/**
 * What adapters cost at run time: bytes, memory beside the base, and time, against the model without one.
 *
 *     deno run -A bench/adapters.ts [--model FILE] [--ranks 4,8,16] [--tokens 64] [--seconds N] [--threads N]
 *
 * One text of so many tokens goes through the model alone, through one adapter again and again, and through two
 * adapters in turn, so that each pass has to copy its weights in: what the last takes beyond the one before is the time
 * to swap. All take turns in one run, and what is compared is the processor's time, which a busy machine disturbs least.
 * Numbers of the adapters are random; they change no time.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  ADAPTED,
  type Adapted,
  type ModelConfig,
  Ner,
  readPackage,
  type Recogniser,
  writeAdapter,
} from "../mod.ts";
import { SENTENCES } from "../src/cli/sentences.ts";
import { bytes as size, table } from "../src/cli/table.ts";
import { ms } from "./measure.ts";

const { values } = parseArgs({
  options: {
    model: {
      type: "string",
      default: new URL("../models/meder/meder-int8.safetensors", import.meta.url).pathname,
    },
    ranks: { type: "string", default: "4,8,16" },
    tokens: { type: "string", default: "64" },
    seconds: { type: "string", default: "4" },
    threads: { type: "string", default: "1" },
  },
});

/** Maps that are adapted, by what it is called. */
const TARGETS: Readonly<Record<string, readonly Adapted[]>> = {
  "query, value": ["query", "value"],
  "all six maps": ADAPTED,
};

/** The bytes of an adapter. */
function adapterOf(config: ModelConfig, rank: number, maps: readonly Adapted[]): Uint8Array {
  const { hiddenSize: h, feedForwardSize: f, layers, labels } = config;
  const numbers = (size: number): Float32Array =>
    Float32Array.from({ length: size }, () => (Math.random() - 0.5) / 10);
  const matrix = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: numbers(rows * columns),
  });
  const parts = Array.from({ length: layers }, (_, layer) =>
    maps.map((map) => {
      const a = matrix(rank, map === "down" ? f : h), b = matrix(map === "up" ? f : h, rank);
      return { layer, map, a, b };
    })).flat();
  const inputs = config.head?.size ?? h;
  const classifier = { weight: matrix(labels.length, inputs), bias: numbers(labels.length) };
  const adapter = { rank, alpha: 2 * rank, parts, labels, classifier, crf: undefined };
  return writeAdapter(adapter, config).get("adapter_model.safetensors")!;
}

/** Milliseconds of the processor for a call of each, the least of all turns; half of it, since each makes two passes. */
async function fastest(runs: readonly (() => Promise<void>)[], seconds: number): Promise<number[]> {
  const least = runs.map(() => Infinity), end = performance.now() + 1000 * seconds, warm = 3;
  for (let turn = 0; turn < warm + 3 || performance.now() < end; turn++) {
    for (const [i, run] of runs.entries()) {
      const before = process.cpuUsage(), calls = 5;
      for (let call = 0; call < calls; call++) await run();
      const { user, system } = process.cpuUsage(before);
      if (turn >= warm) least[i] = Math.min(least[i], (user + system) / 1000 / calls / 2);
    }
  }
  return least;
}

const model = new Uint8Array(await readFile(values.model));
const { config } = readPackage(model).weights, threads = Number(values.threads);
const rows: string[][] = [];
for (const rank of values.ranks.split(",").map(Number)) {
  for (const [targets, maps] of Object.entries(TARGETS)) {
    const files = [0, 1].map(() => adapterOf(config, rank, maps));
    const ner = await Ner.fromBytes(model, { threads }), before = ner.info().memoryBytes;
    const start = performance.now(), one = await ner.withAdapter(files[0]);
    const loading = performance.now() - start, other = await ner.withAdapter(files[1]);
    let text = "";
    const length = Math.min(Number(values.tokens), config.maxPositions) - 2;
    for (let i = 0; ner.tokenize(text).length < length; i++) {
      text += SENTENCES[i % SENTENCES.length];
    }
    text = text.slice(0, ner.tokenize(text)[length - 1].end);
    const through = (...recognisers: Recogniser[]) => async (): Promise<void> => {
      for (const recogniser of recognisers) await recogniser.emissions(text);
    };
    const [alone, adapter, swapped] = await fastest(
      [through(ner, ner), through(one, one), through(one, other)],
      Number(values.seconds),
    );
    rows.push([
      `rank ${rank}, ${targets}`,
      size(files[0].length),
      size(one.info().adapterBytes!),
      size(ner.info().memoryBytes - before),
      ms(loading),
      ms(alone),
      ms(adapter),
      (adapter / alone).toFixed(2),
      (1000 * (swapped - adapter)).toFixed(0),
    ]);
    for (const recogniser of [ner, one, other]) recogniser.close();
  }
}
const { kernel } = await (async () => {
  const ner = await Ner.fromBytes(model), info = ner.info();
  ner.close();
  return info;
})();
console.log(
  `${kernel} kernels, ${threads} threads; milliseconds of the processor for a text of ${values.tokens} tokens`,
);
console.log(table(
  [
    "",
    "file",
    "own bytes",
    "place in use",
    "load, ms",
    "alone",
    "with adapter",
    "ratio",
    "swap, us",
  ],
  rows,
));
process.exit(0);
