/** What a program says with each entry, rightly, and where it is expected, wrongly. */
import { type Entity, Ner, NerError, pipeline } from "edge-ner";
import { Ner as Core } from "edge-ner/core";
import { dictionaryLabeler } from "edge-ner/label";
import { createTrainer } from "edge-ner/train";
import { acceleratorOf } from "edge-ner/webgpu";
import baseline from "edge-ner/baseline.wasm";
import { model } from "edge-ner-bc5cdr";
import bytes from "edge-ner-meder/meder-int8.safetensors";

export async function recognise(text: string): Promise<readonly Entity[]> {
  const core = await Core.fromBytes(new Uint8Array(bytes), { kernels: [baseline] });
  const found: Entity[] = await core.extract(text);
  core.close();
  using ner = await Ner.load(model, { threads: 1, onProgress: ({ loaded }) => loaded.toFixed() });
  for await (const entities of ner.extractStream([text])) found.push(...entities);
  const tagger = pipeline("token-classification", ner);
  for (const { word, score } of await tagger(text)) word.concat(score.toFixed());
  return found;
}

export function codeOf(error: unknown): string {
  if (!(error instanceof NerError)) return "none";
  // @ts-expect-error: no such code
  if (error.code === "runtime/nothing") return "wrong";
  return error.code === "runtime/not-found" ? "lost" : error.code;
}

// @ts-expect-error: a number is no source
Ner.load(42);
// @ts-expect-error: an option that is not there
Ner.load(model, { thread: 1 });
// @ts-expect-error: a recogniser is not made so
new Ner();

export const others = [dictionaryLabeler, createTrainer, acceleratorOf] as const;
