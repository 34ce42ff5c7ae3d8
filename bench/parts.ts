/**
 * Where a pass of the encoder goes: the fastest time of each operation, and of products what they reach.
 *
 * `deno run -A bench/parts.ts [--model default|paper] [--precision int8|fp32] [--length N] [--layers N] [--seconds N]`, or
 * `bun bench/parts.ts` with the same. Random weights of the model's shape, one sequence, one thread.
 *
 * Commands are written one by one and carried out together; here each is carried out as soon as it is written, and timed.
 * Operations are short, so on a busy machine their fastest times say more than that of a whole pass does. Weak: their sum is
 * of moments that no one pass had all of.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { encode } from "../src/backend/encoder.ts";
import { table } from "../src/cli/table.ts";
import { PANEL } from "../src/kernels/contract.ts";
import { Program } from "../src/kernels/program.ts";
import { LANE_DEPTH, quantizeEncoder } from "../mod.ts";
import { ms } from "./measure.ts";
import { randomInt8Weights, SHAPES } from "./models.ts";
import { openOurs } from "./ours.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "default" },
    precision: { type: "string", default: "fp32" },
    length: { type: "string", default: "128" },
    layers: { type: "string", default: "1" },
    seconds: { type: "string", default: "10" },
  },
});
const { precision } = values, length = Number(values.length);
if (precision !== "fp32" && precision !== "int8") throw new Error("--precision is fp32 or int8");
if (values.model !== "default" && values.model !== "paper") {
  throw new Error("--model is default or paper");
}

// Words are looked up in a small part of any vocabulary.
const shape = { ...SHAPES[values.model], vocabSize: 1000, layers: Number(values.layers) };
const lanes = { levels: 181, depth: LANE_DEPTH };
const { weights } = quantizeEncoder(randomInt8Weights(shape), { lanes });
const ours = await openOurs(1), backend = await ours.encoder(weights, precision, length);

/** Of an operation at one size: the time of all its commands in this pass, in the fastest pass, and 2 x multiply-adds. */
interface Part {
  now: number;
  least: number;
  operations: number;
}

const parts = new Map<string, Part>();

/** Adds what one command took. */
function count(name: string, time: number, operations: number): void {
  const part = parts.get(name) ?? { now: 0, least: Infinity, operations: 0 };
  part.now += time;
  part.operations += operations;
  parts.set(name, part);
}

type Add = typeof Program.prototype.add;
type RunInPieces = typeof Program.prototype.runInPieces;
const { add, runInPieces } = Program.prototype;
let known: Parameters<RunInPieces> | undefined;
Program.prototype.runInPieces = function (...args: Parameters<RunInPieces>) {
  known = args;
  return runInPieces.apply(this, args);
};
Program.prototype.add = function (...args: Parameters<Add>): void {
  add.apply(this, args);
  // Before the first pass nobody knows what to run with.
  if (known === undefined) return;
  const [operation, , { m, k, panels, activation, update }] = args, n = panels * PANEL;
  const product = String(operation).startsWith("gemm");
  const size = product ? ` ${m}x${n}x${k}` : "";
  const along = [...update ? ["norm"] : [], ...activation ? ["activation"] : []].join(", ");
  const start = performance.now();
  this.run(...known);
  const time = performance.now() - start;
  const name = String(operation) + size + (!product && k && along ? ` with ${along}` : "");
  count(name, time, product ? 2 * m * n * k : 0);
};

const ids = Int32Array.from({ length }, (_, i) => (i * 7919 + 5) % shape.vocabSize);
const batch = { ids, offsets: Int32Array.of(0, length) };
const end = performance.now() + Number(values.seconds) * 1000;
while (performance.now() < end) {
  for (const part of parts.values()) part.now = part.operations = 0;
  await encode(backend, batch);
  for (const part of parts.values()) {
    // In the first pass nothing was timed.
    if (part.now > 0) part.least = Math.min(part.least, part.now);
  }
}

const { bun, deno, node } = process.versions;
const all = [...parts.values()].reduce((sum, { least }) => sum + least, 0);
console.log(
  `${bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`}, ${ours.version}: ` +
    `${values.model}, ${precision}, ${length} tokens, ${shape.layers} of its layers\n` +
    table(
      ["operation", "ms", "share", "GOP/s"],
      [...parts].map(([name, { least, operations }]) => [
        name,
        ms(least),
        `${(100 * least / all).toFixed(0)} %`,
        operations > 0 ? (operations / least / 1e6).toFixed(1) : "",
      ]),
    ) + `\nin all ${ms(all)} ms`,
);
backend.close();
