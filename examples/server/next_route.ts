/**
 * A route of Next on its edge runtime, as `app/entities/route.ts`; the model lies in `public/`.
 *
 * @module
 */
import { Ner } from "edge-ner";
import { handlerOf } from "./handler.ts";

export const runtime = "edge";

let loading: Promise<Ner> | undefined;

/** Answers a text with its entities. */
export function POST(request: Request): Promise<Response> {
  loading ??= Ner.load(new URL("/meder-int8.safetensors", request.url)).catch((error) => {
    loading = undefined;
    throw error;
  });
  return handlerOf(loading)(request);
}
