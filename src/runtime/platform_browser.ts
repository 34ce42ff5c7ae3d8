/**
 * Browsers, their workers and extensions: everything is a URL, and a relative one counts from the page.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { Thread, ThreadTask } from "../kernels/threads.ts";
import { startWorker } from "./browser_workers.ts";
import { cacheStorage } from "./cache_storage.ts";
import { embeddedKernels } from "./kernels.ts";
import { openUrl } from "./remote.ts";
import type { SourceOptions } from "./source_options.ts";
import {
  asUrl,
  isFetchable,
  type ModelCache,
  type ModelSource,
  type Opened,
  type Platform,
  type PlatformThreads,
  shortUrl,
} from "./source.ts";
import { defaultThreads, threadBody } from "./threads.ts";

/** Browsers. */
export const platform: Platform = {
  kernels: embeddedKernels,
  threads: threads(),
  workers: typeof startWorker === "string" ? startWorker : {
    start: startWorker,
    locate: (source) => (asUrl(source) ?? relative(source as string)).href,
  },
  gpu: async (source) => (await import("./gpu/gpu.ts")).acceleratorOf(source),
  cache: (where) => cacheStorage(where === true ? "edge-ner" : where),
  open,
};

function threads(): PlatformThreads | string {
  if (typeof Worker === "undefined") return "there are no workers here";
  if (typeof SharedArrayBuffer === "undefined" || globalThis.crossOriginIsolated === false) {
    return "the page is not cross-origin isolated (headers Cross-Origin-Opener-Policy: same-origin and " +
      "Cross-Origin-Embedder-Policy: require-corp)";
  }
  return {
    defaultThreads: defaultThreads(globalThis.navigator?.hardwareConcurrency),
    // A window is what may not; a worker may.
    maySleep: typeof document === "undefined",
    start,
  };
}

/** Starts a thread as a worker from a blob, which a Content-Security-Policy may forbid. */
function start(task: ThreadTask, failed: (reason: string) => void): Thread {
  const program = `onmessage = ({ data }) => (${threadBody})(data)`;
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.onerror = ({ message }): void => {
    failed(`a worker failed: ${message ?? "the page's policy may lack worker-src blob:"}`);
  };
  try {
    worker.postMessage(task);
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
  return worker;
}

/** Fetches a URL. See {@link Platform.open}. */
async function open(
  source: ModelSource,
  options: SourceOptions,
  cache?: ModelCache,
): Promise<Opened> {
  const url = asUrl(source) ?? relative(source as string);
  if (!isFetchable(url)) {
    throw new RuntimeError(
      "runtime/unsupported",
      `A browser cannot read ${
        shortUrl(url)
      }, nor files by path. Serve the model over HTTP, or read ` +
        "a chosen File with file.arrayBuffer() and call Ner.fromBytes.",
    );
  }
  return await openUrl(url, options, cache);
}

function relative(path: string): URL {
  try {
    return new URL(path, globalThis.location?.href);
  } catch (cause) {
    throw new RuntimeError(
      "runtime/unsupported",
      `${JSON.stringify(path)} is not an absolute URL, and this page has no address to count from.`,
      { cause },
    );
  }
}
