/**
 * A model and kernels to the parts of a recogniser: the backend is chosen and filled. Options were checked by who
 * asks (`check_options.ts`).
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import { chooseKernels, type ChosenKernels } from "../kernels/module.ts";
import { MAX_THREADS } from "../kernels/contract.ts";
import type { Threading } from "../kernels/threads.ts";
import { WasmBackend, type WasmLimits } from "../backend/wasm/wasm.ts";
import { Crf } from "../crf/crf.ts";
import { parseTags, typesOf } from "../crf/scheme.ts";
import { InputError, ModelError } from "../errors.ts";
import { checkFeatures, checkTemperature } from "../formats/check.ts";
import { collectModel, type MatrixPart } from "../formats/package/stream.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { FeatureFinder } from "../lexicon/features.ts";
import { checkLexicons } from "../model/lexicon.ts";
import { isQuantized } from "../model/linears.ts";
import { quantized, referenceBackend } from "./engines.ts";
import type { KernelOptions, NerOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import { compileTerms, findingTerms, joinTerms, TermFinder } from "./terms.ts";
import { Queue } from "./turns.ts";

/** Makes the backend, of a whole model or of one whose matrices are still to come. */
async function makeBackend(
  kind: NonNullable<NerOptions["backend"]>,
  chosen: ChosenKernels,
  bundle: ModelBundle,
  maxTokens: number,
  limits: WasmLimits,
  parts: AsyncIterable<MatrixPart> | undefined,
): Promise<Backend> {
  if (parts && kind === "int8" && isQuantized(bundle.weights)) {
    const { backend, loader } = await WasmBackend.reserve(chosen, bundle.weights, {
      precision: kind,
      maxTokens,
      ...limits,
    });
    for await (const { matrix, first, rows } of parts) loader.accept(matrix, first, rows);
    loader.finish();
    return backend;
  }
  const { weights } = parts ? await collectModel({ bundle, parts }) : bundle;
  if (kind === "reference") return referenceBackend(weights, maxTokens);
  return await WasmBackend.create(
    chosen,
    kind === "int8" ? quantized(weights) : weights,
    { precision: kind, maxTokens, ...limits },
  );
}

/** The threads that a backend can use of those that are offered, or why it has none. */
function threadsFor(
  kind: NonNullable<NerOptions["backend"]>,
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
  const kind = options.backend ?? "int8";
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
  const lanes = kind === "int8" && bundle.weights.lanes !== undefined;
  const chosen = await chooseKernels(options.kernels, { lanes });
  const threads = threadsFor(kind, chosen, threading);
  const tags = parseTags(config.labels);
  const terms = joinTerms(bundle.terms, compileTerms(options, typesOf(tags), "options", lexicons));
  const finder = findingTerms(lexicons && new FeatureFinder(lexicons), terms);
  const temperature = checkTemperature(bundle.temperature ?? 1);
  const layer = await Crf.create(chosen, tags, crf, constrained, temperature);
  const limits = {
    threading: typeof threads === "object" ? threads : undefined,
    // What the decoder has taken is gone.
    maxMemoryBytes: maxMemoryBytes && Math.max(0, maxMemoryBytes - layer.memoryBytes),
  };
  const backend = await makeBackend(kind, chosen, bundle, maxTokens, limits, parts);
  return {
    backend,
    crf: layer,
    hasCrf: crf !== undefined,
    tokenizer,
    finder,
    terms: terms && new TermFinder(terms, tags),
    encoderQueue: new Queue(),
    decoderQueue: new Queue(),
    kernels: chosen,
    constrained,
    maxMemoryBytes: kind === "reference" ? Infinity : maxMemoryBytes ?? Infinity,
    threadsReason: typeof threads === "string" ? threads : undefined,
  };
}
