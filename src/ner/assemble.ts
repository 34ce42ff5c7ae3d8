/**
 * A model and kernels to the parts of a recogniser: the backend is chosen and filled. Options were checked by who
 * asks (`check_options.ts`).
 *
 * @module
 */
import type { MakeEngine } from "../backend/accelerate.ts";
import type { Backend } from "../backend/backend.ts";
import { type Engine, PlainEngine } from "../backend/engine.ts";
import { chooseKernels, type ChosenKernels } from "../kernels/module.ts";
import { MAX_THREADS } from "../kernels/contract.ts";
import type { Threading } from "../kernels/threads.ts";
import { WasmBackend, type WasmLimits } from "../backend/wasm/wasm.ts";
import { Crf } from "../crf/crf.ts";
import { parseTags, typesOf } from "../crf/scheme.ts";
import { InputError, ModelError, RuntimeError } from "../errors.ts";
import { checkFeatures, checkTemperature } from "../formats/check.ts";
import { collectModel, type MatrixPart } from "../formats/package/stream.ts";
import { FeatureFinder } from "../lexicon/features.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { checkLexicons } from "../model/lexicon.ts";
import type { EncoderWeights } from "../model/weights.ts";
import { isQuantized } from "../model/linears.ts";
import { quantized, referenceBackend } from "./engines.ts";
import { compileTerms, findingTerms, joinTerms, TermFinder } from "./extras.ts";
import type { KernelOptions, NerOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import { Queue } from "./turns.ts";

/** A kind of backend, by one name each. */
type Kind = Exclude<NonNullable<NerOptions["backend"]>, "wasm">;

function kindOf({ backend = "int8" }: NerOptions): Kind {
  return backend === "wasm" ? "int8" : backend;
}

/** What a backend is made of, beside its model. */
interface Means extends WasmLimits {
  readonly chosen: ChosenKernels;
  /** Most tokens of a pass in WebAssembly, and of a sequence anywhere. */
  readonly maxTokens: number;
}

async function wasmBackend(
  precision: "int8" | "fp32",
  weights: EncoderWeights,
  { chosen, ...options }: Means,
): Promise<Backend> {
  return await WasmBackend.create(chosen, weights, { precision, ...options });
}

/** Makes the engine, of a whole model or of one whose matrices are still to come. */
async function makeEngine(
  kind: Kind,
  bundle: ModelBundle,
  means: Means,
  options: NerOptions & KernelOptions,
  parts: AsyncIterable<MatrixPart> | undefined,
): Promise<Engine> {
  const { chosen, ...limits } = means;
  if (parts && kind === "int8" && isQuantized(bundle.weights)) {
    const { backend, loader } = await WasmBackend.reserve(chosen, bundle.weights, {
      precision: kind,
      ...limits,
    });
    for await (const { matrix, first, rows } of parts) loader.accept(matrix, first, rows);
    loader.finish();
    return new PlainEngine(backend);
  }
  const { weights } = parts ? await collectModel({ bundle, parts }) : bundle;
  switch (kind) {
    case "reference":
      return new PlainEngine(referenceBackend(weights, limits.maxTokens));
    case "fp32":
      return new PlainEngine(await wasmBackend(kind, weights, means));
    case "int8":
      return new PlainEngine(await wasmBackend(kind, quantized(weights), means));
    case "webgpu":
    case "auto":
      return await acceleratedEngine(kind, weights, means, options);
  }
}

/** An engine on a GPU, or beside one. */
async function acceleratedEngine(
  kind: "webgpu" | "auto",
  weights: EncoderWeights,
  means: Means,
  options: NerOptions & KernelOptions,
): Promise<Engine> {
  const { accelerator, gpuPrecision, expect, choice, onGpuLost, maxTokens } = options;
  let int8: EncoderWeights | undefined;
  const inInt8 = (): EncoderWeights => int8 ??= quantized(weights);
  const wasm = (): Promise<Backend> => wasmBackend("int8", inInt8(), means);
  if (typeof accelerator === "function") {
    return await (accelerator as MakeEngine)({
      kind,
      gpuPrecision,
      expect,
      choice,
      onGpuLost,
      weights: (precision) => precision === "int8" ? inInt8() : weights,
      maxTokens,
      maxSequence: Math.min(weights.config.maxPositions, means.maxTokens),
      maxMemoryBytes: means.maxMemoryBytes,
      wasm,
    });
  }
  const reason = accelerator ?? "no accelerator was given; edge-ner/webgpu makes one of a GPU";
  if (kind === "auto") return new PlainEngine(await wasm(), { gpu: { choice: "wasm", reason } });
  throw new RuntimeError("runtime/no-gpu", `The backend webgpu cannot run: ${reason}.`);
}

/** The threads that a backend can use of those that are offered, or why it has none. */
function threadsFor(
  kind: Kind,
  { shared }: ChosenKernels,
  threading: Threading | string | undefined,
): Threading | string | undefined {
  if (typeof threading !== "object") return threading;
  const { threads } = threading;
  if (!Number.isInteger(threads) || threads < 2 || threads > MAX_THREADS) {
    throw new InputError(
      "input/option",
      `threading.threads is ${threads}; expected an integer from 2 to ${MAX_THREADS}.`,
    );
  }
  if (kind === "reference") return "the reference backend has one thread";
  return shared ? threading : "the kernels that were given do not import shared memory";
}

/**
 * The parts of a recogniser, ready for its constructor.
 *
 * @param parts the model's matrices as they arrive, where they are not in the bundle yet
 * @throws {ModelError} if the model's parts do not fit together
 * @throws {InputError} `input/option` for terms that cannot be
 * @throws {RuntimeError} if no kernel module can run here, or memory is refused
 */
export async function assemble(
  bundle: ModelBundle,
  options: NerOptions & KernelOptions,
  parts?: AsyncIterable<MatrixPart>,
): Promise<Parts> {
  const { tokenizer, crf, lexicons } = bundle, { config } = bundle.weights;
  const kind = kindOf(options);
  const maxTokens = options.maxTokens ?? Math.min(2048, Math.max(512, config.maxPositions));
  if (config.maxPositions < 3) {
    throw new ModelError(
      "model/config",
      `the model knows ${config.maxPositions} positions; a token and two special tokens need 3.`,
    );
  }
  if (tokenizer.vocabSize > config.vocabSize) {
    throw new ModelError(
      "model/vocab",
      `the tokenizer has ids up to ${tokenizer.vocabSize - 1}, but the word embedding has only ` +
        `${config.vocabSize} rows: tokenizer and weights are of different models.`,
    );
  }
  checkFeatures(config.features, lexicons);
  if (lexicons) checkLexicons(lexicons, config.features!);
  const { threading, maxMemoryBytes, constrained = true } = options;
  const lanes = (kind === "int8" || kind === "auto") && bundle.weights.lanes !== undefined;
  const chosen = await chooseKernels(options.kernels, { lanes });
  const threads = threadsFor(kind, chosen, threading);
  const tags = parseTags(config.labels);
  const terms = joinTerms(bundle.terms, compileTerms(options, typesOf(tags), "options", lexicons));
  const finder = findingTerms(lexicons && new FeatureFinder(lexicons), terms);
  const temperature = checkTemperature(bundle.temperature ?? 1);
  const layer = await Crf.create(chosen, tags, crf, constrained, temperature);
  const means = {
    chosen,
    maxTokens,
    threading: typeof threads === "object" ? threads : undefined,
    // What the decoder has taken is gone.
    maxMemoryBytes: maxMemoryBytes && Math.max(0, maxMemoryBytes - layer.memoryBytes),
  };
  const engine = await makeEngine(kind, bundle, means, options, parts);
  return {
    engine,
    crf: layer,
    hasCrf: crf !== undefined,
    tokenizer,
    finder,
    terms: terms && new TermFinder(terms, tags),
    wholeWords: bundle.wholeWords === true,
    encoderQueue: new Queue(),
    decoderQueue: new Queue(),
    kernels: chosen,
    constrained,
    maxMemoryBytes: kind === "reference" ? Infinity : maxMemoryBytes ?? Infinity,
    threadsReason: typeof threads === "string" ? threads : undefined,
  };
}
