/**
 * `edge-ner calibrate`: a package whose scores come nearer to the truth, and what `eval` says of it.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { cli, scratch } from "./run.ts";

const path = scratch();
const MODEL = path("model.safetensors");

// The default model, as it was before it had a temperature.
const shipped = new URL("../../models/meder/meder-int8.safetensors", import.meta.url);
const { temperature: _, ...cold } = readPackage(readFileSync(shipped));
writeFileSync(MODEL, writePackage(cold));

/** Sentences in which the model finds much. */
const SENTENCES = ["জ্বর", "কাশি", "মাথাব্যথা", "ডায়াবেটিস", "উচ্চ রক্তচাপ", "ডেঙ্গু জ্বর", "শ্বাসকষ্ট", "বমি"]
  .flatMap((ill) =>
    ["প্যারাসিটামল", "মেটফরমিন", "অ্যাসপিরিন", "ওমিপ্রাজল"].map((drug) =>
      `${ill} হলে ${drug} খেতে বলা হয়েছে।`
    )
  );

test("a temperature is fitted, kept in the package, and told of by eval", async () => {
  const found = await cli(["extract", "--model", MODEL, "--format", "jsonl", ...SENTENCES]);
  assert.is(found.code, 0, found.stderr);
  const lines = found.stdout.trim().split("\n").map((line) => JSON.parse(line));
  const entities = lines.reduce((sum, { entities }) => sum + entities.length, 0);
  assert.ok(entities >= 40, `${entities}`);
  // Of five entities three are said to be right.
  let seen = 0;
  const gold = lines.map((line) => ({
    ...line,
    entities: line.entities.filter(() => seen++ % 5 < 3),
  }));
  writeFileSync(path("gold.jsonl"), gold.map((line) => JSON.stringify(line) + "\n").join(""));
  const args = ["calibrate", MODEL, "--data", path("gold.jsonl"), "--test", path("gold.jsonl")];
  const dry = await cli(args);
  assert.is(dry.code, 0, dry.stderr);
  const out = path("calibrated.safetensors");
  const run = await cli([...args, "-o", out]);
  assert.is(run.code, 0, run.stderr);
  assert.ok(run.stdout.startsWith(dry.stdout));
  assert.match(run.stderr, `warning: the model finds ${entities} entities in `);
  const [, temperature] = /^temperature ([\d.]+) \(before: 1\)/.exec(run.stdout)!;
  // It was surer than that.
  assert.ok(Number(temperature) > 1.2, run.stdout);
  const model = readPackage(readFileSync(out));
  assert.is(model.temperature, Number(temperature));
  const rows = [...run.stdout.matchAll(/gold\.jsonl +(\d+) +([\d.]+) +([\d.]+)/g)];
  assert.is(rows.length, 2);
  const [, count, before, after] = rows[0]!;
  assert.is(Number(count), entities);
  assert.ok(Number(after) < Number(before), run.stdout);
  for (const [file, error] of [[MODEL, before], [out, after]] as const) {
    const judged = await cli(["eval", path("gold.jsonl"), "--model", file]);
    assert.match(judged.stdout, `expected calibration error of the scores: ${error} %`);
    const json = await cli(["eval", path("gold.jsonl"), "--model", file, "--json"]);
    assert.is((100 * JSON.parse(json.stdout).calibration.error).toFixed(2), error);
  }
  const again = await cli([...args, "-o", out]);
  assert.is(again.code, 2);
  assert.match(again.stderr, /exists already; --force overwrites it/);
  const twice = await cli(["calibrate", out, "--data", path("gold.jsonl")]);
  assert.match(
    twice.stdout,
    new RegExp(`^temperature ${temperature} \\(before: ${temperature}\\)`),
  );
});

test("where nothing is found, nothing is written", async () => {
  writeFileSync(path("none.jsonl"), '{"text": "।", "entities": []}\n');
  const run = await cli(["calibrate", MODEL, "--data", path("none.jsonl"), "-o", path("x")]);
  assert.is(run.code, 2);
  assert.match(run.stderr, /none\.jsonl: the model finds nothing in it to fit to/);
  assert.not.ok(existsSync(path("x")));
});

test.run();
