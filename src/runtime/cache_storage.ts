/**
 * Downloads kept in a Cache (the Cache API of browsers and workers).
 *
 * Weak where: a page may fill its share of the disk, and a browser may empty it; either is an error or a download, never
 * another model. workerd keeps what it has for a zone alone.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import { readAll } from "../ner/stream.ts";
import type { ModelCache } from "./source.ts";

/** The size under which a file was stored, where its server stated one. */
const SIZE = "x-edge-ner-size";

/** A stream of pieces, one at a time as they are asked for. */
function streamOf({ chunks }: ByteSource, failed: (error: unknown) => void): ReadableStream {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller): Promise<void> {
      try {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        // Whoever made the piece may write the next one over it.
        else controller.enqueue(value.slice());
      } catch (error) {
        failed(error);
        controller.error(error);
      }
    },
    cancel: async (): Promise<void> => void await iterator.return?.(),
  });
}

/** The Cache of this name; throws {@link RuntimeError} `runtime/unsupported` where there are none. */
export async function cacheStorage(name: string): Promise<ModelCache> {
  if (typeof caches === "undefined") {
    throw new RuntimeError(
      "runtime/unsupported",
      "There is no Cache here; browsers have one in pages that came by https or from localhost.",
    );
  }
  const cache = await caches.open(name);
  const get = async (url: string): Promise<ByteSource | undefined> => {
    const found = await cache.match(url);
    if (!found?.body) return undefined;
    const size = found.headers.get(SIZE);
    return { size: size === null ? undefined : Number(size), chunks: readAll(found.body) };
  };
  return {
    get,
    async put(url, source): Promise<ByteSource> {
      // A download's own error says more than the Cache's about it.
      let broken: { readonly error: unknown } | undefined;
      const headers = {
        // Some keep only what says for how long.
        "cache-control": "max-age=31536000",
        ...(source.size !== undefined && { [SIZE]: String(source.size) }),
      };
      try {
        await cache.put(
          url,
          new Response(streamOf(source, (error) => broken = { error }), { headers }),
        );
      } catch (cause) {
        if (broken) throw broken.error;
        throw new RuntimeError("runtime/cache", `The Cache ${name} does not take ${url}.`, {
          cause,
        });
      }
      const kept = await get(url);
      if (kept !== undefined) return kept;
      throw new RuntimeError("runtime/cache", `The Cache ${name} has not kept ${url}.`);
    },
    delete: async (url) => void await cache.delete(url),
  };
}
