/**
 * docs/calibration.md: its commands, on the default model and labels of which some are wrong.
 *
 * @module
 */
import { copyFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner } from "../../mod.ts";
import { callsOf } from "./page.ts";
import { path, run } from "./run.ts";

const model = new URL("../../models/meder/meder-int8.safetensors", import.meta.url);
copyFileSync(model, path("my-model.safetensors"));
const texts = ["জ্বর", "কাশি", "ডায়াবেটিস", "ডেঙ্গু জ্বর"].flatMap((ill) =>
  ["প্যারাসিটামল", "মেটফরমিন", "অ্যাসপিরিন"].map((drug) => `${ill} হলে ${drug} খেতে বলা হয়েছে।`)
);
const ner = await Ner.load(model), found = await ner.extractBatch(texts);
ner.close();
for (const [i, name] of ["validation.jsonl", "test.jsonl"].entries()) {
  const lines = texts.map((text, t) =>
    JSON.stringify({ text, entities: t % 3 === i ? [] : found[t] }) + "\n"
  );
  writeFileSync(path(name), lines.join(""));
}

const SAYS: Readonly<Record<string, RegExp>> = {
  calibrate: /^temperature [^]*test\.jsonl [^]*calibrated\.safetensors: written/,
  eval: /expected calibration error of the scores: [\d.]+ %/,
};

for (const call of callsOf("docs/calibration.md")) {
  test(`edge-ner ${call.args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await run(call);
    assert.is(code, 0, stderr);
    assert.match(stdout, SAYS[call.args[0]!]!);
  });
}

test.run();
