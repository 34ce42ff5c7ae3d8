/**
 * What a caller names as a model, and what a runtime makes of it.
 *
 * A platform (`platform_*.ts`) turns a {@link ModelSource} into bytes or into a {@link Folder}: of a disk (`files.ts`, `folders.ts`), or
 * of a server (`remote.ts`). A folder can only be asked for names that it listed itself, so a name that was read in a
 * file never becomes a path.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { Folder } from "../formats/folder.ts";
import type { Accelerator } from "../ner/options.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import type { Threading } from "../kernels/threads.ts";
import type { GpuSource } from "./gpu/source.ts";
import type { SourceOptions } from "./source_options.ts";
import type { WorkerPort } from "./worker/connection.ts";

/**
 * A path, or a URL: `file:`, `http:`, `https:`, `data:` or `blob:`; or `hf:OWNER/NAME`, a model of the Hugging Face hub.
 */
export type ModelSource = string | URL;

/** What a source turned out to be: bytes that are still to come, or a folder, of which one graph may have been named. */
export type Opened = (ByteSource | Folder & { readonly graph?: string }) & {
  /** Drops from the cache what was read: it was no model. */
  forget?(): Promise<void>;
};

/** Where downloads are kept, by their URLs. */
export interface ModelCache {
  get(url: string): Promise<ByteSource | undefined>;
  /** Keeps all of a source, and opens what was kept. */
  put(url: string, source: ByteSource): Promise<ByteSource>;
  delete(url: string): Promise<void>;
}

/** A runtime's way to have threads. */
export interface PlatformThreads extends Pick<Threading, "start" | "maySleep"> {
  readonly defaultThreads: number;
}

/** A runtime's way to have workers. */
export interface PlatformWorkers {
  /** Starts a worker that runs `worker/main_*.ts`, or takes the one that `own` starts. */
  start(own?: () => unknown): WorkerPort | Promise<WorkerPort>;
  /** A source that means the same in a worker, and can be cloned. */
  locate(source: ModelSource): string;
}

/** What every `platform_*.ts` exports under the name `platform`. */
export interface Platform {
  /**
   * The default kernel modules, the fastest first. Only where there are {@link threads} are they asked to import
   * shared memory.
   */
  kernels(kind: "alone" | "shared"): Promise<readonly WebAssembly.Module[]>;
  /** How to start threads, and how many to have by default; or why there are none. */
  readonly threads: PlatformThreads | string;
  /** How to start workers; or why there are none. */
  readonly workers: PlatformWorkers | string;
  /** What runs encoders on a GPU, the runtime's own or one that is handed in, loaded when it is asked for; or why there is none. */
  readonly gpu: ((source?: GpuSource) => Promise<Accelerator>) | string;
  /** The cache of the runtime's own, or one by its name. */
  cache(where: true | string): Promise<ModelCache>;
  /** Opens a model's bytes, or a folder. */
  open(source: ModelSource, options: SourceOptions, cache?: ModelCache): Promise<Opened>;
}

/**
 * The URL that `source` is, or `undefined` for a string that is not absolute, that is, a path.
 * A scheme has two letters or more, so that `C:\model` stays a path.
 */
export function asUrl(source: ModelSource): URL | undefined {
  // Not by its class, which another realm has of its own.
  if (Object.prototype.toString.call(source) === "[object URL]") return source as URL;
  if (typeof source !== "string" || source === "") {
    throw new RuntimeError(
      "runtime/source",
      `A model's source is ${source === "" ? "an empty string" : describe(source)}; ` +
        "expected a path, a URL string or a URL. For bytes in memory there is Ner.fromBytes(bytes).",
    );
  }
  if (!/^[a-z][a-z0-9+.-]+:/i.test(source)) return undefined;
  try {
    return new URL(source);
  } catch (cause) {
    throw new RuntimeError("runtime/source", `${JSON.stringify(source)} is not a valid URL.`, {
      cause,
    });
  }
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (ArrayBuffer.isView(value) || /ArrayBuffer/.test(Object.prototype.toString.call(value))) {
    return "bytes";
  }
  return `a value of type ${typeof value}`;
}

/** Whether `fetch` may be asked for this URL, or for one that it stands for. */
export function isFetchable(url: URL): boolean {
  return ["http:", "https:", "data:", "blob:", "hf:"].includes(url.protocol);
}

/** A URL short enough for a message: a `data:` URL can be the whole model. */
export function shortUrl(url: URL): string {
  return url.href.length > 200 ? `${url.href.slice(0, 200)}...` : url.href;
}

const EXPECTED = "expected a packed model (.safetensors or .ner), or a folder with an exported one";

/** The typed error for a failure of the operating system or of the network, whichever runtime reports it. */
export function ioError(action: "read" | "fetch", location: string, cause: unknown): RuntimeError {
  const error = cause as { name?: unknown; code?: unknown; message?: unknown } | null | undefined;
  const reason = typeof error?.message === "string" ? error.message : String(cause);
  // Deno and Node name the same failures differently; Deno's Node layer sets either.
  const is = (...names: string[]): boolean =>
    names.includes(String(error?.name)) || names.includes(String(error?.code));
  if (is("NotFound", "ENOENT", "ENOTDIR")) {
    const hub = /^[\w-][\w.-]*\/[\w.-]+$/.test(location)
      ? ` For a model of the Hugging Face hub write hf:${location}.`
      : "";
    return new RuntimeError("runtime/not-found", `Nothing is at ${location}; ${EXPECTED}.${hub}`, {
      cause,
    });
  }
  if (is("NotCapable", "PermissionDenied", "EACCES", "EPERM", "ERR_ACCESS_DENIED")) {
    return new RuntimeError(
      "runtime/permission",
      `May not ${action} ${location}: ${reason}`,
      { cause },
    );
  }
  const code = action === "read" ? "runtime/read" : "runtime/fetch";
  return new RuntimeError(code, `Could not ${action} ${location}: ${reason}`, { cause });
}

/** What an operation on a path gives; what it fails with becomes an {@link ioError}. */
export async function attempt<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw ioError("read", path, cause);
  }
}
