/**
 * Speed of tokenization: texts to ids and places, with each of the three models.
 *
 *     deno run -A bench/tokenize.ts [--texts FILE] [--against FOLDER] [--seconds N] [TOKENIZER.JSON...]
 *
 * Without files: WordPiece of the default model, BPE and Unigram of the tests' small vocabularies, over our
 * own sentences. `--against` is another checkout of this repository; both take turns in one run, and what
 * they make of the texts is compared token by token first.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { exit } from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { readPackage } from "../mod.ts";
import { SENTENCES } from "../src/cli/sentences.ts";
import { table } from "../src/cli/table.ts";
import * as ours from "../src/tokenizer/load.ts";
import { spread, takeTurns, warmUp } from "./measure.ts";

const { values, positionals } = parseArgs({
  options: {
    texts: { type: "string" },
    against: { type: "string" },
    seconds: { type: "string", default: "6" },
  },
  allowPositionals: true,
});

/** Texts by the hundred, so that a call is long enough for the clock. */
const texts = values.texts === undefined
  ? Array.from({ length: 120 }, (_, i) => SENTENCES[i % SENTENCES.length])
  : (await readFile(values.texts, "utf8")).split("\n").filter((line) => line !== "");

/** Files to measure, by name. */
async function chooseFiles(): Promise<[name: string, json: unknown][]> {
  const read = (path: string | URL): Promise<string> => readFile(path, "utf8");
  if (positionals.length > 0) {
    return Promise.all(positionals.map(async (path) => [path, JSON.parse(await read(path))]));
  }
  const model = readPackage(
    await readFile(new URL("../models/meder/meder-int8.safetensors", import.meta.url)),
  );
  const fixtures = new URL("../test/tokenizer/fixtures/subword.json", import.meta.url);
  const { cases } = JSON.parse(await read(fixtures)) as {
    cases: { name: string; tokenizer: unknown }[];
  };
  const named = (name: string): unknown => cases.find((c) => c.name === name)!.tokenizer;
  return [
    ["WordPiece, default model", model.tokenizer.toJSON()],
    ["BPE, bytes", named("roberta")],
    ["Unigram", named("xlmr")],
  ];
}

const theirs: typeof ours | undefined = values.against &&
  await import(
    pathToFileURL(resolve(values.against, "src/tokenizer/load.ts")).href
  );
const budget = { seconds: Number(values.seconds), minRounds: 3, warmUp: 1 };
const rows: string[][] = [];
for (const [name, json] of await chooseFiles()) {
  const sides = [["this", ours], ["other", theirs]] as const;
  const loaded = sides.flatMap(([side, from]) =>
    from ? [{ side, tokenizer: from.tokenizerFromJson(json, { allowStripAccents: true }) }] : []
  );
  let tokens = 0;
  for (const text of texts) {
    const [mine, other] = loaded.map(({ tokenizer }) => tokenizer.encode(text));
    tokens += mine.ids.length;
    if (other === undefined) continue;
    for (const field of ["ids", "starts", "ends", "words"] as const) {
      if (mine[field].join() === other[field].join()) continue;
      console.error(`${name}: ${field} of ${JSON.stringify(text)} differ`);
      exit(1);
    }
  }
  const candidates = loaded.map(({ side, tokenizer }) => ({
    name: side,
    run: () => {
      for (const text of texts) tokenizer.encode(text);
    },
  }));
  await warmUp(candidates, budget.warmUp);
  const timings = await takeTurns(candidates, budget);
  for (const timing of timings) {
    rows.push([
      `${name}: ${timing.name}`,
      String(tokens),
      spread(timing),
      (tokens / timing.median).toFixed(0),
      (timing.median / timings[0].median).toFixed(3),
      (timing.min / timings[0].min).toFixed(3),
    ]);
  }
}
console.log(
  table(["", "tokens", "ms", "tokens/ms", "speed of this / it, medians", "fastest"], rows),
);
