/**
 * The program of a worker in browsers; see `client.ts`.
 *
 * @module
 */
import { loadAny } from "../ner.ts";
import type { Reply, Request } from "./protocol.ts";
import { serve } from "./server.ts";

/** A worker's own scope, which the types of a page do not have. */
const scope = globalThis as unknown as {
  postMessage(message: Reply, transfer: ArrayBuffer[]): void;
  onmessage: (event: { readonly data: Request }) => void;
};
const receive = serve({
  post: (message, transfer = []) => scope.postMessage(message, transfer),
}, loadAny);
scope.onmessage = ({ data }) => receive(data);
