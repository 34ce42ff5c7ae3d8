/**
 * Golden ids and places, made by Hugging Face tokenizers (`tools/fixtures/tokenizer_parity.py fixtures`).
 *
 * Ids and words are equal for every text in every configuration. So are the places, but for one kind: where
 * the normalizer strips a mark, or composes or reorders several characters, the reference gives the token
 * the place of the first of them only, so that the slice of "cafe" + U+0301 is "cafe" without its accent
 * and that of "র" + "ে" + "া" + "গ" may end inside the vowel sign. Ours take the whole letter. The test asks
 * that whatever we have more than the reference is marks and vowel signs, and nothing else.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import type { Encoding, Tokenizer } from "../../src/tokenizer/types.ts";

interface Case {
  name: string;
  tokenizer: { model: Record<string, unknown> };
  expected: [ids: number[], starts: number[], ends: number[], words: number[]][];
}

const file = new URL("./fixtures/golden.json", import.meta.url);
const golden: { pieces: string[]; texts: string[]; cases: Case[] } = JSON.parse(
  readFileSync(file, "utf8"),
);
const vocab = Object.fromEntries(golden.pieces.map((piece, id) => [piece, id]));
// Marks, the jamo and half-width voicing marks that join a letter, what clean_text deletes between them.
const PART_OF_A_LETTER = /^[\p{M}\u1160-\u11ff\uff9e\uff9f\p{Cf}]*$/u;

function load(c: Case): Tokenizer {
  const json = { ...c.tokenizer, model: { ...c.tokenizer.model, vocab } };
  return tokenizerFromJson(JSON.stringify(json), { allowStripAccents: true });
}

function check(text: string, got: Encoding, [ids, starts, ends, words]: Case["expected"][0]): void {
  const at = JSON.stringify(text);
  assert.equal([...got.ids], ids, `ids of ${at}`);
  assert.equal([...got.words], words, `words of ${at}`);
  for (let i = 0; i < ids.length; i++) {
    const before = text.slice(got.starts[i], starts[i]), after = text.slice(ends[i], got.ends[i]);
    assert.ok(got.starts[i] <= starts[i] && got.ends[i] >= ends[i], `token ${i} of ${at}`);
    if (before + after === "") continue;
    const whole = text.slice(got.starts[i], got.ends[i]);
    // A reordered mark has the place of all that moved, which may begin with the letter.
    assert.ok(PART_OF_A_LETTER.test(after), `token ${i} of ${at} ends late: ${whole}`);
    assert.ok(PART_OF_A_LETTER.test(before.slice(1)), `token ${i} of ${at} starts early: ${whole}`);
  }
}

for (const c of golden.cases) {
  test(`golden: ${c.name}`, () => {
    const tokenizer = load(c);
    golden.texts.forEach((text, i) => check(text, tokenizer.encode(text), c.expected[i]));
  });

  test(`golden: ${c.name}, after toJSON`, () => {
    const first = load(c);
    const again = tokenizerFromJson(JSON.parse(JSON.stringify(first)), { allowStripAccents: true });
    assert.equal(JSON.stringify(again), JSON.stringify(first));
    golden.texts.forEach((text) => assert.equal(again.encode(text), first.encode(text)));
  });
}

test("places are exactly the reference's where no letter is composed, reordered or stripped", () => {
  const c = golden.cases.find((c) => c.name === "lower-cased, accents kept")!;
  const tokenizer = load(c);
  golden.texts.forEach((text, i) => {
    const got = tokenizer.encode(text);
    assert.equal([...got.starts], c.expected[i][1], JSON.stringify(text));
    assert.equal([...got.ends], c.expected[i][2], JSON.stringify(text));
  });
});

test("a stripped or composed letter is covered whole", () => {
  const load2 = (name: string) => load(golden.cases.find((c) => c.name === name)!);
  const uncased = load2("uncased, accents stripped").encode("cafe\u0301 day");
  assert.is(uncased.ends[uncased.words.lastIndexOf(0)], 5);
  const composed = load2("NFC, cased").encode("র\u09c7\u09be");
  assert.is(composed.ends[composed.ends.length - 1], 3);
});

test.run();
