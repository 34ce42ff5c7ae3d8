/**
 * What one processor makes of a packed model without a lane budget and of one with it: the kernel that the package takes
 * for each by itself, and the hash of the emissions. Bundled by run.ts, all but the package; prints a line of JSON.
 *
 * Arguments: the two models. Weak: the texts and the passes are few, since an emulated processor takes some thirty times as long.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { defaultKernels, type LoadOptions, Ner } from "edge-ner";
import { fingerprint, TEXTS } from "../shared.ts";

/** A pass over the texts. */
export interface Pass {
  /** What was asked for; its hash does not depend on the processor. */
  readonly what: "int8" | "fp32" | "lanes";
  /** The kernel that ran. */
  readonly kernel: string;
  /** Whether the package chose it. */
  readonly taken: boolean;
  readonly threads: number;
  /** SHA-256 of the emissions. */
  readonly hash: string;
}

/** All but the last, which is longer than any window. */
const SOME = TEXTS.slice(0, -1);

async function pass(what: Pass["what"], model: Uint8Array, options: LoadOptions): Promise<Pass> {
  const ner = await Ner.fromBytes(model, options), { kernel, threads } = ner.info();
  const hash = await fingerprint(ner, threads > 1, SOME);
  ner.close();
  return { what, kernel, taken: options.kernels === undefined, threads, hash };
}

const [plain, lanes] = await Promise.all(
  process.argv.slice(2).map(async (file) => new Uint8Array(await readFile(file))),
);
const passes = [
  await pass("int8", plain, { threads: 2 }),
  await pass("fp32", plain, { backend: "fp32", threads: 1 }),
  await pass("lanes", lanes, { threads: 2 }),
];
for (const module of await defaultKernels()) {
  try {
    passes.push(await pass("lanes", lanes, { kernels: [module] }));
  } catch (error) {
    // What the probe refuses.
    if ((error as { code?: string }).code !== "runtime/kernels") throw error;
  }
}
console.log(JSON.stringify(passes));
