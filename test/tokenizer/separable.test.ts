/** Cuts of a text, for every tokenizer of the fixtures: the parts have the tokens of the whole. */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { atOnce } from "../../src/crf/crf.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import type { Tokenizer } from "../../src/tokenizer/types.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const files = readdirSync(fixtures, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith("tokenizer.json")).sort();
const tokenizers = new Map<string, Tokenizer>();
for (const path of files) {
  const json = readFileSync(new URL(path, fixtures), "utf8");
  // Many fixtures share one.
  if (!tokenizers.has(json)) {
    tokenizers.set(json, tokenizerFromJson(json, { allowStripAccents: true }));
  }
}

const PIECES = [
  "word",
  "one two",
  " ",
  " ",
  "  ",
  "\n",
  ", ",
  "[MASK]",
  "<mask>",
  "don't",
  "১২",
  "কি",
  "é",
  "e\u0301",
  " \u0301",
  "語",
  "ﬁ",
  "😀",
  "A",
  "\u00a0",
  "▁",
  "12",
];

test("texts that are cut have the tokens of the whole", () => {
  let separable = 0, cuts = 0;
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }).map((p) => p.join(""));
  for (const tokenizer of tokenizers.values()) {
    if (tokenizer.lastCut("one two three", 13) === 0) continue;
    separable++;
    fc.assert(
      fc.property(text, (whole) => {
        const cut = tokenizer.lastCut(whole, whole.length);
        if (cut === 0) return;
        cuts++;
        const all = tokenizer.encode(whole);
        const a = tokenizer.encode(whole.slice(0, cut)), b = tokenizer.encode(whole.slice(cut));
        assert.equal([...a.ids, ...b.ids], [...all.ids]);
        assert.equal([...a.starts, ...Array.from(b.starts, (s) => s + cut)], [...all.starts]);
        assert.equal([...a.ends, ...Array.from(b.ends, (s) => s + cut)], [...all.ends]);
      }),
      { numRuns: 300 },
    );
  }
  assert.ok(separable > 2 && cuts > 300, `${separable} tokenizers, ${cuts} cuts`);
});

test("a long text in pieces is the text at once", () => {
  const long = PIECES.join(" one two ").repeat(80);
  for (const tokenizer of tokenizers.values()) {
    const work = tokenizer.encoding(long);
    assert.equal(atOnce(work), tokenizer.encode(long));
  }
  const [some] = [...tokenizers.values()].filter((t) => t.lastCut("one two three", 13) > 0);
  let pieces = 0;
  for (const _ of some.encoding(long)) pieces++;
  assert.ok(pieces > 1);
});

test.run();
