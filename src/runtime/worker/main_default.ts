/**
 * The program of a worker in Deno, Bun and Node; see `client.ts`.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { loadAny } from "../ner.ts";
import { serve } from "./server.ts";

const port = parentPort!;
const receive = serve({
  post: (message, transfer = []) => port.postMessage(message, transfer),
}, loadAny);
port.on("message", receive);
