/**
 * Lexicons: what is found in a text, where, and what it says of the text's tokens.
 *
 * @module
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FeatureFinder } from "../../src/lexicon/features.ts";
import { fingerprintsOf, termKey } from "../../src/lexicon/fingerprint.ts";
import { Matcher } from "../../src/lexicon/matcher.ts";
import { ModelError } from "../../src/errors.ts";
import { featureCount, type Lexicons } from "../../src/model/lexicon.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";

/** A matcher over lists of terms. */
function matcherOf(lists: readonly (readonly string[])[], inflected: boolean): Matcher {
  const prints = lists.map((terms) => fingerprintsOf(terms));
  return new Matcher(
    prints.map(({ words }, list) => ({ list, fingerprints: words })),
    { inflected, longest: Math.max(1, ...prints.map(({ longest }) => longest)) },
  );
}

/** What a list's matches select. */
const found = (terms: readonly string[], text: string, inflected = false): string[] =>
  matcherOf([terms], inflected).match(text).map(({ start, end }) => text.slice(start, end));

test("the longest of the terms that begin at a word, from left to right", () => {
  const terms = ["blood pressure", "blood", "high blood", "pressure", "fever"];
  assert.equal(found(terms, "High blood pressure, fever"), ["High blood", "pressure", "fever"]);
  assert.equal(found(terms, "the blood pressured: feverish fever."), ["blood", "fever"]);
  assert.equal(found(terms, "bloodpressure nonfever"), []);
});

test("a term may end inside a word where endings are added to names, and never begins there", () => {
  const terms = ["জ্বর", "প্যারাসিটামল", "চোখ"];
  const text = "জ্বরের জন্য প্যারাসিটামলটি, চোখে; মহাজ্বর";
  assert.equal(found(terms, text, true), ["জ্বর", "প্যারাসিটামল", "চোখ"]);
  assert.equal(found(terms, text), []);
  assert.equal(found(terms, "জ্বর চোখ", false), ["জ্বর", "চোখ"]);
});

test("letters' size, ways to write a character, and white space do not matter; places are the text's", () => {
  // An e with an accent in one and in two code points, a Bengali letter with its nukta likewise.
  const terms = ["Caf\u00e9 Noir", "হয়", "😀x Ä"];
  for (
    const text of ["a CAFE\u0301 \n\t noir.", "a caf\u00e9\u00a0NOIR.", "x caf\u00e9 noir"]
  ) {
    assert.equal(found(terms, text), [text.slice(2).replace(".", "")]);
  }
  assert.equal(found(terms, "\u09b9\u09df"), ["\u09b9\u09df"]);
  assert.equal(found(terms, "\u09b9\u09af\u09bc"), ["\u09b9\u09af\u09bc"]);
  assert.equal(found(["x𝒳 y"], "𝒳 x𝒳 y 𝒳"), ["x𝒳 y"]);
  assert.equal(found(["x𝒳"], "x𝒳y x𝒳", true), ["x𝒳", "x𝒳"]);
  assert.is(termKey("  A  b\n"), "a b");
});

test("what can never be matched has no fingerprint, and of terms that read the same the first is kept", () => {
  const { terms, words, longest } = fingerprintsOf([" B", "(x)", "", "b", "x".repeat(129), "ab c"]);
  assert.equal(terms, [" B", "ab c"]);
  assert.is(words.length, 4);
  assert.is(longest, 4);
});

/** A text as the engine folds it: enough for the characters of these texts. */
const folded = (text: string): string => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ");

/** The same by looking at every place for every term. */
function naive(terms: readonly string[], text: string, inflected: boolean): string[] {
  const keys = new Set(
    terms.map((term) => folded(term).trim()).filter((key) => /^[\p{L}\p{M}\p{N}]/u.test(key)),
  );
  const word = /[\p{L}\p{M}\p{N}]/u, matches: string[] = [];
  for (let start = 0, free = 0; start < text.length; start++) {
    const before = text[start - 1] ?? " ";
    if (start < free || !word.test(text[start]!) || word.test(before)) continue;
    let best = 0;
    for (let end = start + 1; end <= text.length; end++) {
      if (!keys.has(folded(text.slice(start, end)))) continue;
      const inside = word.test(text[end - 1]!) && word.test(text[end] ?? " ");
      if (inside && !inflected || text[end - 1] === " ") continue;
      best = end;
    }
    if (best > 0) matches.push(text.slice(start, best));
    free = Math.max(free, best);
  }
  return matches;
}

test("matches are those of a search of every place for every term", () => {
  // No letter here composes with another, so that a part of a text folds as the whole does.
  const letters = fc.constantFrom(..."abAB  জর্ে.-1");
  const text = fc.array(letters, { maxLength: 30 }).map((all) => all.join(""));
  const terms = fc.array(
    fc.array(letters, { minLength: 1, maxLength: 5 }).map((all) => all.join("")),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(terms, text, fc.boolean(), (own, inside, inflected) => {
      const plain = inside.replace(/ +/g, " ");
      assert.equal(found(own, plain, inflected), naive(own, plain, inflected));
    }),
    { numRuns: 1000 },
  );
});

test("lists are matched apart, and every term is found where all are asked for", () => {
  const matcher = matcherOf([["a b", "c"], ["b c", "a"]], false);
  const text = "a b c";
  assert.equal(
    matcher.match(text).map(({ list, start, end }) => `${list} ${text.slice(start, end)}`),
    ["0 a b", "1 a", "1 b c", "0 c"],
  );
  const all = matcherOf([["a", "a b", "b"]], false).match("a b", { all: true });
  assert.equal(all.map(({ start, end }) => [start, end]), [[0, 1], [0, 3], [2, 3]]);
});

test("a matcher that shares another's terms finds what one of all finds", () => {
  const word = fc.constantFrom("a", "ab", "b c", "c", "d a b");
  const lists = fc.array(fc.array(word, { maxLength: 4 }), { minLength: 1, maxLength: 3 });
  const text = fc.array(fc.constantFrom(..."abcd    "), { maxLength: 20 }).map((all) =>
    all.join("")
  );
  fc.assert(fc.property(lists, lists, text, (first, second, inside) => {
    const rules = { inflected: false, longest: 5 };
    const sources = (terms: string[][]) =>
      terms.map((own, list) => ({ list: list % 2, fingerprints: fingerprintsOf(own).words }));
    const all = new Matcher([...sources(first), ...sources(second)], rules);
    const shared = new Matcher(sources(second), rules, new Matcher(sources(first), rules));
    assert.equal(shared.match(inside), all.match(inside));
  }));
});

test("a term that nearly fits everywhere costs its length at each word, and no more", () => {
  // A search from each place to the end of the text would not end.
  const term = "a ".repeat(60) + "b", text = "a ".repeat(30_000);
  assert.equal(matcherOf([[term]], true).match(text), []);
});

const tokenizer = tokenizerFromVocab(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "take", "na", "##pa", "extra", "fever", ",", ""].join("\n"),
);
const rated = fingerprintsOf(["napa extra", "fever"]);
const LEXICONS: Lexicons = {
  types: ["DIS", "MED"],
  inflected: false,
  longest: 10,
  lists: [
    // Shares of DIS, MED and nothing, and the count: napa extra, fever.
    {
      type: undefined,
      fingerprints: rated.words,
      rates: Uint8Array.of(0, 204, 51, 102, 255, 0, 0, 51),
    },
    { type: "MED", fingerprints: fingerprintsOf(["napa"]).words, rates: undefined },
  ],
};

test("tokens have the rates of the terms that they begin or go on with, where these end, and lists' flags", () => {
  const finder = new FeatureFinder(LEXICONS), text = "take Napa  extra, fever";
  assert.is(finder.count, featureCount(LEXICONS));
  assert.is(finder.count, 4 + 4 + 1 + 2);
  const encoding = tokenizer.encode(text), features = finder.features(text, encoding);
  const rows = Array.from(encoding.ids, (id, t) => [
    tokenizer.idToToken(id)!,
    ...Array.from(features.subarray(11 * t, 11 * t + 11), (v) => Math.round(10 * v) / 10),
  ]);
  const none = Array(11).fill(0);
  assert.equal(rows, [
    ["take", ...none],
    ["na", 0, 0.8, 0.2, 0.4, 0, 0, 0, 0, 0, 1, 0],
    ["##pa", 0, 0, 0, 0, 0, 0.8, 0.2, 0.4, 0, 0, 1],
    ["extra", 0, 0, 0, 0, 0, 0.8, 0.2, 0.4, 1, 0, 0],
    [",", ...none],
    ["fever", 1, 0, 0, 0.2, 0, 0, 0, 0, 1, 0, 0],
  ]);
});

test("terms beside a model's own count in their place", () => {
  const more = fingerprintsOf(["fever", "take napa extra now"]);
  const finder = new FeatureFinder(LEXICONS, [{
    list: 0,
    fingerprints: more.words,
    rates: Uint8Array.of(0, 255, 0, 255, 51, 0, 0, 0),
    longest: more.longest,
  }]);
  const rowOf = (
    text: string,
    t: number,
  ) => [...finder.features(text, tokenizer.encode(text)).subarray(11 * t, 11 * t + 4)];
  assert.equal(rowOf("fever", 0), [0, 1, 0, 1]);
  assert.is(rowOf("take napa extra now", 0)[0], Math.fround(51 / 255));
  assert.is(rowOf("napa extra", 0)[1], Math.fround(204 / 255));
});

test("fingerprints that would take half an hour to be placed are refused; those of many terms in many lists are not", () => {
  const rules = { inflected: false, longest: 8 };
  // All alike, and alike in the word that says where they go.
  for (const second of [() => 7, (term: number) => term]) {
    const fingerprints = Int32Array.from({ length: 1 << 20 }, (_, i) => i % 2 ? second(i) : 7);
    try {
      new Matcher([{ list: 0, fingerprints }], rules);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, ModelError);
      assert.is((error as ModelError).code, "model/lexicon");
    }
  }
  const { words } = fingerprintsOf(Array.from({ length: 20_000 }, (_, i) => `term ${i}`));
  const sources = Array.from({ length: 32 }, (_, list) => ({ list, fingerprints: words }));
  assert.is(new Matcher(sources, rules).match("term 123, 7").length, 32);
});

test.run();
