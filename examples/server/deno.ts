/**
 * `deno run --allow-net --allow-read --allow-env deno.ts`, and `curl -d "জ্বরে প্যারাসিটামল" http://localhost:8000`. The model is
 * MODEL's, else the default one.
 *
 * @module
 */
import { Ner } from "edge-ner";
import { model } from "edge-ner-meder";
import { handlerOf } from "./handler.ts";

const ner = await Ner.load(Deno.env.get("MODEL") ?? model);
Deno.serve({
  port: Number(Deno.env.get("PORT") ?? 8000),
  onListen: ({ port }) => console.log(`Listening on http://localhost:${port}/`),
}, handlerOf(() => ner));
