/**
 * Properties that hold for every text: places are in order and in bounds, no pair is split, a token's place
 * shows what it was made of, hostile texts take linear time, and normalization agrees with the engine's.
 *
 * @module
 */

import fc from "fast-check";
import { readFileSync } from "node:fs";
import { cpuUsage } from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Aligned } from "../../src/tokenizer/aligned.ts";
import { halvesArePaired, isWellFormed } from "../../src/tokenizer/fields.ts";
import { type Form, normalizeForm } from "../../src/tokenizer/forms.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { Trie } from "../../src/tokenizer/trie.ts";
import type { Encoding, Tokenizer } from "../../src/tokenizer/types.ts";

const golden = JSON.parse(
  readFileSync(new URL("./fixtures/golden.json", import.meta.url), "utf8"),
);
const vocab = Object.fromEntries(golden.pieces.map((piece: string, id: number) => [piece, id]));
const tokenizers: Map<string, Tokenizer> = new Map();
for (const c of golden.cases) {
  const json = { ...c.tokenizer, model: { ...c.tokenizer.model, vocab } };
  tokenizers.set(c.name, tokenizerFromJson(json, { allowStripAccents: true }));
}

/** Characters on which something depends, among any others, lone surrogates included. */
const TROUBLE = [
  ..."রোগীর জ্বর ক্ষ য়ড়ঢ় \u09bc\u09cd\u09c7\u09be\u09d7\u200c\u200d।৫",
  ..."abcABCéÅßİıΣς .-#[]<>1½\u0301\u0323\u0307\u0344\u0345\u1eed",
  ..."\0\t\n\r\u0085\u00a0\u00ad\u2028\ufeff\ufffd\ue000",
  ..."한\u1112\u1161\u11abか\u3099ｶﾞ中漢𠀀🤒👍🏽𐐀𑄇𑄴\u{1d15e}\u{105d2}",
  "\ud83d",
  "\udc00",
  "[SEP]",
  "stuff",
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
    assert.ok(0 <= start && start < end && end <= text.length, `token ${i}: ${start}-${end}`);
    assert.not(isPairAt(text, start) || isPairAt(text, end), `token ${i} splits a pair`);
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
      fc.property(anyText, (text) => {
        const got = tokenizer.encode(text);
        checkShape(text, got);
        for (const id of got.ids) assert.type(tokenizer.idToToken(id), "string");
      }),
      { numRuns: 300 },
    );
  });
}

test("whether surrogates are paired: our own answer is the engine's, where it has one", () => {
  const part = fc.constantFrom(
    "a",
    "\u0995",
    "\ud83d",
    "\udc00",
    "\ud83e\udd12",
    "\ue000",
    "\ud7ff",
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 6 }).map((parts) => parts.join("")), (text) => {
    // encodeURIComponent throws for a lone surrogate, everywhere.
    let paired = true;
    try {
      encodeURIComponent(text);
    } catch {
      paired = false;
    }
    assert.is(halvesArePaired(text), paired);
    assert.is(isWellFormed(text), paired);
  }));
});

test("no state is left behind: a text alone and after others has the same encoding", () => {
  const tokenizer = tokenizers.get("uncased, accents stripped")!;
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      const alone = tokenizer.encode(a);
      tokenizer.encode(b);
      assert.equal(tokenizer.encode(a), alone);
    }),
    { numRuns: 200 },
  );
});

test("a piece's slice is the piece, where nothing is normalized", () => {
  const tokenizer = tokenizers.get("bare")!;
  fc.assert(
    fc.property(anyText, (text) => {
      // A lone surrogate is read as U+FFFD: one unit as well.
      const read = text.replace(/\p{Cs}/gu, "\ufffd");
      const got = tokenizer.encode(text);
      for (let i = 0; i < got.ids.length; i++) {
        if (got.ids[i] === tokenizer.unk) continue;
        const piece = tokenizer.idToToken(got.ids[i])!;
        const slice = read.slice(got.starts[i], got.ends[i]);
        assert.ok(piece === slice || piece === "##" + slice, `${piece} is not ${slice}`);
      }
    }),
    { numRuns: 300 },
  );
});

test("a word's slice tokenizes to the word's pieces, where white space or punctuation ends it", () => {
  for (const name of ["cased", "NFC, cased"]) {
    const tokenizer = tokenizers.get(name)!;
    fc.assert(
      fc.property(anyText, (text) => {
        const got = tokenizer.encode(text);
        for (let i = 0, j = 0; i < got.ids.length; i = j) {
          while (j < got.ids.length && got.words[j] === got.words[i]) j++;
          const alone = tokenizer.encode(text.slice(got.starts[i], got.ends[j - 1]));
          // A sign composed or moved across a word's border belongs to both sides of it.
          if (j < got.ids.length && got.starts[j] < got.ends[j - 1]) continue;
          if (i > 0 && got.ends[i - 1] > got.starts[i]) continue;
          assert.equal([...alone.ids], [...got.ids.slice(i, j)]);
        }
      }),
      { numRuns: 300 },
    );
  }
});

test("normalization forms agree with the engine's on characters of Unicode 6.1, and places are right", () => {
  const old = fc.array(
    fc.oneof(
      fc.constantFrom(
        ..."\u0301\u0323\u0307\u0327\u0344\u0345\u09bc\u09cd\u09be\u09d7\u3099\uff9e",
      ),
      // Kaithi, Chakma and musical signs: pairs that join, some of them composing.
      fc.constantFrom(
        ..."\u{11099}\u{110ba}\u{11131}\u{11127}\u{1d157}\u{1d165}\u{1d16e}\u{1d15f}",
      ),
      fc.constantFrom(..."aqéÅṩử\u09c7কয়ড়ো\u1100\u1161\u11a8각ᄒㅎㅏがｶ½ﬁ中\uf900"),
      fc.integer({ min: 0x20, max: 0x21f }).map((c) => String.fromCharCode(c)),
    ),
    { maxLength: 100 },
  ).map((parts) => parts.join(""));
  for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as Form[]) {
    fc.assert(
      fc.property(old, (text) => {
        const source = new Aligned(), target = new Aligned();
        source.load(text);
        const result = normalizeForm(form, source, target) ? target : source;
        assert.is(result.text(), text.normalize(form));
        for (let i = 0; i < result.length; i++) {
          assert.ok(result.starts[i] < result.ends[i]);
          const made = text.slice(result.starts[i], result.ends[i]).normalize(form);
          assert.ok(made.includes(result.text(i, i + 1)), `unit ${i} is not of its source`);
        }
      }),
      { numRuns: 500 },
    );
  }
});

test("characters that are newer than the tables are left alone, whatever the engine knows of them", () => {
  // Todhri O + dot above (Unicode 16), Gurung Khema vowels (16), square era name Reiwa (12.1).
  for (const text of ["\u{105d2}\u0307", "\u{1611e}\u{16129}", "\u32ff", "\u{11935}\u{11930}"]) {
    for (const form of ["NFC", "NFKC"] as Form[]) {
      const source = new Aligned();
      source.load(text);
      assert.not(normalizeForm(form, source, new Aligned()), JSON.stringify(text));
    }
  }
  // Its marks are put in order, but it is not composed with them.
  const source = new Aligned(), target = new Aligned();
  source.load("\u{105d2}\u0307\u0323");
  assert.ok(normalizeForm("NFC", source, target));
  assert.is(target.text(), "\u{105d2}\u0323\u0307");
});

test("a long run of marks is put in order as the engine would, in every form", () => {
  const marks = "\u0301\u0323\u0344\u0334\u0327\u0345\u09bc\u09be";
  for (let n = 1; n < 200; n += 7) {
    let text = "\u1eed";
    for (let i = 0; i < n; i++) text += marks[(i * i + n) % marks.length];
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as Form[]) {
      const source = new Aligned(), target = new Aligned();
      source.load(text);
      const result = normalizeForm(form, source, target) ? target : source;
      assert.is(result.text(), text.normalize(form));
    }
  }
});

test("hostile texts take linear time", () => {
  const texts: Record<string, (n: number) => string> = {
    "one word": (n) => "a".repeat(n),
    "one Bangla word": (n) => "ক্ষ".repeat(n / 3),
    "marks in the wrong order": (n) => "e" + "\u0301\u0323".repeat(n / 2),
    "decomposing marks": (n) => "\u0344".repeat(n),
    "signs that may compose": (n) => "\u09c7\u09be".repeat(n / 2),
    "vowel signs of class 0": (n) => "\u09c7" + "\u09be\u09bc".repeat(n / 2),
    "jamo": (n) => "\u1112\u1161\u11ab".repeat(n / 3),
    "dots above": (n) => "İ".repeat(n),
    "ideographs": (n) => "中".repeat(n),
    "emoji": (n) => "😀".repeat(n / 2),
    "lone surrogates": (n) => "\udc00\ud800".repeat(n / 2),
    "white space": (n) => " ".repeat(n),
    "white space before a token": (n) => " ".repeat(n) + "stuff",
    "tokens and white space": (n) => "stuff   ".repeat(n / 8),
    "starts of tokens": (n) => "<ab".repeat(n / 3),
    "punctuation": (n) => ".".repeat(n),
    "deleted characters": (n) => "\u200d".repeat(n),
  };
  // Processor time, since the machine may be busy. Linear is tens of milliseconds, quadratic ten seconds.
  const n = 6 * 20000;
  for (const [what, make] of Object.entries(texts)) {
    const text = make(n);
    for (const [name, tokenizer] of tokenizers) {
      const began = cpuUsage();
      tokenizer.encode(text);
      const { user, system } = cpuUsage(began);
      assert.ok(user + system < 2e6, `${what}, ${name}: ${(user + system) / 1000} ms`);
    }
  }
});

test("a megabyte of anything is tokenized", () => {
  const tokenizer = tokenizers.get("uncased, accents stripped")!;
  const n = 1 << 20;
  for (const unit of ["a", "\u0301", "e\u0301", "\u0323\u0301", "中", "İ", "[SEP]", "😀 "]) {
    const text = unit.repeat(n / unit.length);
    const got = tokenizer.encode(text);
    assert.ok(got.ids.length <= text.length);
    assert.ok(got.ids.length === 0 || got.ends[got.ends.length - 1] <= text.length);
  }
});

test("a trie is a map", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary", maxLength: 6 }), { maxLength: 200 }),
      (keys) => {
        const trie = new Trie(1), map = new Map<string, number>();
        keys.forEach((key, value) => {
          assert.is(trie.set(key, value), map.get(key) ?? -1);
          map.set(key, value);
        });
        for (const [key, value] of map) assert.is(trie.get(key), value);
        assert.is(trie.get("\u0001not there"), map.get("\u0001not there") ?? -1);
      },
    ),
  );
});

test.run();
