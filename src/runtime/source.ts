/**
 * What a caller names as a model, and the part of fetching it that is the same on every runtime.
 *
 * A platform (`platform_*.ts`) turns a {@link ModelSource} into bytes, or into a {@link Folder} where the
 * runtime has folders. A folder can only be asked for names that it listed itself, so a name that was read
 * in a file never becomes a path.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { Folder } from "../formats/folder.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import type { Threading } from "../kernels/threads.ts";
import type { WorkerPort } from "./worker/client.ts";

/** A path, or a URL: `file:`, `http:`, `https:`, `data:` or `blob:`. */
export type ModelSource = string | URL;

/** What a source turned out to be: bytes, bytes that are still to come, or a folder. */
export type Opened = Uint8Array | ByteSource | Folder;

/** A runtime's way to have threads. */
export interface PlatformThreads extends Pick<Threading, "start" | "maySleep"> {
  readonly defaultThreads: number;
}

/** A runtime's way to have workers. */
export interface PlatformWorkers {
  /** Starts a worker that runs `worker/main_*.ts`, or takes the one that `own` starts. */
  start(own?: () => unknown): WorkerPort;
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
  /** Opens a model's bytes, or a folder. */
  open(source: ModelSource): Promise<Opened>;
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

/** Whether `fetch` may be asked for this URL. */
export function isFetchable(url: URL): boolean {
  return ["http:", "https:", "data:", "blob:"].includes(url.protocol);
}

/** A URL short enough for a message: a `data:` URL can be the whole model. */
export function shortUrl(url: URL): string {
  return url.href.length > 200 ? `${url.href.slice(0, 200)}...` : url.href;
}

/**
 * Downloads a model; as a stream where its size is known beforehand.
 *
 * @throws RuntimeError `runtime/http-status` for an answer other than 2xx, `runtime/http-body` for an HTML
 * page (what a development server answers for a file that it does not have), `runtime/permission` where
 * Deno lacks `--allow-net`, `runtime/fetch` when no answer came or it broke off.
 */
export async function fetchModel(url: URL): Promise<Uint8Array | ByteSource> {
  if (url.pathname.endsWith("/") && url.protocol.startsWith("http")) {
    throw new RuntimeError(
      "runtime/unsupported",
      `${
        shortUrl(url)
      } names a folder, and HTTP cannot list one. Give the URL of a packed model, ` +
        "or fetch the export's files and hand them to Ner.fromExport(files).",
    );
  }
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw ioError("fetch", shortUrl(url), cause);
  }
  if (!response.ok) {
    // An unread body keeps its connection open.
    await response.body?.cancel();
    throw new RuntimeError(
      "runtime/http-status",
      `${shortUrl(url)} answered ${response.status} ${response.statusText}`.trimEnd() +
        "; expected 200 and a packed model.",
    );
  }
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("text/html")) {
    await response.body?.cancel();
    throw new RuntimeError(
      "runtime/http-body",
      `${shortUrl(url)} answered an HTML page; expected a packed model. ` +
        "Servers of single-page applications answer so for a file that is not there.",
    );
  }
  const size = streamSize(response);
  if (size !== undefined && response.body) {
    return { size, chunks: bodyChunks(response.body, shortUrl(url)) };
  }
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw ioError("fetch", shortUrl(url), cause);
  }
}

/**
 * Bytes that a body will have, if that can be known: a compressed answer states its compressed length, and
 * an answer from another origin does not say whether it was compressed.
 */
function streamSize({ headers, type }: Response): number | undefined {
  const length = headers.get("content-length") ?? "";
  if (!/^[0-9]+$/.test(length) || headers.has("content-encoding") || type === "cors") {
    return undefined;
  }
  return Number(length);
}

/** A body's pieces. (Not every engine lets a stream be iterated.) */
async function* bodyChunks(
  body: ReadableStream<Uint8Array>,
  location: string,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let ended = false;
  try {
    for (;;) {
      let result;
      try {
        result = await reader.read();
      } catch (cause) {
        ended = true;
        throw ioError("fetch", location, cause);
      }
      ended = result.done;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    if (!ended) await reader.cancel();
  }
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
    return new RuntimeError("runtime/not-found", `Nothing is at ${location}; ${EXPECTED}.`, {
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
