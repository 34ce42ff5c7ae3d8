/**
 * The target `graph-change`: a graph with one change, read here and run by onnxruntime-web.
 *
 * A change must be refused, harmless (neither engine's emissions differ from the original's), or followed (both
 * change alike); what is accepted with another result than ONNX Runtime's is a failure. Emissions are compared
 * on texts alone and on a padded batch, one of them nearly as long as the model allows, with ids of the
 * padding's id at the padding.
 *
 * Both engines compute without rounding anything to integers (`unrounded.ts`), since a quantized file's rounding
 * is not this library's. What is left is float32's: the original's own distance is measured first, and three
 * times that is allowed, but 1e-4 at least. A change that ONNX Runtime cannot run has no result to compare with,
 * and is counted apart.
 *
 * @module
 */
import type * as Ort from "onnxruntime-web";
import type { ExportFiles, ModelBundle } from "../mod.ts";
import { encode } from "../src/backend/encoder.ts";
import { ReferenceBackend } from "../src/backend/reference/reference.ts";
import { loadOrt } from "../src/cli/ort.ts";
import { textOf } from "../src/formats/hf/tokenizer.ts";
import { readHfConfig } from "../src/formats/hf/config.ts";
import { decodeOnnx } from "../src/formats/onnx/decode.ts";
import { bundleFromExport } from "../src/formats/read_export.ts";
import type { Case, Target } from "./case.ts";
import { changeGraph } from "./graph_change.ts";
import { must } from "./promises.ts";
import { Random } from "./random.ts";
import { unrounded } from "./unrounded.ts";

/** Texts of ids that are run together, padded to the longest. */
type Batch = readonly (readonly number[])[];

/** Emissions of a batch's texts, one after the other, without padding. */
type Emissions = Float32Array;

/** What a good graph is compared on, and what it gives where nothing is rounded. */
export interface Twin {
  /** The padding's id. */
  readonly padding: number;
  readonly batches: readonly Batch[];
  readonly ort: readonly Emissions[];
  /** Relative L2 of both engines on the graph as it is. */
  readonly distance: number;
}

let ort: typeof Ort | undefined;

/**
 * Relative L2 distance of two vectors; infinite where one is not finite and the other is. Weights that are not
 * finite give nothing to compare.
 */
function distance(a: Emissions, b: Emissions): number {
  let error = 0, norm = 0;
  for (let i = 0; i < b.length; i++) {
    if (!Number.isFinite(a[i]) && !Number.isFinite(b[i])) continue;
    error += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return a.length !== b.length || Number.isNaN(error) ? Infinity : Math.sqrt(error / (norm || 1));
}

function furthest(a: readonly Emissions[], b: readonly Emissions[]): number {
  return Math.max(...a.map((each, i) => distance(each, b[i]!)));
}

/** Runs a graph on batches. Throws what onnxruntime-web throws. */
async function runOrt(
  files: ExportFiles,
  batches: readonly Batch[],
  padding: number,
): Promise<Emissions[]> {
  ort ??= await loadOrt();
  const { Tensor, InferenceSession } = ort;
  const external = [...files.external ?? []].map(([path, data]) => ({ path, data }));
  const session = await InferenceSession.create(files.model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 4,
    ...(external.length > 0 && { externalData: external }),
  });
  try {
    const all: Emissions[] = [];
    for (const batch of batches) {
      const width = Math.max(...batch.map(({ length }) => length));
      const tensor = (value: (ids: readonly number[], t: number) => number): Ort.Tensor =>
        new Tensor(
          "int64",
          BigInt64Array.from(
            batch.flatMap((ids) => Array.from({ length: width }, (_, t) => BigInt(value(ids, t)))),
          ),
          [batch.length, width],
        );
      const known: Record<string, Ort.Tensor> = {
        input_ids: tensor((ids, t) => ids[t] ?? padding),
        attention_mask: tensor((ids, t) => t < ids.length ? 1 : 0),
        token_type_ids: tensor(() => 0),
      };
      const feeds = Object.fromEntries(session.inputNames.map((name) => [name, known[name]!]));
      const { data } = (await session.run(feeds))[session.outputNames[0]!]!;
      const values = data as Float32Array, columns = values.length / (batch.length * width);
      const rows = batch.map((ids, i) =>
        values.slice(i * width * columns, (i * width + ids.length) * columns)
      );
      const out = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
      rows.reduce((at, row) => (out.set(row, at), at + row.length), 0);
      all.push(out);
    }
    return all;
  } finally {
    await session.release();
  }
}

/** The same files with a graph that rounds nothing. */
function exact(files: ExportFiles): ExportFiles {
  return { ...files, model: unrounded(files.model) ?? files.model };
}

async function runOurs({ weights }: ModelBundle, batches: readonly Batch[]): Promise<Emissions[]> {
  const { config } = weights, all: Emissions[] = [];
  for (const batch of batches) {
    const offsets = Int32Array.of(0, ...batch.map(({ length }) => length));
    for (let i = 1; i < offsets.length; i++) offsets[i]! += offsets[i - 1]!;
    const ids = Int32Array.from(batch.flat());
    const longest = Math.max(...batch.map(({ length }) => length));
    must(longest <= config.maxPositions, `it takes ${config.maxPositions} tokens, not ${longest}`);
    must(Math.max(...ids) < config.vocabSize, "it has fewer embeddings");
    const backend = new ReferenceBackend(weights, ids.length);
    all.push(await encode(backend, { ids, offsets }));
    backend.close();
  }
  return all;
}

/** Lengths of texts that are run together: alone, padded, and nearly as long as there are positions. */
function batchesFor(bundle: ModelBundle, files: ExportFiles): Batch[] {
  const { vocabSize, maxPositions } = bundle.weights.config, random = new Random(1, "texts", 0);
  const text = (length: number): number[] =>
    Array.from({ length }, () => 7 + random.int(vocabSize - 7));
  const { inputs, shapes } = decodeOnnx(files.model, files.external);
  const [batch, length] = shapes.get("input_ids") ?? [];
  if (length !== undefined) {
    return [Array.from({ length: batch ?? 1 }, () => text(length))];
  }
  const alone = [[text(11)], [text(1)], [text(maxPositions - 1)]];
  // A graph that is told of no mask takes no padding.
  return inputs.includes("attention_mask") ? [[text(7), text(4), text(1)], ...alone] : alone;
}

/** Good graphs that ONNX Runtime runs, by their bytes; undefined for those that it does not. */
const twins = new Map<Uint8Array, Promise<Twin | undefined>>();

/** A good graph's answers; made once. */
export function twinOf(files: ExportFiles): Promise<Twin | undefined> {
  let twin = twins.get(files.model);
  if (twin === undefined) {
    twin = (async () => {
      const bundle = bundleFromExport(files), batches = batchesFor(bundle, files);
      const padding = readHfConfig(textOf(files.config, "config.json")).paddingId ?? 0;
      try {
        const theirs = await runOrt(exact(files), batches, padding);
        const distance = furthest(await runOurs(bundle, batches), theirs);
        return { padding, batches, ort: theirs, distance };
      } catch {
        return undefined;
      }
    })();
    twins.set(files.model, twin);
  }
  return twin;
}

/** What ONNX Runtime's heap may take, which it does not give back. */
const ORT_BYTES = 256 * 2 ** 20;

/** The target. */
export const graphChange: Target = {
  name: "graph-change",
  async prepare(seeds): Promise<void> {
    await twinOf(seeds.readable[0]!);
  },
  make(random, seeds): Case {
    // An encoder whose head is beside it gives hidden states, which are not emissions.
    const files = random.pick(seeds.readable);
    const { model, what } = changeGraph(random, files.model);
    let kind = "";
    return {
      files: { "model.onnx": model },
      what: () => what,
      kind: () => kind,
      read: () => bundleFromExport({ ...files, model }),
      async use(value): Promise<number> {
        const twin = await twinOf(files);
        if (twin === undefined) {
          kind = "not run by onnxruntime-web";
          return ORT_BYTES;
        }
        const changed = { ...files, model }, real = exact(changed);
        let theirs: Emissions[];
        try {
          theirs = await runOrt(changed, twin.batches, twin.padding);
        } catch {
          kind = "not run by onnxruntime-web once it is changed";
          return ORT_BYTES;
        }
        try {
          if (real.model !== model) theirs = await runOrt(real, twin.batches, twin.padding);
        } catch {
          kind = "run by onnxruntime-web with its rounding only";
          return ORT_BYTES;
        }
        const ours = await runOurs(value as ModelBundle, twin.batches);
        const limit = Math.max(1e-4, 3 * twin.distance), off = furthest(ours, theirs);
        must(
          off <= limit,
          `accepted with another result: relative L2 ${off.toExponential(1)} where ${
            limit.toExponential(1)
          } is allowed; ${what}`,
        );
        kind = furthest(theirs, twin.ort) <= limit ? "harmless" : "followed";
        return ORT_BYTES;
      },
    };
  },
};
