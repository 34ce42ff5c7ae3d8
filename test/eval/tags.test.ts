/**
 * Tag sequences against Python's seqeval 1.2.2 and scikit-learn: 10,000 pairs, most of them invalid somewhere, drawn here
 * as `tools/fixtures/seqeval_reference.py` draws them, whose figures `fixtures/sequences.json` holds. Equal means equal:
 * the same float64s, no tolerance.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { parseTags, spansOf } from "../../src/crf/scheme.ts";
import { FormatError, InputError } from "../../src/errors.ts";
import {
  detectScheme,
  spansOfTags,
  TAG_SCHEMES,
  type TagOptions,
} from "../../src/eval/sequences.ts";
import { scoreTags } from "../../src/eval/tags.ts";
import { Random } from "../../src/train/random.ts";

/** Precision, recall, F1 and support, by type and average. */
type Figures = Record<string, readonly [number | null, number | null, number | null, number]>;

interface Case {
  name: string;
  sequences: number;
  longest: number;
  prefixes: string;
  gold: string[];
  predicted: string[];
  copies: boolean;
  tokens: number;
  tags: string[];
  accuracy: number | null;
  confusion: string[];
  detected: string | null;
  figures: Record<string, Figures | null>;
  one?: Record<string, Figures | null>;
}

const file = readFileSync(new URL("fixtures/sequences.json", import.meta.url), "utf8");
const { seed, cases, schemes } = JSON.parse(file) as {
  seed: number;
  cases: Case[];
  schemes: Record<string, string>;
};

function drawTag(random: Random, before: string, prefixes: string, types: string[]): string {
  if (types.length === 0) return "O";
  if (/^[BI]/.test(before) && random.below(2) === 1) {
    const inner = [...prefixes].filter((prefix) => "IEL".includes(prefix));
    return inner[random.below(inner.length)] + before.slice(1);
  }
  if (random.below(3) === 0) return "O";
  const prefix = prefixes[random.below(prefixes.length)];
  const type = types[random.below(types.length)];
  return type === "" ? prefix : `${prefix}-${type}`;
}

function drawTags(random: Random, length: number, prefixes: string, types: string[]): string[] {
  const tags: string[] = [];
  for (let i = 0; i < length; i++) tags.push(drawTag(random, tags[i - 1] ?? "O", prefixes, types));
  return tags;
}

function drawPair(random: Random, one: Case): [gold: string[], predicted: string[]] {
  const { prefixes } = one, length = random.below(one.longest + 1);
  const gold = drawTags(random, length, prefixes, random.below(8) === 0 ? [] : one.gold);
  const manner = random.below(4);
  if (manner === 0 && one.copies) return [gold, [...gold]];
  if (manner === 1 && one.copies) {
    const tags: string[] = [];
    gold.forEach((tag, i) => {
      const slip = random.below(4) === 0;
      tags.push(slip ? drawTag(random, tags[i - 1] ?? "O", prefixes, one.predicted) : tag);
    });
    return [gold, tags];
  }
  return [gold, drawTags(random, length, prefixes, manner === 2 ? [] : one.predicted)];
}

function drawCase(one: Case, part: number): [gold: string[][], predicted: string[][]] {
  const random = new Random(seed, "split", part);
  const pairs = Array.from({ length: one.sequences }, () => drawPair(random, one));
  return [pairs.map(([gold]) => gold), pairs.map(([, predicted]) => predicted)];
}

/** Our scores as the fixture has seqeval's. */
function figuresOf(
  gold: string[][],
  predicted: string[][],
  options: TagOptions & { zeroDivision: 0 | 1 },
): Figures {
  const { types, micro, macro, weighted } = scoreTags(gold, predicted, options);
  const rows = [...Object.entries(types), ...Object.entries({ micro, macro, weighted })];
  return Object.fromEntries(
    rows.map(([name, s]) => [name, [s.precision, s.recall, s.f1, s.support]]),
  );
}

test("the fixture has 10,000 pairs of sequences", () => {
  assert.is(cases.reduce((sum, { sequences }) => sum + sequences, 0), 10_000);
});

cases.forEach((one, part) => {
  test(`seqeval, case ${part}: ${one.name}`, () => {
    const [gold, predicted] = drawCase(one, part);
    const { tokens, accuracy, tagConfusion } = scoreTags(gold, predicted);
    assert.is(tokens, one.tokens, "the same sequences are drawn");
    assert.equal(tagConfusion.tags, one.tags);
    assert.is(accuracy, one.accuracy ?? 0);
    const rows = tagConfusion.counts.map((row) =>
      row.flatMap((count, column) => count > 0 ? [`${column}:${count}`] : []).join(" ")
    );
    assert.equal(rows, one.confusion);

    for (const zeroDivision of [0, 1] as const) {
      for (
        const [reading, figures] of Object.entries((zeroDivision ? one.one : one.figures) ?? {})
      ) {
        const scheme = TAG_SCHEMES.find((name) => name === reading);
        const options = { mode: scheme ? "strict" : "default", scheme, zeroDivision } as const;
        const ours = (): Figures => figuresOf(gold, predicted, options);
        const detected = (): Figures =>
          figuresOf(gold, predicted, { ...options, scheme: undefined });
        if (figures === null) {
          assert.throws(ours, (e: unknown) => e instanceof FormatError && e.code === "data/tag");
          if (scheme === one.detected) assert.throws(detected, /data\/tag|begin with/);
          continue;
        }
        // seqeval has no macro average where there is no type; we have what a division by zero is.
        const expected = Object.entries(figures).map(([name, row]) =>
          [name, row.map((x) => x ?? zeroDivision)] as const
        );
        assert.equal(ours(), Object.fromEntries(expected), reading);
        if (scheme !== undefined && scheme === one.detected) assert.equal(detected(), ours());
      }
    }
    if (one.detected === null) {
      assert.throws(
        () => scoreTags(gold, predicted, { mode: "strict" }),
        (e: unknown) => e instanceof InputError && e.code === "input/option",
      );
    }
  });
});

test("every set of prefixes tells the scheme that seqeval tells from it, or none", () => {
  for (let set = 0; set < 128; set++) {
    const prefixes = [..."BEILOSU"].filter((_, i) => set >> i & 1);
    const tags = [prefixes.map((prefix) => prefix === "O" ? "O" : `${prefix}-X`)];
    const expected = schemes[prefixes.join("")];
    if (expected === undefined) assert.throws(() => detectScheme(tags), /no scheme/);
    else assert.is(detectScheme(tags), expected);
  }
});

const tag = fc.constantFrom(
  "O",
  "O",
  ...["X", "Y"].flatMap((t) => [..."BIES"].map((p) => `${p}-${t}`)),
);
const sequence = fc.array(tag, { maxLength: 12 });

test("with B, I, E and S, the default mode reads as a model's labels are read", () => {
  // One label with a prefix more, never in a path, tells `parseTags` that prefixes are meant.
  fc.assert(fc.property(sequence, (names) => {
    const labels = [...new Set([...names, "B-X"])];
    const spans = spansOf(names.map((name) => labels.indexOf(name)), parseTags(labels));
    assert.equal(
      spansOfTags([names])[0],
      spans.map(({ type, first, last }) => ({ type, start: first, end: last + 1 })),
    );
  }));
});

test("what the default mode makes of L and U, as seqeval does", () => {
  const read = (tags: string): string =>
    spansOfTags([tags.split(" ")])[0].map(({ start, end }) => `${start}-${end}`).join(" ");
  assert.is(read("U-x U-x"), "0-2");
  assert.is(read("B-x L-x B-x"), "2-3");
  assert.is(read("B-x E-x U-x"), "0-2 0-3");
  // Behind O, an L without a type begins nothing; what ends there began wherever the last span did.
  const over = spansOfTags([["O", "B-x", "O"], ["L", "I-y"]])[1];
  assert.equal(over, [{ type: "_", start: -3, end: 1 }, { type: "y", start: 1, end: 2 }]);
});

test("strict drops what default repairs", () => {
  const tags = [["I-X", "O", "B-X", "I-X", "I-Y"]];
  assert.is(spansOfTags(tags)[0].length, 3);
  assert.equal(spansOfTags(tags, { mode: "strict", scheme: "IOB2" }), [[
    { type: "X", start: 2, end: 4 },
  ]]);
});

test("a span's confusion and a token's", () => {
  const { confusion, tagConfusion, accuracy, scheme } = scoreTags(
    [["B-X", "I-X", "O"]],
    [["B-Y", "I-Y", "O"]],
    { mode: "strict" },
  );
  assert.equal(confusion.counts, [[0, 1, 0], [0, 0, 0], [0, 0, 0]]);
  assert.equal(tagConfusion.tags, ["B-X", "B-Y", "I-X", "I-Y", "O"]);
  assert.equal(tagConfusion.counts[0], [0, 1, 0, 0, 0]);
  assert.is(accuracy, 1 / 3);
  assert.is(scheme, "IOB2");
});

const REFUSED: readonly (readonly [string, string, string[][], TagOptions, RegExp])[] = [
  ["a type without a prefix", "data/tag", [["O"], ["O", "BODY"]], {}, /sequence 2, tag 2: "BODY"/],
  ["an empty tag", "data/tag", [[""]], {}, /"" is no tag/],
  [
    "a tag of another scheme",
    "data/tag",
    [["S-X"]],
    { mode: "strict", scheme: "IOB2", where: () => "a.tsv, line 7" },
    /a\.tsv, line 7: IOB2 has no tag "S-X"/,
  ],
  ["prefixes of two schemes", "input/option", [["S-X", "U-X"]], { mode: "strict" }, /with S, U/],
  ["no tags at all", "input/option", [], { mode: "strict" }, /begin with nothing/],
  ["a scheme by default", "input/option", [["O"]], { scheme: "IOB2" }, /goes by no scheme/],
  ["no mode", "input/option", [["O"]], { mode: "lax" as "strict" }, /"lax" is no mode/],
  [
    "no scheme",
    "input/option",
    [["O"]],
    { mode: "strict", scheme: "toString" as "IOB2" },
    /"toString" is no scheme/,
  ],
];

for (const [name, code, tags, options, message] of REFUSED) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => scoreTags(tags, tags, options),
      (e: FormatError | InputError) => e.code === code && message.test(e.message),
    );
  });
}

test("sequences of different lengths are refused", () => {
  assert.throws(() => scoreTags([["O"]], []), /1 gold sequences and 0 predicted/);
  assert.throws(() => scoreTags([["O"], ["O"]], [["O"], []]), /sequence 2 has 1 gold tags and 0/);
});

test.run();
