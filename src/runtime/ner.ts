/**
 * The recogniser as users import it: the core's, which takes bytes and compiled kernels, plus what a
 * runtime can do about finding both.
 *
 * The core stays free of files, URLs and import tricks; this class adds {@link Ner.load} and default
 * kernels, and nothing about recognition. How is decided by `platform.ts`, which a build for browsers or workers
 * exchanges, so that no runtime ever parses another one's imports.
 *
 * @module
 */
import { platform } from "./platform.ts";
import { FormatError, InputError, isBytes, RuntimeError, show } from "../errors.ts";
import {
  bundleFromFolder,
  type Folder,
  type FolderContent,
  readFolder,
} from "../formats/folder.ts";
import { bundleFromExport, type ExportFiles } from "../formats/read_export.ts";
import { packageOf } from "../formats/package/read.ts";
import { type ByteSource, collectModel, streamPackage } from "../formats/package/stream.ts";
import { MAX_THREADS } from "../kernels/contract.ts";
import { loadingKernels } from "../kernels/loading.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { assemble } from "../ner/assemble.ts";
import type { Accelerator, KernelOptions, NerOptions } from "../ner/options.ts";
import { checkOptions, integer, MODEL_RULES, type Rules } from "../ner/check_options.ts";
import { Recogniser } from "../ner/recogniser.ts";
import { type Samples, samplesOf } from "../ner/sample.ts";
import { collect } from "./download.ts";
import { GPU_RULE, type GpuSource } from "./gpu/source.ts";
import type { ModelSource } from "./source.ts";
import { SOURCE_RULES, type SourceOptions } from "./source_options.ts";
import { threadsOf } from "./threading.ts";
import { RemoteNer } from "./worker/client.ts";

/** Options of {@link Ner.load} and of the other ways to make a recogniser. */
export interface LoadOptions extends NerOptions, Partial<KernelOptions> {
  /**
   * Threads that a pass through the encoder may use, the calling one included: an integer from 1 to 64. Default: one
   * for each core, up to four. Where the runtime has no threads, or `kernels` are given that do not import shared
   * memory, there is one, and {@link Ner.info} says why. Results do not depend on it, bit for bit.
   */
  threads?: number;
  /**
   * For the backends `webgpu` and `auto`: the GPU, or a device of it, which stays the caller's own. Default: `navigator.gpu`,
   * of which a device is opened that ends with the recogniser.
   */
  gpu?: GpuSource;
}

/** Options of {@link Ner.inWorker}. */
export interface WorkerOptions
  extends
    Omit<LoadOptions, "threading" | "gpu" | "accelerator" | "onGpuLost">,
    Omit<SourceOptions, "fetch"> {
  /**
   * Starts the worker, a `Worker` of the page or of `node:worker_threads`, whose program is `edge-ner/worker`: for
   * bundlers that do not follow `new URL("...", import.meta.url)`. Default: the package's own file.
   */
  worker?: () => unknown;
}

const LOAD_RULES: Rules<LoadOptions> = {
  ...MODEL_RULES,
  threads: integer(1, MAX_THREADS),
  gpu: GPU_RULE,
};

/** What cannot be sent to a worker. (Those functions can be given that are only told something, which they are from here.) */
const UNSENDABLE: readonly string[] = ["threading", "fetch", "gpu", "accelerator", "onGpuLost"];

/** A model's files by role. */
export interface ModelFiles {
  /** The package, or the files of the export or of the checkpoint. */
  readonly content: FolderContent;
  /** Sizes in bytes of all files that were read, by name. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** A folder, of which one graph may have been named. */
type Chosen = Folder & { readonly graph?: string };

/** Options that say where a model comes from, apart from those that say how it runs. */
function split(options: LoadOptions & SourceOptions): [SourceOptions, LoadOptions] {
  const entries = Object.entries(options);
  const of = (own: boolean) =>
    Object.fromEntries(entries.filter(([name]) => Object.hasOwn(SOURCE_RULES, name) === own));
  return [of(true), of(false)];
}

/** Refuses options of what is not named: of a hub's model, of a folder. */
function checkSource(
  source: ModelSource,
  { dtype, revision }: SourceOptions,
  method: string,
): void {
  const fail = (message: string): never => {
    throw new InputError("input/option", `${method}: ${message}`);
  };
  const name = String(source);
  if (revision !== undefined && !/^hf:/i.test(name)) {
    fail("revision is of models of the Hugging Face hub, hf:OWNER/NAME.");
  }
  if (dtype !== undefined && /\.(onnx|safetensors|ner)$/i.test(name)) {
    fail("dtype chooses among the graphs of a folder, but the source is one file.");
  }
}

/** Opens a source, hands it to `read`, and keeps in the cache only what could be read. */
async function reading<T>(
  source: ModelSource,
  options: SourceOptions,
  method: string,
  read: (opened: ByteSource | Chosen) => Promise<T>,
): Promise<T> {
  const { cache, integrity, signal } = options;
  checkSource(source, options, method);
  signal?.throwIfAborted();
  const kept = cache === undefined || cache === false ? undefined : await platform.cache(cache);
  const opened = await platform.open(source, options, kept);
  try {
    if (integrity === undefined) return await read(opened);
    // Loaded when it is asked for: a load that names no digest should not wait for the import.
    const { verified } = await import("./integrity.ts");
    return await read(verified(opened, integrity));
  } catch (error) {
    const damaged = error instanceof FormatError ||
      error instanceof RuntimeError && error.code === "runtime/integrity";
    if (damaged) await opened.forget?.();
    throw error;
  }
}

/** A package's bytes, or the files of a folder. */
async function contentOf(
  opened: ByteSource | Chosen,
  { dtype }: SourceOptions,
): Promise<FolderContent> {
  return "chunks" in opened
    ? { kind: "package", bytes: await collect(opened) }
    : await readFolder(opened, { graph: opened.graph, dtype });
}

/**
 * Reads a model's files, from wherever {@link Ner.load} does, and says which is which.
 *
 * @throws what {@link Ner.load} throws while it reads
 */
export async function openModel(
  source: ModelSource,
  options: SourceOptions = {},
): Promise<ModelFiles> {
  checkOptions(options, "openModel", SOURCE_RULES);
  const sizes: Record<string, number> = {};
  return await reading(source, options, "openModel", async (opened) => {
    if ("chunks" in opened) {
      const bytes = await collect(opened), name = String(source).split(/[/\\]/).at(-1)!;
      return { content: { kind: "package", bytes }, sizes: { [name]: bytes.length } };
    }
    const read = async (name: string): Promise<Uint8Array> => {
      const bytes = await opened.read(name);
      sizes[name] = bytes.length;
      return bytes;
    };
    return { content: await contentOf({ ...opened, read }, options), sizes };
  });
}

/**
 * Reads a model without making a recogniser of it: for converting, inspecting and comparing.
 *
 * @param source as {@link Ner.load} takes it.
 * @throws what {@link Ner.load} throws while it reads.
 */
export async function loadBundle(
  source: ModelSource,
  options: Pick<NerOptions, "allowStripAccents"> & SourceOptions = {},
): Promise<ModelBundle> {
  const { allowStripAccents } = MODEL_RULES;
  checkOptions(options, "loadBundle", { allowStripAccents, ...SOURCE_RULES });
  const [from, own] = split(options);
  return await reading(source, from, "loadBundle", async (opened) => {
    if (!("chunks" in opened)) return bundleFromFolder(await contentOf(opened, from), own);
    const model = await streamPackage(opened, own);
    try {
      return await collectModel(model);
    } finally {
      await model.close();
    }
  });
}

/** Named-entity recogniser. Made by {@link Ner.load}, or from bytes by {@link Ner.fromBytes}. */
export class Ner extends Recogniser {
  /**
   * Loads a model.
   *
   * @param source a packed model's path (Deno, Bun, Node) or URL; or a folder, by its path or by a URL that ends in a
   * slash, which holds exactly one packed model (only on a disk, where it can be listed; or by the name
   * `model.safetensors`), or an export: `model.onnx` (or one ONNX file of another name, or the hub's `onnx/model.onnx`,
   * `onnx/model_quantized.onnx` and so on) with any external data, `config.json`, `tokenizer.json` or `vocab.txt`,
   * `tokenizer_config.json`, `crf.safetensors`; or a Hugging Face checkpoint: `model.safetensors` in the place of
   * `model.onnx`; or one of a folder's ONNX files itself; or `hf:OWNER/NAME`, a model of the Hugging Face hub. In a browser
   * a relative URL counts from the page.
   * @throws {RuntimeError} when it cannot be read: `runtime/not-found`, `runtime/permission`,
   * `runtime/http-status`, `runtime/http-body`, `runtime/fetch`, `runtime/too-large`, `runtime/timeout`,
   * `runtime/integrity`, `runtime/cache`, `runtime/read`, `runtime/folder`, `runtime/source`, or `runtime/unsupported` for
   * what this runtime has no way to do; and when no kernel
   * can run: `runtime/no-wasm`, `runtime/no-simd`, `runtime/wasm-blocked`, `runtime/kernels`; and when memory is
   * refused: `runtime/memory`.
   * @throws {FormatError}, {ModelError} or {TokenizerError} when what was read is no model that can run.
   */
  static async load(
    source: ModelSource,
    options: LoadOptions & SourceOptions = {},
  ): Promise<Ner> {
    checkOptions(options, "Ner.load", { ...LOAD_RULES, ...SOURCE_RULES });
    // Kernels first, which takes a millisecond: where they cannot run, nothing is downloaded in vain.
    const [from, own] = split(options), ready = await withKernels(own, "Ner.load");
    return await reading(
      source,
      from,
      "Ner.load",
      async (opened) =>
        "chunks" in opened
          ? await this.#assembled(opened, ready)
          : new this(await assemble(bundleFromFolder(await contentOf(opened, from), ready), ready)),
    );
  }

  /**
   * Loads a model in a worker of its own, so that recognising takes nothing of this thread: the same methods, all of
   * which must be waited for.
   *
   * @param source as {@link Ner.load} takes it, or a packed model's bytes, which are copied
   * @throws what {@link Ner.load} and {@link Ner.fromBytes} throw; {@link RuntimeError} `runtime/worker` if the worker
   * cannot run, `runtime/unsupported` where there are none
   */
  static async inWorker(
    source: ModelSource | Uint8Array,
    { worker, ...options }: WorkerOptions = {},
  ): Promise<RemoteNer> {
    const own = { ...LOAD_RULES, ...(isBytes(source) ? {} : SOURCE_RULES) };
    const rules = Object.entries(own).filter(([name]) => !UNSENDABLE.includes(name));
    checkOptions(options, "Ner.inWorker", Object.fromEntries(rules));
    const { workers } = platform;
    if (typeof workers === "string") {
      throw new RuntimeError("runtime/unsupported", `Ner.inWorker: ${workers}.`);
    }
    const from = isBytes(source) ? source : workers.locate(source);
    return await RemoteNer.load(await workers.start(worker), from, options);
  }

  /**
   * Makes a recogniser from a packed model as it arrives: beside the recogniser itself, little more than one
   * matrix is in memory at a time. (With another backend than `int8`, the whole model is.)
   *
   * @param source the model's size and its bytes, in pieces of any size
   * @throws as {@link Ner.fromBytes}, and whatever `source.chunks` throws
   */
  static async fromStream(source: ByteSource, options: LoadOptions = {}): Promise<Ner> {
    const ready = await withKernels(options, "Ner.fromStream").catch(async (error) => {
      await source.chunks[Symbol.asyncIterator]().return?.();
      throw error;
    });
    return await this.#assembled(source, ready);
  }

  static async #assembled(source: ByteSource, ready: NerOptions & KernelOptions): Promise<Ner> {
    const { allowStripAccents, kernels } = ready;
    const model = await streamPackage(source, { allowStripAccents }, await loadingKernels(kernels));
    try {
      return new this(await assemble(model.bundle, ready, model.parts));
    } finally {
      await model.close();
    }
  }

  /**
   * Makes a recogniser from a packed model's bytes, which must not be changed afterwards.
   *
   * @throws {FormatError} if they are damaged or of another kind
   * @throws {TokenizerError} if the tokenizer is
   * @throws {RuntimeError} if no kernel module can run here, or memory is refused
   */
  static async fromBytes(bytes: Uint8Array, options: LoadOptions = {}): Promise<Ner> {
    if (!isBytes(bytes)) {
      throw new InputError(
        "input/bytes",
        `Ner.fromBytes takes a packed model as a Uint8Array; got ${show(bytes)}.`,
      );
    }
    const ready = await withKernels(options, "Ner.fromBytes");
    const { allowStripAccents, kernels } = ready, means = await loadingKernels(kernels);
    return new this(await assemble(packageOf(bytes, { allowStripAccents }, means), ready));
  }

  /**
   * Makes a recogniser from a model in memory.
   *
   * @throws {ModelError} if its parts do not fit together
   */
  static async fromBundle(bundle: ModelBundle, options: LoadOptions = {}): Promise<Ner> {
    return new this(await assemble(bundle, await withKernels(options, "Ner.fromBundle")));
  }

  /**
   * Makes a recogniser from an export whose files were read (or fetched) by the caller.
   *
   * @throws what {@link Ner.load} throws for a folder that it could read
   */
  static async fromExport(files: ExportFiles, options: LoadOptions = {}): Promise<Ner> {
    const ready = await withKernels(options, "Ner.fromExport");
    const { allowStripAccents } = ready;
    return new this(await assemble(bundleFromExport(files, { allowStripAccents }), ready));
  }
}

/** Loads a model from bytes or a source: a worker's way, whose program sends either. */
export async function loadAny(source: unknown, options: unknown): Promise<Ner> {
  return isBytes(source)
    ? await Ner.fromBytes(source, options as LoadOptions)
    : await Ner.load(source as ModelSource, options as LoadOptions & SourceOptions);
}

/**
 * What the linear layers of a float32 model are given on sample text: for {@link QuantizeOptions.samples}. A few thousand tokens
 * of the kind that the model will read are enough.
 *
 * @throws {InputError} `input/option` if there is no token in the texts
 * @throws {RuntimeError} if no kernel can run here, or memory is refused
 */
export async function sampleInputs(
  bundle: ModelBundle,
  texts: Iterable<string>,
): Promise<Samples> {
  return await samplesOf(bundle, texts, await platform.kernels("alone"));
}

/** Options with everything that the core wants of a runtime. */
async function withKernels(
  options: LoadOptions,
  method: string,
): Promise<NerOptions & KernelOptions> {
  checkOptions(options, method, LOAD_RULES);
  const threading = options.threading ??
    (options.backend === "reference" && options.threads === undefined
      ? undefined
      : threadsOf(options.threads));
  const shared = typeof threading === "object";
  const kernels = options.kernels ?? await platform.kernels(shared ? "shared" : "alone");
  const { gpu: _, ...rest } = options;
  const accelerator = options.accelerator ?? await acceleratorFor(options);
  return { ...rest, kernels, threading, ...(accelerator !== undefined && { accelerator }) };
}

/** What runs encoders on a GPU, where one is asked for; it is loaded only then. */
async function acceleratorFor(
  { backend, gpu }: LoadOptions,
): Promise<Accelerator | string | undefined> {
  if (backend !== "webgpu" && backend !== "auto") return undefined;
  return typeof platform.gpu === "string" ? platform.gpu : await platform.gpu(gpu);
}

/**
 * This package's compiled kernel modules, the fastest first: to hand to workers, or back to
 * {@link LoadOptions}. With `shared`, they import shared memory and can be run by several threads; only where the
 * runtime has threads.
 *
 * @throws {RuntimeError} `runtime/no-wasm`, `runtime/no-simd` or `runtime/wasm-blocked`;
 * `runtime/unsupported` if there are no threads
 */
export async function defaultKernels(
  { shared = false }: { shared?: boolean } = {},
): Promise<readonly WebAssembly.Module[]> {
  if (shared && typeof platform.threads === "string") {
    throw new RuntimeError("runtime/unsupported", `No shared memory: ${platform.threads}.`);
  }
  return await platform.kernels(shared ? "shared" : "alone");
}
