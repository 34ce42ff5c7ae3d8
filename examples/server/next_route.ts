/**
 * A route of Next on its edge runtime, as `app/entities/route.ts`, with `handler.ts` beside it; the model lies in
 * `public/`, and is fetched once an instance from where the application is served.
 *
 * @module
 */
import { Ner } from "edge-ner";
import { handlerOf, once } from "./handler.ts";

export const runtime = "edge";

let handle: ((request: Request) => Promise<Response>) | undefined;

/** Answers a text with its entities. */
export function POST(request: Request): Promise<Response> {
  const model = new URL("/meder-int8.safetensors", request.url);
  handle ??= handlerOf(once(() => Ner.load(model)));
  return handle(request);
}
