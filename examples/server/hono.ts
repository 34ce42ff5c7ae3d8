/**
 * A route of a hono application, wherever hono runs.
 *
 *     const app = new Hono();
 *     addEntities(app, Ner.load(model));
 *     export default app;
 *
 * @module
 */
import { handlerOf, type Recognises } from "./handler.ts";

/** What is used of a `Hono`. */
interface Routes {
  post(path: string, handler: (context: { req: { raw: Request } }) => Promise<Response>): unknown;
}

/** Adds `POST /entities`. */
export function addEntities(app: Routes, loading: Recognises | Promise<Recognises>): void {
  const handle = handlerOf(loading);
  app.post("/entities", ({ req }) => handle(req.raw));
}
