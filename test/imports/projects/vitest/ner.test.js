import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { InputError, Ner } from "edge-ner";

test("bytes and files, under jsdom", async () => {
  expect(globalThis.document).toBeDefined();
  const text = process.env.TEXT;
  const bytes = await Ner.fromBytes(readFileSync("model.safetensors"));
  const file = await Ner.load("model.safetensors");
  await expect(file.extract(text, { minScore: 2 })).rejects.toBeInstanceOf(InputError);
  const found = [await bytes.extract(text), await file.extract(text)];
  writeFileSync("found.json", JSON.stringify(found));
});
