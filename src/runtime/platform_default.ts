/**
 * Deno, Bun and Node: files through `node:fs/promises`, which all three have, and `fetch`.
 *
 * @module
 */
import { open as openFile, readdir, readFile, realpath, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Thread, ThreadTask } from "../kernels/threads.ts";
import { RuntimeError } from "../errors.ts";
import { embeddedKernels } from "./kernels.ts";
import { defaultThreads, threadBody } from "./threads.ts";
import type { WorkerPort } from "./worker/client.ts";
import {
  asUrl,
  fetchModel,
  ioError,
  isFetchable,
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
  const worker = own === undefined
    ? new Worker(new URL("./worker/main_default.ts", import.meta.url), { execArgv: [] })
    : own() as Worker;
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

/** Reads a file or a URL, or lists a folder. See {@link Platform.open}. */
async function open(source: ModelSource): Promise<Opened> {
  const url = asUrl(source);
  if (url !== undefined && isFetchable(url)) return await fetchModel(url);
  if (url !== undefined && url.protocol !== "file:") {
    throw new RuntimeError(
      "runtime/unsupported",
      `Cannot read ${shortUrl(url)}; expected a path, or a file:, http:, https: or data: URL.`,
    );
  }
  const path = url === undefined ? source as string : pathOf(url);
  const kind = await attempt(path, () => stat(path));
  if (kind.isFile()) return { size: kind.size, chunks: fileChunks(path) };
  if (!kind.isDirectory()) {
    throw new RuntimeError("runtime/read", `${path} is neither a file nor a folder.`);
  }
  const entries = await attempt(path, () => readdir(path, { withFileTypes: true }));
  // A Hugging Face cache links its files, so links are listed as well as regular files.
  const names = entries.filter((e) => e.isFile() || e.isSymbolicLink()).map((e) => e.name).sort();
  return {
    location: path,
    names,
    async read(name): Promise<Uint8Array> {
      if (!names.includes(name)) throw ioError("read", join(path, name), { code: "ENOENT" });
      return await readBytes(await fileIn(path, name));
    },
  };
}

/**
 * The path of a file in a folder, links followed: a regular file in that folder, or in the `blobs` of a Hugging Face
 * cache, of which the folder is a snapshot. Devices and pipes never end, and a link to elsewhere is not the model's.
 */
async function fileIn(folder: string, name: string): Promise<string> {
  const path = join(folder, name), real = await attempt(path, () => realpath(path));
  const homes = [folder, join(folder, "..", "..", "blobs")].map((home) =>
    realpath(home).then((home) => join(home, "/"), () => undefined)
  );
  const inside = (await Promise.all(homes)).some((home) =>
    home !== undefined && real.startsWith(home)
  );
  if (!inside) {
    throw new RuntimeError("runtime/read", `${path} is a link that leads out of its folder.`);
  }
  if (!(await attempt(path, () => stat(real))).isFile()) {
    throw new RuntimeError("runtime/read", `${path} is not a regular file.`);
  }
  return real;
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

async function readBytes(path: string): Promise<Uint8Array> {
  const buffer = await attempt(path, () => readFile(path));
  // A plain view: Node's Buffer changes what `slice` means.
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** A file's bytes, a megabyte at a time. */
async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await attempt(path, () => openFile(path));
  try {
    const chunk = new Uint8Array(1 << 20);
    for (;;) {
      const { bytesRead } = await attempt(path, () => file.read(chunk, 0, chunk.length, null));
      if (bytesRead === 0) return;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function attempt<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw ioError("read", path, cause);
  }
}
