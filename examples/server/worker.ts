/**
 * A Cloudflare Worker with its model among its static assets; once an isolate, not once a request, it is read. In
 * wrangler's configuration:
 *
 *     main = "worker.ts"
 *     compatibility_date = "2026-11-01"
 *     [assets]
 *     directory = "models"
 *     binding = "ASSETS"
 *
 * @module
 */
import { Ner } from "edge-ner";
import { handlerOf } from "./handler.ts";

/** The worker's bindings. */
interface Bindings {
  readonly ASSETS: { fetch(request: Request): Promise<Response> };
}

let loading: Promise<Ner> | undefined;

async function load({ ASSETS }: Bindings): Promise<Ner> {
  const response = await ASSETS.fetch(new Request("https://assets/meder-int8.safetensors"));
  if (!response.ok) throw new Error(`the model's asset: ${response.status}`);
  return await Ner.fromBytes(new Uint8Array(await response.arrayBuffer()));
}

export default {
  fetch(request: Request, bindings: Bindings): Promise<Response> {
    // One that failed is not kept: the next request tries again.
    loading ??= load(bindings).catch((error) => {
      loading = undefined;
      throw error;
    });
    return handlerOf(loading)(request);
  },
};
