/**
 * What a lane budget costs a model by its levels, and what sample text wins back (docs/lane_budget.md).
 *
 *     deno run -A bench/lane_budget.ts TEXTS [--model MODEL] [--levels 181,204,255] [--samples 80]
 *
 * Prints the relative L2, against float32, of the emissions of 30 texts of the file (one a line): of int8 without a
 * budget and with each, every weight rounded for itself, and all of a layer by what other texts of the file give it. The
 * latter takes half a minute each.
 *
 * The model is the default one, or any that `Ner.load` takes. Weights that are int8 have lost their float32: rounded again, they
 * would meet the grid that they lie on and cost nothing. So noise of half a step to either side, evenly, takes its place.
 *
 * Weak: noise gives weights of the same distribution, not those that were trained. Of a float32 model `convert --lanes
 * --sample` says both figures.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  dequantizeEncoder,
  DifferenceMeter,
  LANE_DEPTH,
  loadBundle,
  type ModelBundle,
  Ner,
  quantizeEncoder,
  type QuantizeOptions,
  sampleInputs,
} from "../mod.ts";
import { table } from "../src/cli/table.ts";
import { linearsOf } from "../src/model/linears.ts";

/** Texts that are measured. */
const MEASURED = 30;

/** `count` texts, evenly over those whose place is `phase` modulo 3. */
function evenly(texts: readonly string[], count: number, phase: 0 | 1): string[] {
  const those = texts.filter((_, i) => i % 3 === phase), size = Math.min(count, those.length);
  return Array.from({ length: size }, (_, i) => those[Math.floor(i * those.length / size)]);
}

/** The model in float32; its int8 weights off their grid by up to half a step. */
function unrounded(bundle: ModelBundle): ModelBundle {
  let seed = 7;
  const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const weights = dequantizeEncoder(bundle.weights), stored = linearsOf(bundle.weights);
  for (const [i, { weight: { data, columns } }] of linearsOf(weights).entries()) {
    const { weight } = stored[i];
    if (weight.type !== "i8") continue;
    for (let at = 0; at < data.length; at++) {
      data[at] += (random() - 0.5) * weight.scales[Math.floor(at / columns)];
    }
  }
  return { ...bundle, weights };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string", default: "models/meder/meder-int8.safetensors" },
    levels: { type: "string", default: "181,204,255" },
    samples: { type: "string", default: "80" },
  },
});
if (positionals.length !== 1) {
  console.error("usage: lane_budget.ts TEXTS [--model MODEL] [--levels N,N...] [--samples N]");
  process.exit(2);
}
const lines = [...new Set((await readFile(positionals[0], "utf8")).split(/\r?\n/))]
  .filter((line) => line.trim() !== "");
const measured = evenly(lines, MEASURED, 0), others = evenly(lines, Number(values.samples), 1);
const model = unrounded(await loadBundle(values.model));
const exact = await Ner.fromBundle(model, { backend: "fp32" });
const wanted = await exact.emissionsBatch(measured);
exact.close();

async function errorOf(options: QuantizeOptions): Promise<string> {
  const { weights } = quantizeEncoder(model.weights, options);
  const ner = await Ner.fromBundle({ ...model, weights }), meter = new DifferenceMeter();
  for (const [i, { data }] of (await ner.emissionsBatch(measured)).entries()) {
    meter.add(data, wanted[i].data);
  }
  ner.close();
  return meter.value.relativeL2.toFixed(4);
}

const samples = await sampleInputs(model, others);
const tokens = Math.max(...[...samples.values()].map(({ count }) => count));
console.log(`${measured.length} texts measured; sample text: ${others.length}, ${tokens} tokens\n`);
const budgets = [undefined, ...values.levels.split(",").map(Number)];
const rows: string[][] = [];
for (const levels of budgets) {
  const lanes = levels === undefined ? undefined : { levels, depth: LANE_DEPTH };
  rows.push([
    levels === undefined ? "no budget" : `U = ${levels}`,
    await errorOf({ lanes }),
    await errorOf({ lanes, samples }),
  ]);
}
console.log(table(["", "rounded each for itself", "by sample text"], rows));
