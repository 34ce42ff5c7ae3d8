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
import { type Entity, FormatError, Ner } from "../../mod.ts";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { writeCheckpoint } from "../../src/formats/hf/write_checkpoint.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { writeExport } from "../../src/formats/write_export.ts";
import { JOINED_ENDINGS } from "../../src/lexicon/endings.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { placeOf } from "../../src/ner/places.ts";
import { endOfWords, fromWords } from "../../src/ner/whole_words.ts";
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

/** The words of a text, by its tokenizer: where each begins and ends. */
function wordsOf(text: string): { start: number; end: number }[] {
  const { starts, ends, words } = anywhere.tokenizer.encode(text);
  const found: { start: number; end: number }[] = [];
  words.forEach((word, t) => {
    found[word] ??= { start: starts[t], end: ends[t] };
    found[word].end = ends[t];
  });
  return found;
}

/** Pieces of words, one token each: a space begins a word. */
function placesOf(pieces: readonly string[]) {
  const starts: number[] = [], ends: number[] = [], words: number[] = [];
  let at = 0, word = -1;
  for (const piece of pieces) {
    if (piece.startsWith(" ") || word < 0) word++;
    at += piece.startsWith(" ") ? 1 : 0;
    starts.push(at);
    ends.push(at += piece.trimStart().length);
    words.push(word);
  }
  return { text: pieces.join(""), places: { starts, ends }, words };
}

test("a span begins with its word, and ends with it or before an ending", () => {
  const found = (pieces: string[], first: number, last: number): string | undefined => {
    const { text, places, words } = placesOf(pieces);
    const [span] = fromWords([{ first, last, score: 1 }], words);
    const { start, end } = placeOf(span, places.starts, places.ends)!;
    return text.slice(start, endOfWords(text, end, span, places, words));
  };
  assert.is(found(["অ", "ন্ডান", "সেট্রন", "ের"], 1, 2), "অন্ডানসেট্রন");
  assert.is(found(["এই", " ইসো", "মে", "প্রাজল"], 1, 2), "ইসোমেপ্রাজল");
  // The longest ending that leaves the span whole: not "ে" alone.
  assert.is(found(["এই", " ওমেনি", "ক্স", "কে"], 1, 1), "ওমেনিক্স");
  assert.is(found(["এই", " ওমেনি", "ক্সকে"], 1, 1), "ওমেনিক্স");
  // What ends with an ending already keeps it.
  assert.is(found(["জ্বর", "ের", " পরে"], 0, 1), "জ্বরের");
  assert.is(found(["জ্বর", " থেকে"], 0, 0), "জ্বর");
  // Over several words only the outer ones count, and no other language has endings.
  assert.is(
    found(["anti", "biotic", " resist", "ance", "s", " is"], 1, 2),
    "antibiotic resistances",
  );
});

test("of two spans that want a word the better has it, and the other the words that are left to it", () => {
  const words = [0, 1, 1, 1, 2, 3];
  const found = (...spans: [first: number, last: number, score: number][]): unknown =>
    fromWords(spans.map(([first, last, score]) => ({ first, last, score })), words)
      .map(({ first, last }) => [first, last]);
  assert.equal(found([0, 1, 0.5], [2, 4, 0.5]), [[0, 1], [4, 4]]);
  assert.equal(found([0, 1, 0.5], [2, 4, 0.6]), [[0, 0], [1, 4]]);
  assert.equal(found([1, 1, 0.5], [2, 4, 0.6]), [[1, 4]]);
  assert.equal(found([0, 1, 0.6], [2, 3, 0.5]), [[0, 1]]);
  assert.equal(found([1, 1, 0.4], [2, 2, 0.5], [3, 5, 0.6]), [[1, 5]]);
  assert.equal(found([0, 1, 0.7], [2, 2, 0.5], [3, 3, 0.6], [5, 5, 0.1]), [[0, 1], [5, 5]]);
  assert.equal(found([0, 0, 0.7], [1, 3, 0.5], [4, 4, 0.6]), [[0, 0], [1, 3], [4, 4]]);
});

test("a word of a million pieces takes no longer than its text", () => {
  const count = 1_000_000, text = "অ".repeat(count), words = new Int32Array(count);
  const ends = Int32Array.from(words, (_, i) => i + 1);
  const spans = Array.from({ length: count / 2 }, (_, i) => ({
    first: 2 * i,
    last: 2 * i,
    score: i / count,
  }));
  // By squares, either of these would take minutes.
  const kept = fromWords(spans, words);
  assert.equal(kept, [{ ...spans.at(-1)!, first: 0 }]);
  assert.is(endOfWords(text, 1, { first: 0, last: 0, score: 1 }, { ends }, words), count);
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
  const [first] = await ner.extractNBest(text, 2);
  assert.equal(first.entities, found);
  assert.is(ner.info().wholeWords, true);
  ner.close();
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
});

test.run();
