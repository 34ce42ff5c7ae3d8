/**
 * Deno, Bun and Node: files through `node:fs/promises`, which all three have, and `fetch`.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Thread, ThreadTask } from "../kernels/threads.ts";
import { RuntimeError } from "../errors.ts";
import { openPath } from "./files.ts";
import { embeddedKernels } from "./kernels.ts";
import { openUrl } from "./remote.ts";
import type { SourceOptions } from "./source_options.ts";
import { defaultThreads, threadBody } from "./threads.ts";
import type { WorkerPort } from "./worker/connection.ts";
import {
  asUrl,
  isFetchable,
  type ModelCache,
  type ModelSource,
  type Opened,
  type Platform,
  shortUrl,
} from "./source.ts";

/** Deno, Bun and Node. */
export const platform: Platform = {
  kernels: embeddedKernels,
  threads: {
    // Node 20 has no navigator.
    defaultThreads: defaultThreads(
      globalThis.navigator?.hardwareConcurrency ?? availableParallelism(),
    ),
    maySleep: true,
    start,
  },
  workers: { start: startWorker, locate: String },
  gpu: async (source) => (await import("./gpu/gpu.ts")).acceleratorOf(source),
  async cache(where) {
    const { cacheFolder, userCache } = await import("./cache_folder.ts");
    return cacheFolder(where === true ? userCache() : where);
  },
  open,
};

/** Starts a thread as a `node:worker_threads` worker, which all three have. */
function start(task: ThreadTask, failed: (reason: string) => void): Thread {
  const worker = new Worker(`(${threadBody})(require("node:worker_threads").workerData)`, {
    eval: true,
    // Not the program's own, of which `--input-type=module` would make the string a module.
    execArgv: [],
    workerData: task,
  });
  worker.on("error", (error: Error) => failed(`a thread failed: ${error.message}`));
  // A program that has nothing else to do may end while its threads sleep.
  worker.unref();
  return { terminate: () => void worker.terminate() };
}

/** Starts a worker with a recogniser in it; the build gives its file's name in the package. */
function startWorker(own?: () => unknown): WorkerPort {
  const program = (): URL => {
    const url = new URL("./worker/main_default.ts", import.meta.url);
    // Sources that Deno took from a URL: workers take files and data alone.
    const remote = url.protocol.startsWith("http");
    return remote ? new URL(`data:text/javascript,import ${JSON.stringify(url.href)}`) : url;
  };
  const worker = own === undefined ? new Worker(program(), { execArgv: [] }) : own() as Worker;
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(receive, failed): void {
      worker.on("message", receive);
      worker.on("error", (error: Error) => failed(error.message));
      worker.on("exit", (code) => failed(`it exited with ${code}`));
    },
    keepAlive: (wanted) => wanted ? worker.ref() : worker.unref(),
    terminate: () => void worker.terminate(),
  };
}

/** Opens a file, a folder or a URL. See {@link Platform.open}. */
async function open(
  source: ModelSource,
  options: SourceOptions,
  cache?: ModelCache,
): Promise<Opened> {
  const url = asUrl(source);
  if (url !== undefined && isFetchable(url)) return await openUrl(url, options, cache);
  if (url !== undefined && url.protocol !== "file:") {
    throw new RuntimeError(
      "runtime/unsupported",
      `Cannot read ${
        shortUrl(url)
      }; expected a path, a file:, http:, https: or data: URL, or hf:OWNER/NAME.`,
    );
  }
  return await openPath(url === undefined ? source as string : pathOf(url), options);
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new RuntimeError("runtime/source", `${shortUrl(url)} is not a path on this machine.`, {
      cause,
    });
  }
}
