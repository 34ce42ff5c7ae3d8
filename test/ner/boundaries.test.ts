/** Where entities may begin and end, in each mode; what becomes of two that want the same characters. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner } from "../../mod.ts";
import { atOnce } from "../../src/crf/crf.ts";
import { BOUNDARIES, type Boundary, fitting } from "../../src/ner/boundaries.ts";
import type { Entity } from "../../src/ner/entities.ts";
import { random } from "../support.ts";

type Case = readonly [type: string, start: number, end: number, score: number];

const fitted = (text: string, boundary: Boundary, ...cases: readonly Case[]): Entity[] =>
  atOnce(fitting(
    text,
    cases.map(([type, start, end, score]) => ({
      type,
      start,
      end,
      score,
      text: text.slice(start, end),
    })),
    boundary,
  ));

const texts = (text: string, boundary: Boundary, ...cases: readonly Case[]): string[] =>
  fitted(text, boundary, ...cases).map(({ type, text }) => `${text} ${type}`);

test("an ending is left outside, taken in to the end of its cluster, or of its word", () => {
  const text = "তার জ্বরের ওষুধ", fever: Case = ["DIS", 4, 8, 1];
  assert.equal(texts(text, "model", fever), ["জ্বর DIS"]);
  assert.equal(texts(text, "grapheme", fever), ["জ্বরে DIS"]);
  assert.equal(texts(text, "word", fever), ["জ্বরের DIS"]);
});

test("no conjunct is torn: to its last consonant in model, whole in grapheme", () => {
  assert.equal(texts("রক্তে", "model", ["ORG", 0, 2, 1]), ["রক্ত ORG"]);
  assert.equal(texts("রক্তে", "grapheme", ["ORG", 0, 2, 1]), ["রক্তে ORG"]);
  assert.equal(texts("রক্তে", "model", ["ORG", 3, 5, 1]), ["ক্তে ORG"]);
});

test("what two entities want has the better score; the other keeps the rest, or goes", () => {
  const text = "কাখি", a: Case = ["A", 0, 1, 0.5], b: Case = ["B", 1, 4, 0.9];
  assert.equal(texts(text, "model", a, b), ["কাখি B"]);
  assert.equal(texts(text, "model", ["A", 0, 1, 0.9], b), ["ক A", "খি B"]);
  assert.equal(texts(text, "grapheme", ["A", 0, 1, 0.9], b), ["কা A", "খি B"]);
  assert.equal(texts(text, "word", ["A", 0, 1, 0.9], b), ["কাখি A"]);
  assert.equal(texts("ক খ-গ", "word", ["A", 0, 3, 0.4], ["B", 3, 5, 0.5]), ["ক খ A", "-গ B"]);
  assert.equal(texts("কখ গ", "word", ["A", 0, 1, 0.9], ["B", 1, 4, 0.5]), ["কখ A", "গ B"]);
  assert.equal(texts("ক খগ", "word", ["A", 0, 3, 0.5], ["B", 3, 4, 0.9]), ["ক A", "খগ B"]);
  // Three in one word.
  assert.equal(texts("কখগ", "word", ["A", 0, 1, 0.4], ["B", 1, 2, 0.3], ["C", 2, 3, 0.5]), [
    "কখগ C",
  ]);
});

/** The same promises for any spans of any text, by another implementation's clusters. */
test("spans of random texts: none begins in a cluster or ends before a virama, none overlaps", () => {
  const next = random(7), letters = [..."কতর্া\u09bcেং \u200d\n-a👩🇧"];
  const segmenter = new Intl.Segmenter("bn", { granularity: "grapheme" });
  for (let i = 0; i < 5000; i++) {
    const text = Array.from({ length: 14 }, () => letters[Math.floor(next() * letters.length)])
      .join("");
    const places = [...new Set(Array.from({ length: 6 }, () => Math.floor(next() * text.length)))];
    places.sort((a, b) => a - b);
    const spans: Case[] = [];
    for (let k = 0; k + 1 < places.length; k += 1 + Math.floor(next() * 2)) {
      spans.push(["X", places[k], places[k + 1], Math.floor(next() * 3) / 2]);
    }
    const breaks = new Set([...segmenter.segment(text)].map(({ index }) => index)).add(text.length);
    for (const boundary of BOUNDARIES) {
      let at = 0;
      for (const { start, end, text: own } of fitted(text, boundary, ...spans)) {
        const message = `${JSON.stringify(text)} ${boundary} ${start}..${end}`;
        assert.ok(start >= at && end > start, message);
        assert.ok(breaks.has(start), message);
        assert.ok(
          boundary === "model" ? text[end] !== "্" || breaks.has(end) : breaks.has(end),
          message,
        );
        assert.is(own, text.slice(start, end));
        at = end;
      }
    }
  }
});

test("thousands of entities in a text without spaces look at it once", () => {
  const text = "কা".repeat(50_000);
  const spans = Array.from({ length: 25_000 }, (_, i): Case => ["X", 4 * i, 4 * i + 1, 1]);
  assert.is(fitted(text, "grapheme", ...spans).length, 25_000);
});

const ner = await Ner.load(new URL("../fixtures/tiny-torchscript", import.meta.url));
const TEXT = "জ্বর ও ব্যথায় প্যারাসিটামল। ডায়াবেটিসে মেটফরমিন ও ইনসুলিন দেওয়া হয়। ";

test("sentences are seen one by one, and their entities placed in the text", async () => {
  const [first, second] = TEXT.split(/(?<=।) /);
  const [a, b] = await ner.extractBatch([first, second]);
  const move = (entity: Entity): Entity => ({
    ...entity,
    start: entity.start + first.length + 1,
    end: entity.end + first.length + 1,
  });
  assert.ok(b.length > 0);
  assert.equal(await ner.extract(TEXT, { sentences: true }), [...a, ...b.map(move)]);
  assert.equal(await ner.extractBatch(["", TEXT, " "], { sentences: true }), [
    [],
    [...a, ...b.map(move)],
    [],
  ]);
});

test("every way to extract takes boundary", async () => {
  const words = await ner.extract(TEXT, { boundary: "word" });
  assert.not.equal(words, await ner.extract(TEXT));
  const streamed: Entity[][] = [];
  for await (const entities of ner.extractStream([TEXT], { boundary: "word" })) {
    streamed.push(entities);
  }
  assert.equal(streamed, [words]);
  const document: Entity[] = [];
  for await (const entity of ner.extractDocument([TEXT], { boundary: "word" })) {
    document.push(entity);
  }
  assert.equal(document, words);
});

test("a boundary that is none is refused, and where it has no place", async () => {
  const code = (error: unknown): boolean => (error as { code: string }).code === "input/option";
  for (const options of [{ boundary: "words" }, { boundary: null }, { sentences: 1 }]) {
    const error = await ner.extract(TEXT, options as never).catch((error: unknown) => error);
    assert.ok(code(error), String(error));
  }
  assert.ok(
    code(await ner.emissions(TEXT, { boundary: "word" } as never).catch((e: unknown) => e)),
  );
});

test.run();
