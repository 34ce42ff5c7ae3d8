/**
 * Sample text through a float32 encoder, for what its linear layers are given: what quantizing can go by.
 *
 * @module
 */
import { encode } from "../backend/encoder.ts";
import { observed } from "../backend/observe.ts";
import type { Linear } from "../backend/backend.ts";
import { WasmBackend } from "../backend/wasm/wasm.ts";
import { InputError } from "../errors.ts";
import { chooseKernels } from "../kernels/module.ts";
import { FeatureFinder } from "../lexicon/features.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { linearsOf } from "../model/linears.ts";
import type { Matrix } from "../model/weights.ts";
import { Moments } from "../quantize/moments.ts";
import { windowSize } from "./passes.ts";
import { windowsOf } from "./windows.ts";

/** Tokens of a pass: all inputs of all layers are kept until they are counted. */
const TOKENS = 512;

/** What the linear layers of an encoder are given, by their weights. */
export type Samples = ReadonlyMap<Matrix, Moments>;

/**
 * Runs texts through a model in float32, and counts what its linear layers are given: for `quantizeEncoder`. Takes the square of
 * each layer's inputs in memory, and as many multiplications a token.
 *
 * @throws {InputError} `input/option` if there is no token in the texts
 * @throws {RuntimeError} if no kernel module can run here, or memory is refused
 */
export async function samplesOf(
  bundle: ModelBundle,
  texts: Iterable<string>,
  kernels: readonly WebAssembly.Module[],
): Promise<Samples> {
  const { tokenizer, weights, lexicons } = bundle, chosen = await chooseKernels(kernels);
  const backend = await WasmBackend.create(chosen, weights, {
    precision: "fp32",
    maxTokens: TOKENS,
  });
  const maxSequence = Math.min(weights.config.maxPositions, TOKENS);
  const matrices = linearsOf(weights).map(({ weight }) => weight);
  const samples = new Map(matrices.map((matrix) => [matrix, new Moments(matrix.columns)]));
  const places = new Map<Linear, Matrix>(linearsOf(backend).map((l, i) => [l, matrices[i]]));
  const finder = lexicons && new FeatureFinder(lexicons), width = finder?.count ?? 0;
  const seen: Promise<void>[] = [];
  const watched = observed(backend, (linear, input) => {
    seen.push(input.then((rows) => samples.get(places.get(linear)!)!.add(rows)));
  });
  try {
    for (const text of texts) {
      const encoding = tokenizer.encode(text), { ids } = encoding;
      const found = finder?.features(text, encoding);
      for (const { start, end } of windowsOf(ids.length, windowSize({ maxSequence }))) {
        const own = [tokenizer.cls, ...ids.subarray(start, end), tokenizer.sep];
        // The special tokens around a window have none.
        const features = found && new Float32Array(own.length * width);
        features?.set(found!.subarray(start * width, end * width), width);
        await encode(watched, {
          ids: Int32Array.from(own),
          offsets: Int32Array.of(0, own.length),
          ...(features && { features }),
        });
        await Promise.all(seen.splice(0));
      }
    }
  } finally {
    backend.close();
  }
  if ([...samples.values()].some(({ count }) => count === 0)) {
    throw new InputError(
      "input/option",
      "the sample texts have no tokens; expected some sentences.",
    );
  }
  return samples;
}
