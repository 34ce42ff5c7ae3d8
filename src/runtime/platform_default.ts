/**
 * Deno, Bun and Node: files, `fetch`, and threads and workers by `node:worker_threads`, which all three have, loaded when the
 * first is started.
 *
 * @module
 */
import type { Worker as NodeWorker } from "node:worker_threads";
import type { Thread, ThreadTask } from "../kernels/threads.ts";
import { RuntimeError } from "../errors.ts";
import { openPath } from "./files.ts";
import { embeddedKernels } from "./kernels.ts";
import { openUrl } from "./remote.ts";
import type { SourceOptions } from "./source_options.ts";
import { cores, pathOf } from "./system.ts";
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
    defaultThreads: defaultThreads(cores),
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

/** Starts a thread as a `node:worker_threads` worker. */
function start(task: ThreadTask, failed: (reason: string) => void): Thread {
  let ended = false, terminate = (): void => {};
  const begin = async (): Promise<void> => {
    const { Worker } = await import("node:worker_threads");
    if (ended) return;
    const worker = new Worker(`(${threadBody})(require("node:worker_threads").workerData)`, {
      eval: true,
      // Not the program's own, of which `--input-type=module` would make the string a module.
      execArgv: [],
      workerData: task,
    });
    worker.on("error", (error: Error) => failed(`a thread failed: ${error.message}`));
    // A program that has nothing else to do may end while its threads sleep.
    worker.unref();
    terminate = () => void worker.terminate();
  };
  begin().catch((error: Error) => failed(error.message));
  return {
    terminate(): void {
      ended = true;
      terminate();
    },
  };
}

/** Starts a worker with a recogniser in it; the build gives its file's name in the package. */
async function startWorker(own?: () => unknown): Promise<WorkerPort> {
  const { Worker } = await import("node:worker_threads");
  const program = (): URL => {
    const url = new URL("./worker/main_default.ts", import.meta.url);
    // Sources that Deno took from a URL: workers take files and data alone.
    const remote = url.protocol.startsWith("http");
    return remote ? new URL(`data:text/javascript,import ${JSON.stringify(url.href)}`) : url;
  };
  const worker = own === undefined ? new Worker(program(), { execArgv: [] }) : own() as NodeWorker;
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
  if (url === undefined) return await openPath(source as string, options);
  const path = await pathOf(url).catch((cause) => {
    throw new RuntimeError("runtime/source", `${shortUrl(url)} is not a path on this machine.`, {
      cause,
    });
  });
  return await openPath(path, options);
}
