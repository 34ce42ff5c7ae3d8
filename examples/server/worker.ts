/**
 * A Cloudflare Worker with its model among its static assets, `wrangler.toml` beside it; the model is read once an
 * isolate, and not once a request:
 *
 *     cp node_modules/edge-ner-meder/meder-int8.safetensors public/
 *     npx wrangler deploy
 *
 * @module
 */
import { Ner } from "edge-ner";
import { handlerOf, once } from "./handler.ts";

/** The worker's bindings. */
interface Bindings {
  readonly ASSETS: { fetch(request: Request): Promise<Response> };
}

async function load({ ASSETS }: Bindings): Promise<Ner> {
  const response = await ASSETS.fetch(new Request("https://assets/meder-int8.safetensors"));
  if (!response.ok) throw new Error(`the model's asset: ${response.status}`);
  return await Ner.fromBytes(new Uint8Array(await response.arrayBuffer()));
}

let handle: ((request: Request) => Promise<Response>) | undefined;

export default {
  fetch(request: Request, bindings: Bindings): Promise<Response> {
    handle ??= handlerOf(once(() => load(bindings)));
    return handle(request);
  },
};
