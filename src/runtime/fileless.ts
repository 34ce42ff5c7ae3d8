/**
 * Runtimes without files, threads and compiling: kernels are imported as modules, models are fetched.
 *
 * A model comes from a binding, an imported data module, a bucket or the network; the first three give
 * bytes to `Ner.fromBytes`.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { cacheStorage } from "./cache_storage.ts";
import { openUrl } from "./remote.ts";
import type { SourceOptions } from "./source_options.ts";
import {
  asUrl,
  isFetchable,
  type ModelCache,
  type ModelSource,
  type Opened,
  type Platform,
} from "./source.ts";

/** The platform whose kernels are `modules`, the fastest first. */
export const filelessPlatform = (modules: readonly WebAssembly.Module[]): Platform => ({
  kernels: () => Promise.resolve(modules),
  threads: "this runtime has no threads",
  gpu: "this runtime has no WebGPU",
  workers: "this runtime has no workers of a program's own",
  cache: (where) => cacheStorage(where === true ? "edge-ner" : where),
  open,
});

/** Fetches an absolute URL. See {@link Platform.open}. */
async function open(
  source: ModelSource,
  options: SourceOptions,
  cache?: ModelCache,
): Promise<Opened> {
  const url = asUrl(source);
  if (url === undefined || !isFetchable(url)) {
    throw new RuntimeError(
      "runtime/unsupported",
      `${
        JSON.stringify(String(source).slice(0, 200))
      } is not an http(s) URL, and this runtime has ` +
        "no files. Bind the model to the worker (an asset, a bucket, a data module) and call " +
        "Ner.fromBytes.",
    );
  }
  return await openUrl(url, options, cache);
}
