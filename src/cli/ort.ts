/**
 * onnxruntime-web as a second opinion: loads it if it is installed, and runs a token classifier on ids.
 *
 * It is an optional peer, of 14 MB, so it is found and imported only when `verify` asks. Which of its
 * files to import, and how it finds its WebAssembly, differs between runtimes; one thread keeps its sums
 * in one order.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type * as Ort from "onnxruntime-web";
import type { EncoderWeights } from "../../mod.ts";
import { oneLine, UsageError } from "./errors.ts";

/** One model in ONNX Runtime. */
export interface OrtModel {
  /** Emissions `[ids.length, labels]` of one sequence with its special tokens. */
  run(ids: ArrayLike<number>): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Folder of the installed package's `dist`, or undefined if it is not installed. */
function findOrt(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  } catch {
    return undefined;
  }
}

/** Imports onnxruntime-web. Throws {@link UsageError} with what to install if it is absent. */
export async function loadOrt(): Promise<typeof Ort> {
  const dist = findOrt();
  if (dist === undefined) {
    throw new UsageError(
      "verify compares with onnxruntime-web, which is not installed; add it with " +
        "`npm install onnxruntime-web` (deno add npm:onnxruntime-web, bun add onnxruntime-web)",
    );
  }
  const node = !("deno" in process.versions) && !("bun" in process.versions);
  const file = node ? "ort.node.min.mjs" : "ort.wasm.min.mjs";
  const ort = await import(pathToFileURL(join(dist, file)).href) as typeof Ort;
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1;
  // Bun takes a path where the others take a URL.
  const folder = dist + "/";
  ort.env.wasm.wasmPaths = "bun" in process.versions ? folder : pathToFileURL(folder).href;
  if (!node) {
    // Given its bytes, it does not fetch, which not every runtime allows for files.
    const wasm = readFileSync(join(dist, "ort-wasm-simd-threaded.wasm"));
    ort.env.wasm.wasmBinary = new Uint8Array(wasm).buffer;
  }
  return ort;
}

/** A tensor's numbers, of float32 or float16. */
function toFloats(data: Ort.Tensor.DataType): Float32Array | undefined {
  if (data instanceof Float32Array) return data;
  // Engines that know float16 hand it out as such, others as its bits.
  if (data.constructor.name === "Float16Array") return Float32Array.from(data as Iterable<number>);
  if (!(data instanceof Uint16Array)) return undefined;
  return Float32Array.from(data, (bits) => {
    const exponent = bits >> 10 & 31, fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent === 0
      ? sign * fraction * 2 ** -24
      : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

/** Emissions of an encoder's hidden states, for a graph whose head is kept beside it. */
function classify(
  hidden: Float32Array,
  { config, classifier: { weight, bias } }: EncoderWeights,
): Float32Array {
  if (config.head) {
    throw new UsageError(
      "the graph ends at the hidden states, and the head beside it has two layers, which verify does not " +
        "compute; compare with an export that has its head",
    );
  }
  if (weight.type !== "f32") throw new UsageError("the model's head is not float32");
  const { rows, columns, data: matrix } = weight;
  const tokens = hidden.length / columns, out = new Float32Array(tokens * rows);
  for (let t = 0; t < tokens; t++) {
    for (let r = 0; r < rows; r++) {
      let sum = bias[r];
      for (let c = 0; c < columns; c++) sum += hidden[t * columns + c] * matrix[r * columns + c];
      out[t * rows + r] = sum;
    }
  }
  return out;
}

/** Token ids and everything else that an exported BERT may want besides. */
function feedsFor(
  ort: typeof Ort,
  wanted: readonly string[],
  ids: ArrayLike<number>,
): Ort.InferenceSession.FeedsType {
  const length = ids.length;
  const tensor = (value: (i: number) => number): Ort.Tensor =>
    new ort.Tensor("int64", BigInt64Array.from({ length }, (_, i) => BigInt(value(i))), [
      1,
      length,
    ]);
  const known: Readonly<Record<string, () => Ort.Tensor>> = {
    input_ids: () => tensor((i) => ids[i]),
    attention_mask: () => tensor(() => 1),
    token_type_ids: () => tensor(() => 0),
    position_ids: () => tensor((i) => i),
  };
  return Object.fromEntries(wanted.map((name) => {
    if (!Object.hasOwn(known, name)) {
      throw new UsageError(
        `the model wants an input ${JSON.stringify(name)}; known are ${
          Object.keys(known).join(", ")
        }`,
      );
    }
    return [name, known[name]()];
  }));
}

/**
 * Opens an ONNX model of token classification, or an encoder whose head is among `weights`; `external` holds the files that it
 * keeps weights in, by the names that it calls them.
 */
export async function openOrt(
  ort: typeof Ort,
  model: Uint8Array,
  external: ReadonlyMap<string, Uint8Array> | undefined,
  weights: EncoderWeights,
): Promise<OrtModel> {
  const { config } = weights;
  const labels = config.labels.length;
  const externalData = [...external ?? []].map(([path, data]) => ({ path, data }));
  let session: Ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      ...(externalData.length > 0 && { externalData }),
    });
  } catch (error) {
    throw new UsageError(`onnxruntime-web cannot load it: ${oneLine(String(error))}`);
  }
  return {
    async run(ids): Promise<Float32Array> {
      let outputs: Ort.InferenceSession.OnnxValueMapType;
      try {
        outputs = await session.run(feedsFor(ort, session.inputNames, ids));
      } catch (error) {
        if (error instanceof UsageError) throw error;
        throw new UsageError(
          `onnxruntime-web cannot run it with ${ids.length} tokens: ${oneLine(String(error))}`,
        );
      }
      const rows = (width: number): Float32Array | undefined => {
        for (const name of session.outputNames) {
          const { data, dims } = outputs[name] as Ort.Tensor;
          if (dims.at(-1) === width && data.length === ids.length * width) return toFloats(data);
        }
      };
      const emissions = rows(labels);
      if (emissions) return emissions;
      const hidden = rows(config.hiddenSize);
      if (hidden) return classify(hidden, weights);
      throw new UsageError(
        `no output of the model has ${ids.length} tokens x ${labels} labels, nor x ` +
          `${config.hiddenSize} columns`,
      );
    },
    close: () => session.release(),
  };
}
