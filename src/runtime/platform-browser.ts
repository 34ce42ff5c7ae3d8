/**
 * Browsers, their workers and extensions: everything is a URL, and a relative one counts from the page.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { embeddedKernels } from "./kernels.ts";
import {
  asUrl,
  fetchModel,
  isFetchable,
  type ModelSource,
  type Opened,
  type Platform,
  shortUrl,
} from "./source.ts";

/** Browsers. */
export const platform: Platform = { kernels: embeddedKernels, open };

/** Fetches a URL. See {@link Platform.open}. */
async function open(source: ModelSource): Promise<Opened> {
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
  return await fetchModel(url);
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
