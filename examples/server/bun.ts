/**
 * `bun bun.ts`, and `curl -d "জ্বরে প্যারাসিটামল" http://localhost:8000`. The model is MODEL's, else the default one.
 *
 * @module
 */
import process from "node:process";
import { Ner } from "edge-ner";
import { model } from "edge-ner-meder";
import { handlerOf } from "./handler.ts";

/** What is used of Bun; its types are a package of their own. */
declare const Bun: {
  serve(options: { port: number; fetch: (request: Request) => Promise<Response> }): { url: URL };
};

const ner = await Ner.load(process.env["MODEL"] ?? model);
const server = Bun.serve({
  port: Number(process.env["PORT"] ?? 8000),
  fetch: handlerOf(() => ner),
});
console.log(`Listening on ${server.url}`);
