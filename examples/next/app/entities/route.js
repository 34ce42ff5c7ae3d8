/**
 * A route on Next's edge runtime: a text is posted, its entities come back as JSON. The model lies in `public/`, and is
 * fetched once an instance from where the application is served, because hosts count what is imported here as code.
 *
 * @module
 */
import { Ner } from "edge-ner";
import { handlerOf, once } from "../../handler.ts";

export const runtime = "edge";

let handle;

/** Answers a text with its entities. */
export function POST(request) {
  const model = new URL("/meder-int8.safetensors", request.url);
  handle ??= handlerOf(once(() => Ner.load(model)));
  return handle(request);
}
