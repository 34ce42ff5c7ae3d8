/**
 * The zoo's folders, run: what test/formats/zoo.test.ts checks and test/formats/support_table.ts writes down.
 *
 * A folder's model is read without its tokenizer and its emissions are computed by the fp32 kernels, so that a
 * difference is one of reading or of formulas, not of rounding to int8.
 *
 * Tolerances, relative L2 over a sequence:
 * - float: 1e-4 of ONNX Runtime's emissions, whose sums run in another order (1e-6 at worst here).
 * - half: float16 weights, which are read exactly, so PyTorch's float32 run of the same weights is the measure,
 *   1e-4; where a tool converted an export there is none, and ONNX Runtime's own rounding of every activation
 *   to float16 is in the comparison: 1e-3.
 * - quantized: PyTorch's float32 run of the model before it was quantized, 0.08, since the weights have 8 bits
 *   per tensor and are random with outliers of three deviations (0.035 at worst). ONNX Runtime's own run is no
 *   measure: it quantizes activations per tensor, which costs a static QOperator model 0.21. Whether integers,
 *   scales and zero points are read right is checked on the weights themselves, by the test. Weights in blocks
 *   (nbits) have float activations: 1e-4, as for float.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import type { ChosenKernels } from "../../src/kernels/module.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { readCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { headFromTensors } from "../../src/formats/hf/head.ts";
import { readHfConfig } from "../../src/formats/hf/config.ts";
import { readBertGraph } from "../../src/formats/onnx/bert.ts";
import { decodeOnnx } from "../../src/formats/onnx/decode.ts";
import { NerError } from "../../src/errors.ts";
import { encode } from "../../src/backend/encoder.ts";
import type { EncoderWeights } from "../../src/model/weights.ts";
import { relativeL2 } from "../support.ts";

const ROOT = new URL("../fixtures/zoo/", import.meta.url);

/** What a folder's expected.json says. */
export interface Expected {
  readonly architecture: string;
  readonly exporter: string;
  readonly opset: number | null;
  readonly note?: string;
  readonly why?: string;
  readonly then?: readonly (readonly [string, ...unknown[]])[];
  readonly labels: readonly string[];
  readonly sequences: readonly {
    readonly ids: readonly number[];
    readonly emissions: readonly (readonly number[])[];
    readonly float_emissions?: readonly (readonly number[])[];
  }[];
}

/** What became of a folder. */
export interface Outcome {
  readonly name: string;
  readonly expected: Expected;
  readonly kind: "float" | "half" | "quantized" | "refused";
  readonly weights: EncoderWeights | undefined;
  /** Largest relative L2 distance of a sequence's emissions from those that `kind` is measured by. */
  readonly distance: number;
  /** Code and message of the typed error that refused it. */
  readonly refusal: readonly [code: string, message: string] | undefined;
}

/** Largest distance that passes, by what a folder is measured by. */
export function limitOf({ kind, expected }: Pick<Outcome, "kind" | "expected">): number {
  if (kind === "quantized") return 0.08;
  return kind === "half" && expected.then !== undefined ? 1e-3 : 1e-4;
}

/** All folders, sorted. */
export function zooFolders(): string[] {
  return readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    .map((entry) => entry.name).sort();
}

function bytesOf(folder: string, file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${folder}/${file}`, ROOT)));
}

/** A folder's expected.json. */
export function expectedOf(folder: string): Expected {
  return JSON.parse(new TextDecoder().decode(bytesOf(folder, "expected.json"))) as Expected;
}

/** Reads a folder's weights; `changes` are laid over its config.json. Throws the reader's errors. */
export function readZoo(folder: string, changes: Record<string, unknown> = {}): EncoderWeights {
  const names = readdirSync(new URL(`${folder}/`, ROOT));
  const file = (name: string): Uint8Array | undefined =>
    names.includes(name) ? bytesOf(folder, name) : undefined;
  const text = new TextDecoder().decode(bytesOf(folder, "config.json"));
  const config = JSON.stringify({ ...JSON.parse(text) as Record<string, unknown>, ...changes });
  const head = file("head.safetensors");
  const model = file("model.onnx");
  if (model === undefined) {
    return readCheckpoint({ model: bytesOf(folder, "model.safetensors"), config, head }).weights;
  }
  const hf = readHfConfig(config);
  const external = names.filter((name) => /\.(data|onnx_data)$/.test(name));
  const graph = decodeOnnx(model, new Map(external.map((name) => [name, bytesOf(folder, name)])));
  return readBertGraph(graph, hf, head && headFromTensors(head, hf));
}

const QUANTIZERS = ["dynamic", "static", "optimum-quantize"];

/** Reads a folder and computes its sequences' emissions. */
export async function runZoo(name: string, kernels: ChosenKernels): Promise<Outcome> {
  const expected = expectedOf(name);
  const steps = expected.then?.map(([step]) => step) ?? [];
  const measured = expected.sequences?.[0]?.float_emissions !== undefined;
  const kind = expected.why !== undefined
    ? "refused"
    : steps.some((step) => QUANTIZERS.includes(step))
    ? "quantized"
    : measured && !steps.includes("nbits")
    ? "half"
    : "float";
  let weights: EncoderWeights;
  try {
    weights = readZoo(name);
  } catch (error) {
    if (!(error instanceof NerError)) throw error;
    const refusal = [error.code, error.message] as const;
    return { name, expected, kind, weights: undefined, distance: NaN, refusal };
  }
  if (kind === "refused") {
    return { name, expected, kind, weights, distance: NaN, refusal: undefined };
  }
  const backend = await WasmBackend.create(kernels, weights, { precision: "fp32", maxTokens: 64 });
  let distance = 0;
  for (const { ids, emissions, float_emissions } of expected.sequences) {
    const offsets = Int32Array.of(0, ids.length);
    const got = await encode(backend, { ids: Int32Array.from(ids), offsets });
    const exact = kind === "quantized" || (kind === "half" && expected.then === undefined);
    const want = exact ? float_emissions! : emissions;
    distance = Math.max(distance, relativeL2(got, Float32Array.from(want.flat())));
  }
  backend.close();
  return { name, expected, kind, weights, distance, refusal: undefined };
}

/** All folders, one after the other. */
export async function runWholeZoo(kernels: ChosenKernels): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const name of zooFolders()) outcomes.push(await runZoo(name, kernels));
  return outcomes;
}
