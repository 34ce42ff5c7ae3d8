/**
 * BPE and Unigram: golden ids and places made by Hugging Face tokenizers (`tools/fixtures/make_subword_fixtures.py
 * fixtures`), properties of any text, what is refused, and the way through a file and back.
 *
 * Ids are equal for every text in every configuration. Places are the reference's but for what `compiled.ts`
 * says: white space is left out, letters are covered whole, bytes have the place of their own character, the
 * space that is put before a word has none. So it is asked that a slice of ours, without marks, is the
 * reference's without white space, or lies within it; and that the ids' own spelling is what the slice spells.
 *
 * @module
 */

import fc from "fast-check";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { InputError, TokenizerError } from "../../src/errors.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import type { Encoding, Tokenizer } from "../../src/tokenizer/types.ts";
import { configOf, randomWeights } from "../support.ts";

interface Case {
  name: string;
  // deno-lint-ignore no-explicit-any
  tokenizer: any;
  expected: [ids: number[], starts: number[], ends: number[], words: number[]][];
}

const golden: { texts: string[]; cases: Case[] } = JSON.parse(
  readFileSync(new URL("./fixtures/subword.json", import.meta.url), "utf8"),
);
const load = (json: unknown): Tokenizer => tokenizerFromJson(json, { allowStripAccents: true });
const tokenizers = new Map(golden.cases.map((c) => [c.name, load(c.tokenizer)]));
const named = (name: string): Case => golden.cases.find((c) => c.name === name)!;
const copy = (name: string): Case["tokenizer"] => structuredClone(named(name).tokenizer);

const MARKS = /[\p{M}\u1160-\u11ff\uff9e\uff9f\p{Cf}]+/gu;
const EDGES =
  /^[\p{White_Space}\u200b\ufeff\ufffd\u2581]+|[\p{White_Space}\u200b\ufeff\ufffd\u2581]+$/gu;

/** Pieces of a text. */
function pieces(tokenizer: Tokenizer, text: string): (string | undefined)[] {
  return [...tokenizer.encode(text).ids].map((id) => tokenizer.idToToken(id));
}

/** The parts of a text that the tokens have. */
function slices(tokenizer: Tokenizer, text: string): string[] {
  const { starts, ends } = tokenizer.encode(text);
  return [...starts].map((start, i) => text.slice(start, ends[i]));
}

for (const c of golden.cases) {
  test(`golden: ${c.name}`, () => {
    const tokenizer = tokenizers.get(c.name)!;
    const decomposes = /NFC|NFKC|albert|xlmr/.test(c.name), drops = c.name.includes("missing");
    golden.texts.forEach((text, i) => {
      const at = JSON.stringify(text);
      const got = tokenizer.encode(text);
      const [ids, starts, ends, words] = c.expected[i];
      assert.equal([...got.ids], ids, `ids of ${at}`);
      // The reference counts words that have no token; we do not.
      const order = [...new Set(words)];
      assert.equal([...got.words], words.map((word) => order.indexOf(word)), `words of ${at}`);
      if (drops) return; // and its places are wrong after a character that has no token
      for (let k = 0; k < ids.length; k++) {
        const theirs = text.slice(starts[k], ends[k]);
        const ours = text.slice(got.starts[k], got.ends[k]);
        const [a, b] = [theirs, ours].map((s) =>
          (decomposes ? s.replace(MARKS, "") : s).replace(EDGES, "")
        );
        const what = `token ${k} of ${at}: ${show(ours)}, not ${show(theirs)}`;
        assert.ok(a === b || theirs.includes(ours) || ours.includes(theirs), what);
      }
    });
  });

  test(`golden: ${c.name}, after toJSON`, () => {
    const first = tokenizers.get(c.name)!;
    const text = JSON.stringify(first);
    assert.equal(JSON.parse(text), c.tokenizer, "it is the file");
    const again = load(text);
    assert.is(JSON.stringify(again), text);
    for (const key of ["vocabSize", "cls", "sep", "pad", "unk"] as const) {
      assert.is(again[key], first[key]);
    }
    for (const text of golden.texts) assert.equal(again.encode(text), first.encode(text));
  });
}

function show(text: string): string {
  return JSON.stringify(text);
}

test("a package holds the tokenizer", () => {
  const weights = randomWeights(configOf({ vocabSize: 600 }), 1);
  for (const [name, tokenizer] of tokenizers) {
    const bytes = writePackage({ weights, crf: undefined, tokenizer });
    const { tokenizer: again } = readPackage(bytes, { allowStripAccents: true });
    assert.is(JSON.stringify(again), JSON.stringify(tokenizer), name);
    for (const text of golden.texts) assert.equal(again.encode(text), tokenizer.encode(text));
  }
});

test("places are the reference's, white space aside, where nothing is normalized or spelt in bytes", () => {
  for (
    const name of [
      "roberta",
      "roberta, prefix space, added tokens",
      "bpe, Metaspace, unknown fused",
    ]
  ) {
    const tokenizer = tokenizers.get(name)!;
    golden.texts.forEach((text, i) => {
      // After `stuff`, which takes the blanks around it, the reference trims a letter.
      if (/stuff/.test(text)) return;
      const [, starts, ends] = named(name).expected[i];
      const theirs = starts.map((start, k) => text.slice(start, ends[k]).replace(EDGES, ""));
      const ours = slices(tokenizer, text).map((slice) => slice.replace(EDGES, ""));
      const ids = tokenizer.encode(text).ids;
      ours.forEach((slice, k) => {
        // A space that was put there is the word's first letter to the reference.
        if (tokenizer.idToToken(ids[k]) === "▁" && slice === "") return;
        assert.is(slice, theirs[k], `token ${k} of ${show(text)}`);
      });
    });
  }
});

test("special tokens, both directions of the vocabulary", () => {
  const roberta = tokenizers.get("roberta")!, camembert = tokenizers.get("camembert")!;
  const albert = tokenizers.get("albert")!;
  assert.equal([roberta.cls, roberta.sep, roberta.pad, roberta.unk], [0, 2, 1, 3]);
  assert.equal([camembert.cls, camembert.sep, camembert.pad, camembert.unk], [5, 6, 1, 3]);
  assert.equal([albert.cls, albert.sep, albert.pad, albert.unk], [2, 3, 0, 1]);
  for (const [, tokenizer] of tokenizers) {
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      assert.is(tokenizer.tokenToId(tokenizer.idToToken(id)!), id);
    }
    for (const id of [tokenizer.vocabSize, -1, 0.5]) assert.is(tokenizer.idToToken(id), undefined);
    assert.is(tokenizer.tokenToId("no such piece"), undefined);
    assert.throws(
      () => tokenizer.encode(1 as unknown as string),
      (e: unknown) => e instanceof InputError && e.code === "input/type",
    );
  }
});

test("a place has whole characters, and no white space at its ends", () => {
  const roberta = tokenizers.get("roberta")!;
  const { starts: from, ends: to, ids } = roberta.encode("জ্বর 🤒 হয়");
  ids.forEach((id, k) => {
    assert.is(
      from[k] === to[k],
      roberta.idToToken(id) === "Ġ",
      "only a space alone has no letters",
    );
  });
  const emoji = slices(roberta, "🤒");
  assert.ok(emoji.length > 1);
  for (const slice of emoji) assert.is(slice, "🤒");
  const albert = tokenizers.get("albert")!;
  assert.is(slices(albert, "  fever").join(""), "fever");
  const { starts, ends } = albert.encode("x \u3000 ");
  assert.equal([starts[0], ends[0]], [0, 0], "the space that is put before has no place");
});

test("old forms of a file: no type, merges as strings, add_prefix_space", () => {
  const json = copy("roberta");
  delete json.model.type;
  json.model.merges = json.model.merges.map((pair: string[]) => pair.join(" "));
  for (const name of ["ignore_merges", "byte_fallback", "fuse_unk", "dropout"]) {
    delete json.model[name];
  }
  const old = load(json);
  assert.equal(JSON.parse(JSON.stringify(old)), { ...json, model: { type: "BPE", ...json.model } });
  const camembert = copy("camembert");
  delete camembert.model.type;
  delete camembert.pre_tokenizer.prepend_scheme;
  camembert.pre_tokenizer.add_prefix_space = true;
  for (const text of golden.texts) {
    assert.equal(old.encode(text), tokenizers.get("roberta")!.encode(text));
    assert.equal(load(camembert).encode(text), tokenizers.get("camembert")!.encode(text));
  }
});

test("ignore_merges, suffixes and prefixes, unknown characters", () => {
  const make = (model: Record<string, unknown>, vocab: string[], merges: string[]): Tokenizer =>
    load({
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: "WhitespaceSplit" },
      post_processor: null,
      model: {
        type: "BPE",
        vocab: Object.fromEntries(["<s>", "</s>", ...vocab].map((piece, id) => [piece, id])),
        merges,
        ...model,
      },
    });
  const letters = ["a", "b", "c", "ab", "abc", "bc"];
  assert.equal(pieces(make({}, letters, ["b c", "a b"]), "abc ab"), ["a", "bc", "ab"]);
  assert.equal(pieces(make({ ignore_merges: true }, letters, ["b c", "a b"]), "abc"), ["abc"]);
  const suffixed = make({ end_of_word_suffix: "</w>" }, ["a", "a</w>", "aa</w>"], ["a a</w>"]);
  assert.equal(pieces(suffixed, "a aa aaa"), ["a</w>", "aa</w>", "a", "aa</w>"]);
  const prefixed = make({ continuing_subword_prefix: "##" }, ["a", "##a", "aa"], ["a ##a"]);
  assert.equal(pieces(prefixed, "a aa aaa"), ["a", "aa", "aa", "##a"]);
  const unknown = make({ unk_token: "?", fuse_unk: true }, ["?", "a"], []);
  assert.equal(pieces(unknown, "xya😀"), ["?", "a", "?"]);
  assert.equal(slices(unknown, "xya😀"), ["xy", "a", "😀"]);
  assert.equal(slices(make({}, ["a"], []), "xya"), ["a"], "what cannot be spelt vanishes");
});

/** Characters on which something depends, among any others, lone surrogates included. */
const TROUBLE = [
  ..."রোগীর জ্বর ক্ষ য়ড়ঢ় \u09bc\u09cd\u09c7\u09be\u09d7\u200c\u200d।৫",
  ..."abcstdrevlmABCéÅßİıΣς .'-#[]<>1½\u0301\u0323\u0307\u0308\u1eed\u00e4q",
  ..."\0\t\n\r\u0085\u00a0\u00ad\u2028\ufeff\ufffd\ue000\u2581\u200b\u3000\u0600",
  ..."한\u1112\u1161\u11abか\u3099ｶﾞ中漢𠀀🤒👍🏽𐐀𑄇𑄴\u{1d15e}\u{105d2}\u{110bd}\u{1f3fb}",
  ..."ﬁ①㎎™…Ｆ１\u20e3",
  "\ud83d",
  "\udc00",
  "<mask>",
  "</s>",
  "stuff",
  "``",
  "  ",
];
const anyText = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...TROUBLE) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) },
    { weight: 1, arbitrary: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) },
  ),
  { maxLength: 40 },
).map((parts) => parts.join(""));

function isPairAt(text: string, at: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
}

function checkShape(text: string, got: Encoding): void {
  const n = got.ids.length;
  assert.equal([got.starts.length, got.ends.length, got.words.length], [n, n, n]);
  for (let i = 0; i < n; i++) {
    const start = got.starts[i], end = got.ends[i];
    assert.ok(0 <= start && start <= end && end <= text.length, `token ${i}: ${start}-${end}`);
    assert.not(isPairAt(text, start) || isPairAt(text, end), `token ${i} splits a pair`);
    assert.not(/^\p{White_Space}/u.test(text.slice(start)), `token ${i} begins before white space`);
    if (i === 0) {
      assert.is(got.words[0], 0);
      continue;
    }
    assert.ok(got.starts[i - 1] <= start && got.ends[i - 1] <= end, `token ${i} goes back`);
    const step = got.words[i] - got.words[i - 1];
    assert.ok(step === 0 || step === 1, `word of token ${i}`);
  }
}

for (const [name, tokenizer] of tokenizers) {
  test(`any text, ${name}: never throws; places are ordered, in bounds and split no pair`, () => {
    fc.assert(
      fc.property(anyText, anyText, (text, other) => {
        const got = tokenizer.encode(text);
        checkShape(text, got);
        for (const id of got.ids) assert.type(tokenizer.idToToken(id), "string");
        const read = text.replace(/\p{Cs}/gu, "\ufffd");
        tokenizer.encode(other);
        assert.equal(
          tokenizer.encode(read),
          got,
          "a lone surrogate is U+FFFD; no state is left behind",
        );
      }),
      { numRuns: 120 },
    );
  });
}

test("byte-level pieces spell the text", () => {
  const tokenizer = tokenizers.get("roberta")!;
  const units: number[] = [];
  for (let byte = 0, next = 256; byte < 256; byte++) {
    units.push((byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : next++);
  }
  fc.assert(
    fc.property(anyText, (text) => {
      if (text.includes("<mask>") || text.includes("</s>")) return;
      const spelt = [...pieces(tokenizer, text).join("")].map((c) =>
        units.indexOf(c.charCodeAt(0))
      );
      const read = text.replace(/\p{Cs}/gu, "\ufffd");
      assert.is(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(spelt)), read);
    }),
    { numRuns: 300 },
  );
});

test("a piece's slice is the piece, where nothing is normalized", () => {
  for (
    const name of ["camembert", "bpe, Metaspace, unknown fused", "bpe, Metaspace, unknown alone"]
  ) {
    const tokenizer = tokenizers.get(name)!;
    fc.assert(
      fc.property(anyText, (text) => {
        const read = text.replace(/\p{Cs}/gu, "\ufffd");
        const { ids, starts, ends } = tokenizer.encode(text);
        ids.forEach((id, i) => {
          if (id === tokenizer.unk) return;
          const piece = tokenizer.idToToken(id)!.replaceAll("▁", "");
          assert.is(read.slice(starts[i], ends[i]).replace(/[▁ ]/g, ""), piece);
        });
      }),
      { numRuns: 200 },
    );
  }
});

test("time is linear: no text is much slower than its length", () => {
  const size = 100_000;
  const hostile = [
    "a",
    "ab",
    " ",
    "x ",
    "\u0301",
    "a\u0301",
    "ক্",
    "🤒",
    "<mask",
    "'s",
    "\r\n",
    "stuff ",
    "1\u20e3",
  ];
  for (const [name, tokenizer] of tokenizers) {
    for (const part of hostile) {
      const text = part.repeat(size / part.length);
      const began = performance.now();
      const got = tokenizer.encode(text);
      const time = performance.now() - began;
      assert.ok(time < 5000, `${name}, ${show(part)}: ${time} ms`);
      assert.ok(got.ends.every((end) => end <= text.length));
    }
  }
});

function refused(code: string, json: unknown, part: string): void {
  try {
    tokenizerFromJson(json);
  } catch (error) {
    assert.instance(error, TokenizerError, String(error));
    assert.is((error as TokenizerError).code, code, String(error));
    assert.ok(String(error).includes(part), `${error} lacks ${part}`);
    return;
  }
  assert.unreachable(`${code} was not thrown for ${part}`);
}

test("components that are not built here are refused by name", () => {
  // deno-lint-ignore no-explicit-any
  const cases: [string, (json: any) => void][] = [
    ["Nmt", (j) => j.normalizer = { type: "Nmt" }],
    [
      "(?>a)",
      (j) => j.normalizer = { type: "Replace", pattern: { Regex: "(?>a)" }, content: "" },
    ],
    ["Other", (j) => j.pre_tokenizer = { type: "Other" }],
    ["replacement", (j) => j.pre_tokenizer = { type: "Metaspace", replacement: "__" }],
    ["dropout", (j) => j.model.dropout = 0.1],
    ["WordLevel", (j) => j.model.type = "WordLevel"],
    ["post_processor", (j) => j.post_processor = { type: "Other" }],
    [
      "Sequence",
      (j) =>
        j.post_processor = { type: "Sequence", processors: [j.post_processor, j.post_processor] },
    ],
  ];
  for (const [part, change] of cases) {
    const json = copy("roberta");
    change(json);
    refused("tokenizer/unsupported", json, part);
  }
});

test("malformed files are refused", () => {
  const charsmap = (bytes: number[]): unknown => ({
    type: "Precompiled",
    precompiled_charsmap: btoa(String.fromCharCode(...bytes)),
  });
  // deno-lint-ignore no-explicit-any
  const bad: [string, string, (json: any) => void][] = [
    ["roberta", "merges", (j) => j.model.merges = {}],
    ["roberta", "merges[1]", (j) => j.model.merges[1] = ["a"]],
    ["roberta", "merges[1]", (j) => j.model.merges[1] = "a b c"],
    ["roberta", "merges[1]", (j) => j.model.merges[1] = ["a", 1]],
    ["roberta", "merges[1]", (j) => j.model.merges[1] = ["a", "nothing"]],
    ["roberta", "merges[1]", (j) => j.model.merges[1] = ["<s>", "<s>"]],
    ["roberta", "unk_token", (j) => j.model.unk_token = "nothing"],
    ["roberta", "fuse_unk", (j) => j.model.fuse_unk = 1],
    ["roberta", "both have id", (j) => j.model.vocab["</s>"] = 0],
    ["roberta", "post_processor", (j) => j.post_processor.cls = ["<s>", 1e9]],
    ["roberta", "post_processor", (j) => j.post_processor.cls = 0],
    ["roberta", "add_prefix_space", (j) => delete j.pre_tokenizer.add_prefix_space],
    ["roberta", "nested", (j) => {
      for (let i = 0; i < 100; i++) j.extra = [j.extra];
    }],
    ["roberta", "nested", (j) => {
      for (let i = 0; i < 20; i++) {
        j.pre_tokenizer = { type: "Sequence", pretokenizers: [j.pre_tokenizer] };
      }
    }],
    ["xlmr", "model.vocab", (j) => j.model.vocab = {}],
    ["xlmr", "model.vocab[3]", (j) => j.model.vocab[3] = "<unk>"],
    ["xlmr", "model.vocab[3]", (j) => j.model.vocab[3] = ["<unk>", "0"]],
    ["xlmr", "model.vocab[3]", (j) => j.model.vocab[3] = ["<unk>", null]],
    ["xlmr", "surrogate", (j) => j.model.vocab[9] = ["\ud800", 0]],
    ["xlmr", "unk_id", (j) => j.model.unk_id = null],
    ["xlmr", "unk_id", (j) => j.model.unk_id = 1e6],
    ["xlmr", "post_processor", (j) => j.post_processor.special_tokens = {}],
    ["xlmr", "base64", (j) => j.normalizer.precompiled_charsmap = "%%%%"],
    ["xlmr", "announces", (j) => j.normalizer = charsmap([0xff, 0xff, 0xff, 0xff, 0])],
    ["xlmr", "announces", (j) => j.normalizer = charsmap([1, 2])],
    ["xlmr", "UTF-8", (j) => j.normalizer = charsmap([4, 0, 0, 0, 0, 0, 0, 0, 0xff])],
    [
      "xlmr",
      "prepend_scheme",
      (j) => j.pre_tokenizer = { type: "Metaspace", replacement: "▁", prepend_scheme: "x" },
    ],
  ];
  for (const [name, part, change] of bad) {
    const json = copy(name);
    change(json);
    refused("tokenizer/invalid", json, part);
  }
});

test("a file with anything changed is loaded or refused, and what is loaded works", () => {
  const odd = [null, 0, -1, 1.5, 1e9, "", "a", "▁", "\ud800", true, [], {}, ["a"], {
    type: "Sequence",
  }];
  const names = [...tokenizers.keys()];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...odd, undefined)), {
        minLength: 1,
        maxLength: 4,
      }),
      anyText,
      (name, changes, text) => {
        const json = copy(name);
        for (const [seed, steps, value] of changes) change(json, seed, steps, value);
        try {
          checkShape(text, load(json).encode(text));
        } catch (error) {
          if (!(error instanceof TokenizerError)) throw error;
        }
      },
    ),
    { numRuns: 400 },
  );
});

/** Changes or removes one value somewhere: goes down `steps` levels at most, as `seed` says. */
// deno-lint-ignore no-explicit-any
function change(at: any, seed: number, steps: number, value: unknown): void {
  for (let depth = steps % 7;; depth--) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = keys[seed % keys.length];
    seed = Math.imul(seed, 0x9e3779b1) >>> 1;
    if (depth === 0 || typeof at[key] !== "object" || at[key] === null) {
      if (value === undefined) delete at[key];
      else at[key] = structuredClone(value);
      return;
    }
    at = at[key];
  }
}

test("a damaged table of replacements neither throws nor hangs", () => {
  const { precompiled_charsmap: text } = named("xlmr").tokenizer.normalizer;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const size = new DataView(bytes.buffer).getUint32(0, true);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(size - 1), fc.nat(255)), { maxLength: 40 }),
      anyText,
      (flips, s) => {
        const damaged = bytes.slice();
        for (const [at, byte] of flips) damaged[4 + at] = byte;
        const json = copy("xlmr");
        json.normalizer.precompiled_charsmap = btoa(String.fromCharCode(...damaged));
        try {
          checkShape(s, load(json).encode(s));
        } catch (error) {
          if (!(error instanceof TokenizerError)) throw error; // it may make far too much of a text
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a vocabulary that spells Bangla is not stripped of its vowel signs", () => {
  refused("tokenizer/strip-accents", copy("albert"), "StripAccents");
  const bytes = copy("roberta");
  bytes.normalizer = { type: "Sequence", normalizers: [{ type: "NFD" }, { type: "StripAccents" }] };
  refused("tokenizer/strip-accents", bytes, "StripAccents");
  load(bytes);
});

// Whole models' folders, where the repository has them: ids with special tokens around them.
const zoo = new URL("../fixtures/zoo/", import.meta.url);
const folders = existsSync(zoo) ? readdirSync(zoo) : [];
for (const folder of folders.filter((name) => /^(roberta|xlmr|camembert|albert)/.test(name))) {
  const read = (name: string): URL => new URL(`${folder}/${name}`, zoo);
  if (!existsSync(read("tokenizer.json")) || !existsSync(read("expected.json"))) continue;
  test(`zoo: ${folder}`, () => {
    const tokenizer = tokenizerFromJson(readFileSync(read("tokenizer.json"), "utf8"));
    const { sequences } = JSON.parse(readFileSync(read("expected.json"), "utf8"));
    let texts = 0;
    for (const { text, ids } of sequences) {
      if (typeof text !== "string") continue;
      texts++;
      assert.equal([tokenizer.cls, ...tokenizer.encode(text).ids, tokenizer.sep], ids, text);
    }
    assert.ok(texts > 0);
  });
}

test.run();
