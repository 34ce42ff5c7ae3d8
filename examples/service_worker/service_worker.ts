/**
 * A service worker that answers `POST entities` as a server would, so that a page, and each of its tabs, has one
 * recogniser between them, also without a network:
 *
 *     esbuild main.ts service_worker.ts --bundle --format=esm --outdir=public
 *     cp node_modules/edge-ner-meder/meder-int8.safetensors index.html public/
 *
 * Browsers end a service worker that has nothing to do, after half a minute or so; the next request starts it again, and
 * the model comes from the browser's Cache. There are no threads in it.
 *
 * @module
 */
import { Ner } from "edge-ner";
import { handlerOf, once } from "../server/handler.ts";

/** What is used of a service worker's scope, whose types do not go with those of pages. */
interface Waiting {
  waitUntil(done: Promise<unknown>): void;
}
interface Asked {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Scope {
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: Waiting) => void): void;
  addEventListener(type: "fetch", listener: (event: Asked) => void): void;
}

const scope = globalThis as unknown as Scope;
const load = once(() => Ner.load("meder-int8.safetensors", { cache: true }));
const handle = handlerOf(load);

// Not installed before the model is in the Cache: from then on it answers without a network.
scope.addEventListener("install", (event) => event.waitUntil(load()));
// The page that has just registered it is answered, too, and not only the next one.
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("fetch", (event) => {
  if (/\/entities$/.test(new URL(event.request.url).pathname)) {
    event.respondWith(handle(event.request));
  }
});
