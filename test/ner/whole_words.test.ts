/**
 * Entities that are whole words, or words up to an ending: where they lie, in every call, and that the property goes with its
 * model.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bundleFromFolder, type Entity, FormatError, Ner } from "../../mod.ts";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { readHfConfig } from "../../src/formats/hf/config.ts";
import { writeCheckpoint } from "../../src/formats/hf/write_checkpoint.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { writeExport } from "../../src/formats/write_export.ts";
import { JOINED_ENDINGS } from "../../src/lexicon/endings.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { toWords } from "../../src/ner/whole_words.ts";
import { readModelFiles } from "../../src/cli/files.ts";
import { shipped } from "../support.ts";

const file = async (name: string): Promise<Uint8Array> =>
  new Uint8Array(
    await readFile(new URL(`../fixtures/tiny-torchscript/${name}`, import.meta.url)),
  );
const anywhere: ModelBundle = bundleFromExport({
  model: await file("model.onnx"),
  config: await file("config.json"),
  tokenizer: await file("tokenizer.json"),
  crf: await file("crf.safetensors"),
});
const whole: ModelBundle = { ...anywhere, wholeWords: true };
const kernels = [await shipped("baseline")];
const load = (bundle: ModelBundle): Promise<Ner> => Ner.fromBundle(bundle, { kernels });

const WORDS = "অন্ডানসেট্রনের ইসোমেপ্রাজল, জ্বরে-র হৃদরোগগুলিকে Metformin 500mg twice পেটে ব্যথা। 😀 x".split(
  " ",
);
const textOf = (seed: readonly number[]): string =>
  seed.map((i) => WORDS[i % WORDS.length]).join(" ");

/** The words of a text, by the engine's Unicode. */
function wordsOf(text: string): { start: number; end: number }[] {
  return [...text.matchAll(/[\p{L}\p{M}\p{Nd}\u200c\u200d]+|[^]/gu)]
    .map(({ index, 0: word }) => ({ start: index, end: index + word.length }));
}

const spanOf = (text: string, start: number, end: number, score = 1) => ({
  start,
  end,
  text: text.slice(start, end),
  score,
});

/** What becomes of the part between brackets: `"ab[cd]e"`. */
function widened(marked: string): string[] {
  const text = marked.replace(/[[\]]/g, ""), start = marked.indexOf("[");
  return toWords(text, [spanOf(text, start, marked.indexOf("]") - 1)]).map(({ text }) => text);
}

test("a span begins with its word, and ends with it or before an ending", () => {
  assert.equal(widened("অ[ন্ডানসেট্র]নের"), ["অন্ডানসেট্রন"]);
  assert.equal(widened("এই [ইসোমে]প্রাজল, না"), ["ইসোমেপ্রাজল"]);
  // The longest ending that leaves the span whole: not "ে" alone.
  assert.equal(widened("এই [ওমেনি]ক্সকে"), ["ওমেনিক্স"]);
  // Decomposed, য় is two code units.
  assert.equal(widened("এই [থাই]রয়েডের".normalize("NFD")), ["থাইরয়েড".normalize("NFD")]);
  // What ends with an ending already keeps it, and what is words stays, whatever stands around it.
  assert.equal(widened("[জ্বরের] পরে"), ["জ্বরের"]);
  assert.equal(widened("([জ্বর])।"), ["জ্বর"]);
  assert.equal(widened("[aspirin], and"), ["aspirin"]);
  assert.equal(widened("😀[😀]😀"), ["😀"]);
  assert.equal(widened("a[ - ]b"), [" - "]);
  // Joiners are parts of words.
  assert.equal(widened("র\u200d্[যাব]"), ["র\u200d্যাব"]);
  // Over several words only the outer ones count, and no other language has endings.
  assert.equal(widened("anti[biotic resist]ances is"), ["antibiotic resistances"]);
  assert.equal(widened("𝐀[𝐁]𝐂 d"), ["𝐀𝐁𝐂"]);
});

test("of two spans that want a word the better has it, and the other the words that are left to it", () => {
  const text = "ab (cdefgh) ij, kl";
  const found = (...spans: [start: number, end: number, score: number][]): string[] =>
    toWords(text, spans.map((span) => spanOf(text, ...span))).map(({ text }) => text);
  assert.equal(found([0, 6, 0.5], [6, 14, 0.5]), ["ab (cdefgh", "ij"]);
  assert.equal(found([0, 6, 0.5], [6, 14, 0.6]), ["ab", "cdefgh) ij"]);
  assert.equal(found([4, 6, 0.5], [6, 14, 0.6]), ["cdefgh) ij"]);
  assert.equal(found([0, 6, 0.6], [6, 8, 0.5]), ["ab (cdefgh"]);
  assert.equal(found([4, 5, 0.4], [5, 6, 0.5], [6, 14, 0.6]), ["cdefgh) ij"]);
  assert.equal(found([0, 5, 0.7], [5, 6, 0.5], [7, 8, 0.6], [16, 18, 0.1]), ["ab (cdefgh", "kl"]);
  assert.equal(found([0, 2, 0.7], [4, 10, 0.5], [12, 14, 0.6]), ["ab", "cdefgh", "ij"]);
});

test("a word of a million letters takes no longer than its text", () => {
  const count = 1_000_000, text = "অ".repeat(count);
  // By squares, any of these would take minutes.
  for (const score of [(i: number) => i / count, (i: number) => 1 - i / count]) {
    const spans = Array.from(
      { length: count / 2 },
      (_, i) => spanOf(text, 2 * i, 2 * i + 1, score(i)),
    );
    assert.equal(
      toWords(text, spans).map(({ start, end }) => [start, end]),
      [[0, count]],
    );
  }
});

test("every entity is words, or words up to an ending, and has what the model's own span has", async () => {
  const ner = await load(whole), plain = await load(anywhere);
  let moved = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { maxLength: 60 }), async (seed) => {
      const text = textOf(seed), words = wordsOf(text);
      const found = await ner.extract(text), own = await plain.extract(text);
      for (const { start, end } of found) {
        assert.ok(words.some((word) => word.start === start), text.slice(start, end));
        const last = words.find((word) => word.start < end && end <= word.end)!;
        const rest = text.slice(end, last.end);
        assert.ok(rest === "" || JOINED_ENDINGS.has(rest.normalize("NFC")), `ends before ${rest}`);
      }
      for (const { type, start, end, score } of found) {
        const inside = own.filter((one) => one.start < end && start < one.end && one.type === type);
        assert.ok(inside.some((one) => one.score === score), "a score of no span of the model");
        if (inside.every((one) => one.start !== start || one.end !== end)) moved++;
      }
      // Entities of the model that are words already stay.
      const stays = ({ start, end }: Entity) =>
        words.some((w) => w.start === start) && words.some((w) => w.end === end);
      if (own.every(stays)) assert.equal(found, own);
    }),
    { numRuns: 60 },
  );
  assert.ok(moved > 20, `only ${moved} entities were moved`);
  ner.close();
  plain.close();
});

for (const name of ["albert-safetensors", "roberta-safetensors-fp16", "xlmr-safetensors"]) {
  test(`${name}: what a tokenizer calls a word does not matter`, async () => {
    const folder = new URL(`../fixtures/zoo/${name}`, import.meta.url).pathname;
    const { content } = await readModelFiles(folder);
    const bundle = { ...bundleFromFolder(content), wholeWords: true };
    const ner = await load(bundle);
    const text = textOf(Array.from({ length: 200 }, (_, i) => i * i + (i >> 2))) +
      "  (aspirin), \n";
    const words = wordsOf(text), found = await ner.extract(text);
    assert.ok(found.length > 20, `${found.length} entities`);
    for (const { start, end } of found) {
      assert.ok(words.some((word) => word.start === start), text.slice(start, end + 9));
      const last = words.find((word) => word.start < end && end <= word.end)!;
      const rest = text.slice(end, last.end);
      assert.ok(rest === "" || JOINED_ENDINGS.has(rest.normalize("NFC")), `ends before ${rest}`);
      // What has no place in the text is not taken in.
      assert.is(text.slice(start, end), text.slice(start, end).trim());
    }
    ner.close();
  });
}

test("the same in a batch, in a document in pieces and among readings", async () => {
  const ner = await load(whole);
  const text = textOf(Array.from({ length: 400 }, (_, i) => i * i + (i >> 3)));
  const found = await ner.extract(text);
  assert.ok(found.length > 20);
  assert.equal(await ner.extractBatch(["", text]), [[], found]);
  const pieces = Array.from(
    { length: Math.ceil(text.length / 777) },
    (_, i) => text.slice(777 * i, 777 * (i + 1)),
  );
  assert.equal(await Array.fromAsync(ner.extractDocument(pieces)), found);
  const [first] = await ner.extractNBest(text, 1);
  assert.equal(first.entities, found);
  assert.is(ner.info().wholeWords, true);
  ner.close();
});

test("readings whose paths differ only within words are one, as probable as all of them", async () => {
  const ner = await load(whole), plain = await load(anywhere);
  const keyOf = (entities: readonly Entity[]): string =>
    JSON.stringify(entities.map(({ type, start, end }) => [type, start, end]));
  let together = 0;
  for (let seed = 0; seed < 40; seed++) {
    // Letters without marks: all entities of the model end where characters do.
    const text = Array.from(
      { length: 1 + seed % 7 },
      (_, i) => ["metformin", "xq", "500mg", "zanubrutinib"][(seed + i * i) % 4],
    ).join(" ");
    // Every path that is looked at: none of them is another's reading where entities may be anywhere.
    const paths = (await plain.extractNBest(text, 24))
      .map(({ entities, probability }) => [keyOf(toWords(text, entities)), probability] as const);
    if (new Set(paths.slice(0, 3).map(([key]) => key)).size < 3) together++;
    const sums = new Map<string, number>();
    for (const [key, probability] of paths) sums.set(key, (sums.get(key) ?? 0) + probability);
    const expected = [...sums].sort(([, a], [, b]) => b - a).slice(0, 3);
    const readings = await ner.extractNBest(text, 3);
    assert.equal(readings.map(({ entities }) => keyOf(entities)), expected.map(([key]) => key));
    // The same additions in the same order.
    assert.equal(readings.map(({ probability }) => probability), expected.map(([, sum]) => sum));
  }
  assert.ok(together > 10, `of ${together} texts the best paths say the same`);
  ner.close();
  plain.close();
});

test("it goes with a package, a checkpoint and an export", () => {
  for (const bundle of [whole, anywhere]) {
    const packed = writePackage(bundle), read = readPackage(packed);
    assert.is(read.wholeWords, bundle.wholeWords);
    assert.equal(writePackage(read), packed);
    const get = (files: ReadonlyMap<string, Uint8Array>, name: string) => files.get(name)!;
    const common = (files: ReadonlyMap<string, Uint8Array>) => ({
      config: get(files, "config.json"),
      tokenizer: get(files, "tokenizer.json"),
      crf: get(files, "crf.safetensors"),
    });
    const checkpoint = writeCheckpoint(bundle), onnx = writeExport(bundle);
    assert.is(
      bundleFromCheckpoint({
        model: get(checkpoint, "model.safetensors"),
        ...common(checkpoint),
      }).wholeWords,
      bundle.wholeWords,
    );
    assert.is(
      bundleFromExport({ model: get(onnx, "model.onnx"), ...common(onnx) }).wholeWords,
      bundle.wholeWords,
    );
  }
});

test("what it cannot be is refused", () => {
  const { tensors, metadata } = readSafetensors(writePackage(whole));
  const { xxh32: _, ...rest } = Object.fromEntries(metadata);
  const packed = writeSafetensors(tensors, { ...rest, whole_words: "yes" });
  assert.throws(
    () => readPackage(packed),
    (error: unknown) =>
      error instanceof FormatError && error.code === "package/metadata" &&
      /whole_words is "yes"/.test(error.message),
  );
  const config = JSON.parse(new TextDecoder().decode(writeCheckpoint(whole).get("config.json")));
  assert.throws(
    () => readHfConfig({ ...config, whole_words: "yes" }),
    (error: unknown) => error instanceof FormatError && error.code === "config/field",
  );
});

test.run();
