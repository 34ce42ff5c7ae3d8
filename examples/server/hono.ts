/**
 * An application of hono with a route for entities, wherever hono runs: `bun hono.ts` or `deno serve --allow-read hono.ts`, and
 * `curl -d "জ্বরে প্যারাসিটামল" http://localhost:3000/entities` (Deno's port is 8000).
 *
 * @module
 */
import { Hono } from "hono";
import { Ner } from "edge-ner";
import { model } from "edge-ner-meder";
import { handlerOf, once } from "./handler.ts";

const app = new Hono();
const entities = handlerOf(once(() => Ner.load(model)));
app.all("/entities", ({ req }) => entities(req.raw));

export default app;
