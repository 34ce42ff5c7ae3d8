/**
 * Normalizers and pre-tokenizers that are made of regular expressions and classes, by themselves and in
 * Sequences: golden ids and places made by Hugging Face tokenizers (`tools/fixtures/make_regex_fixtures.py
 * fixtures`).
 *
 * Ids and words are equal for every text. Places are, but for what `compiled.ts` says: ours are without white
 * space at their ends, and cover letters whole, so that one is the other, or within it.
 *
 * @module
 */

import fc from "fast-check";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import type { Tokenizer } from "../../src/tokenizer/types.ts";

interface Case {
  name: string;
  model: string;
  normalizer: unknown;
  pre_tokenizer: unknown;
  expected: [ids: number[], starts: number[], ends: number[], words: number[]][];
}

const golden: { texts: string[]; tokenizers: Record<string, object>; cases: Case[] } = JSON.parse(
  readFileSync(new URL("./fixtures/parts.json", import.meta.url), "utf8"),
);

function load({ model, normalizer, pre_tokenizer }: Case): Tokenizer {
  const json = { ...golden.tokenizers[model], normalizer, pre_tokenizer };
  return tokenizerFromJson(json, { allowStripAccents: true });
}

/** White space, and what stands for it. */
const EDGES = /^[\p{White_Space}\u2581_]+|[\p{White_Space}\u2581_]+$/gu;

for (const c of golden.cases) {
  test(`golden: ${c.name}`, () => {
    const tokenizer = load(c);
    const again = tokenizerFromJson(JSON.parse(JSON.stringify(tokenizer)));
    golden.texts.forEach((text, i) => {
      const at = JSON.stringify(text);
      const got = tokenizer.encode(text);
      const [ids, starts, ends, words] = c.expected[i];
      assert.equal([...got.ids], ids, `ids of ${at}`);
      const order = [...new Set(words)];
      assert.equal([...got.words], words.map((word) => order.indexOf(word)), `words of ${at}`);
      for (let k = 0; k < ids.length; k++) {
        const theirs = text.slice(starts[k], ends[k]).replace(EDGES, "");
        const ours = text.slice(got.starts[k], got.ends[k]).replace(EDGES, "");
        assert.ok(
          theirs.includes(ours) || ours.includes(theirs),
          `token ${k} of ${at}: ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`,
        );
      }
      assert.equal(again.encode(text), got);
    });
  });
}

const anyText = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(...golden.texts, ..."ab1-. '\n\u2581_ক\u09cd中😀\u0301"),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 4 }) },
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

test("any text: places are in order, in bounds and split no pair; a text alone has the same tokens", () => {
  const isPairAt = (text: string, at: number): boolean =>
    /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
  for (const c of golden.cases) {
    const tokenizer = load(c);
    fc.assert(
      fc.property(anyText, anyText, (text, other) => {
        const { ids, starts, ends, words } = tokenizer.encode(text);
        for (let k = 0, start = 0, end = 0; k < ids.length; k++) {
          assert.ok(start <= starts[k] && end <= ends[k] && starts[k] <= ends[k], c.name);
          [start, end] = [starts[k], ends[k]];
          assert.ok(end <= text.length);
          assert.not(isPairAt(text, start) || isPairAt(text, end), c.name);
          const step = words[k] - (k > 0 ? words[k - 1] : 0);
          assert.ok(step === 0 || (step === 1 && k > 0), c.name);
        }
        tokenizer.encode(other);
        assert.equal(tokenizer.encode(text).ids, ids, c.name);
      }),
      { numRuns: 60 },
    );
  }
});

test.run();
