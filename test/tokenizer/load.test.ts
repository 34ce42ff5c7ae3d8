/**
 * Loading: what a vocab.txt means, what is refused and how, and that a Bangla vocabulary is not stripped.
 *
 * @module
 */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { InputError, NerError } from "../../src/errors.ts";
import { tokenizerFromJson, tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import type { Tokenizer } from "../../src/tokenizer/types.ts";

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const CASED = { do_lower_case: false, strip_accents: false };

/** A tokenizer.json, as plain data; `change` edits it. */
// deno-lint-ignore no-explicit-any
function file(change: (json: any) => void = () => {}, pieces = ["a", "##b", "fever"]): any {
  const vocab = Object.fromEntries([...SPECIAL, ...pieces].map((piece, id) => [piece, id]));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({ id, content, ...flags, special: true })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: false,
      lowercase: false,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "[CLS]", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "[SEP]", type_id: 0 } },
      ],
      pair: [],
      special_tokens: {
        "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
        "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
      },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
  change(json);
  return json;
}

/** Checks that loading throws a NerError of a code, whose message has all of `parts`. */
function refused(code: string, load: () => unknown, ...parts: string[]): void {
  try {
    load();
  } catch (error) {
    assert.instance(error, NerError, String(error));
    assert.is((error as NerError).code, code);
    for (const part of parts) assert.ok(String(error).includes(part), `${error} lacks ${part}`);
    return;
  }
  assert.unreachable(`${code} was not thrown`);
}

/** Pieces of a text. */
function pieces(tokenizer: Tokenizer, text: string): (string | undefined)[] {
  return [...tokenizer.encode(text).ids].map((id) => tokenizer.idToToken(id));
}

test("tokenizer.json: text or parsed, ids of special tokens, both directions of the vocabulary", () => {
  for (const json of [file(), JSON.stringify(file())]) {
    const t = tokenizerFromJson(json);
    assert.equal([t.vocabSize, t.cls, t.sep, t.pad, t.unk], [8, 2, 3, 0, 1]);
    assert.is(t.tokenToId("##b"), 6);
    assert.is(t.tokenToId("b"), undefined);
    assert.is(t.idToToken(7), "fever");
    for (const id of [8, -1, 0.5, NaN]) assert.is(t.idToToken(id), undefined);
    assert.equal(pieces(t, "ab fever x [SEP]"), ["a", "##b", "fever", "[UNK]", "[SEP]"]);
  }
});

test("encode refuses what is not a string, and works after that", () => {
  const t = tokenizerFromJson(file());
  for (const value of [undefined, null, 1, {}, ["a"], new String("a")]) {
    assert.throws(
      () => t.encode(value as string),
      (e: unknown) => e instanceof InputError && e.code === "input/type",
    );
  }
  assert.equal(pieces(t, "ab"), ["a", "##b"]);
});

test("vocab.txt: the id is the line's number; blank lines, duplicates, CRLF, no last newline", () => {
  const lines = [...SPECIAL, "", "রোগ", "##ী", "রোগ", "x \t\u3000", "y"];
  for (const text of [lines.join("\n"), lines.join("\n") + "\n", lines.join("\r\n") + "\r\n"]) {
    const t = tokenizerFromVocab(text, CASED);
    assert.is(t.vocabSize, 11);
    assert.is(t.tokenToId("রোগ"), 8, "of duplicates the last counts");
    assert.is(t.idToToken(6), undefined);
    assert.is(t.idToToken(5), "");
    assert.is(t.tokenToId(""), 5);
    assert.equal([...t.encode("রোগী x y").ids], [8, 7, 9, 10]);
    const again = tokenizerFromJson(JSON.stringify(t));
    assert.equal([...again.encode("রোগী x y").ids], [8, 7, 9, 10]);
    assert.equal([again.vocabSize, again.cls, again.sep, again.pad, again.unk], [11, 2, 3, 0, 1]);
  }
});

test("vocab.txt: configuration has BERT's defaults, other fields are not read, wrong ones refused", () => {
  const text = [...SPECIAL, "cafe", "café", "CAFÉ", "中"].join("\n");
  assert.equal(pieces(tokenizerFromVocab(text), "CAFÉ中"), ["cafe", "中"]);
  assert.equal(pieces(tokenizerFromVocab(text, { strip_accents: false }), "CAFÉ"), ["café"]);
  const whole = { ...CASED, tokenize_chinese_chars: false, model_max_length: 512 };
  assert.equal(pieces(tokenizerFromVocab(text, whole), "CAFÉ 中 café中"), ["CAFÉ", "中", "[UNK]"]);
  for (const field of ["do_lower_case", "strip_accents", "tokenize_chinese_chars"]) {
    refused("tokenizer/invalid", () => tokenizerFromVocab(text, { [field]: "no" }), field);
  }
  refused("tokenizer/invalid", () => tokenizerFromVocab(text, null as never));
  refused("tokenizer/invalid", () => tokenizerFromVocab(null as never), "vocab.txt");
  refused("tokenizer/invalid", () => tokenizerFromVocab(""), "empty");
  refused("tokenizer/invalid", () => tokenizerFromVocab("[CLS]\n[SEP]"), "[UNK]");
  refused("tokenizer/invalid", () => tokenizerFromVocab("[CLS]\n[UNK]"), "[SEP]");
  refused("tokenizer/invalid", () => tokenizerFromVocab("a\n".repeat(2 ** 21 + 1)), "limit");
});

test("a vocabulary of a Brahmic script is not loaded with stripping, unless asked for", () => {
  const load = (piece: string, options = {}) =>
    tokenizerFromVocab([...SPECIAL, piece].join("\n"), {}, options);
  const bad = ["জ্বর", "##ু", "য়", "ড়", "ো", "রগ", "##গজ", "हल", "தமி", "ිමි", "ไข้", "𑄇𑄋𑄴"];
  for (const piece of bad) {
    refused("tokenizer/strip-accents", () => load(piece), "allowStripAccents", "strip_accents");
    load(piece, { allowStripAccents: true });
    tokenizerFromVocab([...SPECIAL, piece].join("\n"), { strip_accents: false });
    tokenizerFromVocab([...SPECIAL, piece].join("\n"), { do_lower_case: false });
  }
  // The English vocabulary has letters of everything, one by one.
  for (const piece of ["ক", "##া", "##ি", "।", "fever", "é", "שלום", "한", "##ा"]) load(piece);
  refused("tokenizer/strip-accents", () => load("রগ", { allowStripAccents: 1 as never }));

  const strips = [
    { strip_accents: true, lowercase: false },
    { strip_accents: null, lowercase: true },
    { strip_accents: undefined, lowercase: true },
  ];
  for (const how of strips) {
    const json = file((j) => Object.assign(j.normalizer, how), ["জ্বর", "জবর"]);
    refused("tokenizer/strip-accents", () => tokenizerFromJson(json), "normalizer.strip_accents");
    const nested = { ...json, normalizer: { type: "Sequence", normalizers: [json.normalizer] } };
    refused("tokenizer/strip-accents", () => tokenizerFromJson(nested));
    const t = tokenizerFromJson(json, { allowStripAccents: true });
    assert.equal(pieces(t, "জ্বর"), ["জবর"]);
  }
  const marks = file((j) => j.normalizer = { type: "StripAccents" }, ["জ্বর"]);
  refused("tokenizer/strip-accents", () => tokenizerFromJson(marks));
  const kept = file((j) => Object.assign(j.normalizer, { strip_accents: false, lowercase: true }), [
    "জ্বর",
  ]);
  assert.equal(pieces(tokenizerFromJson(kept), "জ্বর"), ["জ্বর"]);
});

test("components that are not built here are refused by name", () => {
  const cases: [string, unknown, string][] = [
    ["normalizer", { type: "Sequence", normalizers: [{ type: "Nmt" }] }, "normalizers[0]"],
    ["normalizer", { type: "Replace", pattern: { Regex: "(?>a)" }, content: "" }, "pattern.Regex"],
    [
      "pre_tokenizer",
      { type: "Sequence", pretokenizers: [{ type: "FixedLength" }] },
      "FixedLength",
    ],
    ["post_processor", { type: "Other" }, "Other"],
    ["post_processor", { type: "TemplateProcessing", single: [], special_tokens: {} }, "single"],
    ["model", { type: "WordLevel", vocab: {}, unk_token: "[UNK]" }, "WordLevel"],
  ];
  for (const [part, spec, name] of cases) {
    refused("tokenizer/unsupported", () => tokenizerFromJson(file((j) => j[part] = spec)), name);
  }
});

test("what came with the other models goes with WordPiece: normalizers, words, special tokens", () => {
  const t = tokenizerFromJson(file((j) => {
    j.normalizer = { type: "Prepend", prepend: "▁" };
    j.pre_tokenizer = {
      type: "Sequence",
      pretokenizers: [{ type: "Punctuation" }, { type: "Metaspace", replacement: "▁" }],
    };
    j.post_processor = { type: "RobertaProcessing", cls: ["[CLS]", 2], sep: ["[SEP]", 3] };
  }, ["a", "▁a", "▁fever", "##b", "▁."]));
  assert.equal(pieces(t, "ab fever."), ["▁a", "##b", "▁fever", "▁."]);
  assert.equal([t.cls, t.sep], [2, 3]);
  const { starts, ends } = t.encode("ab fever.");
  assert.equal([[...starts], [...ends]], [[0, 1, 3, 8], [1, 2, 8, 9]]);
});

test("malformed files are refused: types, ids, missing parts", () => {
  // deno-lint-ignore no-explicit-any
  const bad: [string, (json: any) => void][] = [
    ["model", (j) => delete j.model],
    ["model", (j) => j.model = []],
    ["model.vocab", (j) => j.model.vocab = ["a"]],
    ["model.vocab", (j) => delete j.model.vocab],
    ["##b", (j) => j.model.vocab["##b"] = "6"],
    ["##b", (j) => j.model.vocab["##b"] = -1],
    ["##b", (j) => j.model.vocab["##b"] = 6.5],
    ["##b", (j) => j.model.vocab["##b"] = 2 ** 21],
    ["##b", (j) => j.model.vocab["##b"] = 1e300],
    ["##b", (j) => j.model.vocab["##b"] = NaN],
    ["##b", (j) => j.model.vocab["##b"] = null],
    ["both have id 5", (j) => j.model.vocab["##b"] = 5],
    ["surrogate", (j) => j.model.vocab["\ud800"] = 8],
    ["surrogate", (j) => j.model.vocab["a\udc00b"] = 8],
    ["unk_token", (j) => j.model.unk_token = "<unk>"],
    ["unk_token", (j) => delete j.model.unk_token],
    ["unk_token", (j) => j.model.vocab = {}],
    ["continuing_subword_prefix", (j) => j.model.continuing_subword_prefix = null],
    ["max_input_chars_per_word", (j) => j.model.max_input_chars_per_word = -1],
    ["max_input_chars_per_word", (j) => j.model.max_input_chars_per_word = "100"],
    ["normalizer", (j) => j.normalizer = "BertNormalizer"],
    ["normalizer.type", (j) => j.normalizer = {}],
    ["normalizer.lowercase", (j) => delete j.normalizer.lowercase],
    ["normalizer.clean_text", (j) => j.normalizer.clean_text = 1],
    ["normalizer.strip_accents", (j) => j.normalizer.strip_accents = "false"],
    ["normalizers", (j) => j.normalizer = { type: "Sequence" }],
    ["matches everywhere", (j) => {
      j.normalizer = { type: "Replace", pattern: { String: "" }, content: "" };
    }],
    ["pre_tokenizer", (j) => j.pre_tokenizer = 5],
    ["pre_tokenizer.behavior", (j) => j.pre_tokenizer = { type: "Punctuation", behavior: "Other" }],
    ["individual_digits", (j) => j.pre_tokenizer = { type: "Digits" }],
    ["delimiter", (j) => j.pre_tokenizer = { type: "CharDelimiterSplit", delimiter: "ab" }],
    ["delimiter", (j) => j.pre_tokenizer = { type: "CharDelimiterSplit", delimiter: "" }],
    ["invert", (j) => {
      j.pre_tokenizer = { type: "Split", pattern: { String: "a" }, behavior: "Removed" };
    }],
    ["pattern.String", (j) => {
      j.pre_tokenizer = { type: "Split", pattern: {}, behavior: "Removed", invert: false };
    }],
    ["prepend_scheme", (j) => {
      j.pre_tokenizer = {
        type: "Metaspace",
        replacement: "▁",
        add_prefix_space: false,
        prepend_scheme: "first",
      };
    }],
    ["added_tokens", (j) => j.added_tokens = {}],
    ["added_tokens[0]", (j) => j.added_tokens[0] = null],
    ["added_tokens[0].id", (j) => j.added_tokens[0].id = "0"],
    ["added_tokens[0].id", (j) => j.added_tokens[0].id = 3],
    ["added_tokens[0].content", (j) => j.added_tokens[0].content = ""],
    ["added_tokens[0].content", (j) => j.added_tokens[0].content = 7],
    ["added_tokens[0].lstrip", (j) => delete j.added_tokens[0].lstrip],
    ["twice", (j) => j.added_tokens.push(j.added_tokens[0])],
    ["expected 8", (j) => j.added_tokens.push({ ...j.added_tokens[0], id: 9, content: "new" })],
    ["deleted by the normalizer", (j) => {
      j.added_tokens.push({ ...j.added_tokens[0], id: 8, content: "\u200d", normalized: true });
    }],
    ["post_processor", (j) => j.post_processor = "x"],
    ["post_processor", (j) => {
      j.post_processor = null;
      delete j.model.vocab["[CLS]"];
      j.added_tokens.splice(2, 1);
    }],
    ["ids", (j) => j.post_processor.special_tokens["[CLS]"].ids = [2, 3]],
    ["ids", (j) => j.post_processor.special_tokens["[CLS]"].ids = [8]],
    ["special_tokens", (j) => delete j.post_processor.special_tokens["[SEP]"]],
    ["special_tokens", (j) => j.post_processor.single[0].SpecialToken.id = "constructor"],
    ["post_processor.cls", (j) => j.post_processor = { type: "BertProcessing", sep: ["x", 3] }],
    ["post_processor.sep", (j) => {
      j.post_processor = { type: "BertProcessing", cls: ["x", 2], sep: ["x", -3] };
    }],
    ["padding.pad_id", (j) => j.padding = { pad_id: 99 }],
  ];
  for (const [part, change] of bad) {
    refused("tokenizer/invalid", () => tokenizerFromJson(file(change)), part);
  }
  for (const json of [undefined, null, 0, true, [], "null", "[1]", '"x"', "{}"]) {
    refused("tokenizer/invalid", () => tokenizerFromJson(json));
  }
  for (const text of ["", "{"]) refused("tokenizer/json", () => tokenizerFromJson(text));
});

test("nesting has a limit that is an error and not a full stack", () => {
  let normalizer: unknown = { type: "NFC" };
  let preTokenizer: unknown = { type: "Whitespace" };
  for (let i = 0; i < 1e4; i++) {
    normalizer = { type: "Sequence", normalizers: [normalizer] };
    preTokenizer = { type: "Sequence", pretokenizers: [preTokenizer] };
  }
  refused("tokenizer/invalid", () => tokenizerFromJson(file((j) => j.normalizer = normalizer)));
  refused(
    "tokenizer/invalid",
    () => tokenizerFromJson(file((j) => j.pre_tokenizer = preTokenizer)),
  );
  const deep = "[".repeat(1e6);
  refused("tokenizer/json", () => tokenizerFromJson(`{"normalizer":${deep}`));
});

test("odd but legal: names of object methods as pieces, gaps in the ids, no type, null components", () => {
  const odd = ["__proto__", "constructor", "toString", "##__proto__"];
  const json = JSON.stringify(file((j) => {
    j.pre_tokenizer = { type: "WhitespaceSplit" };
    delete j.model.type;
    j.post_processor = null;
    j.padding = { pad_id: 4 };
  })).replace('"a":5', odd.map((piece, i) => `"${piece}":${20 + i}`).join());
  const t = tokenizerFromJson(json);
  const again = tokenizerFromJson(JSON.stringify(t));
  for (const tokenizer of [t, again]) {
    assert.equal([...tokenizer.encode("__proto__ constructor x__proto__").ids], [20, 21, 1]);
    assert.equal([...tokenizer.encode("toString__proto__").ids], [22, 23]);
    assert.equal([tokenizer.vocabSize, tokenizer.pad], [24, 4]);
    assert.is(tokenizer.idToToken(15), undefined);
    assert.is(tokenizer.tokenToId("valueOf"), undefined);
  }
  const bare = tokenizerFromJson(file((j) => j.normalizer = j.pre_tokenizer = null, ["a b"]));
  assert.equal([...bare.encode("a b").ids], [5]);
});

test("a new added token is numbered on from the vocabulary and found in text", () => {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: true };
  const t = tokenizerFromJson(
    file((j) => j.added_tokens.push({ id: 8, content: "<drug>", ...flags, special: false })),
  );
  assert.is(t.vocabSize, 9);
  assert.equal([...t.encode("a<drug>a").ids], [5, 8, 5]);
  assert.is(t.tokenToId("<drug>"), 8);
  assert.is(t.idToToken(8), "<drug>");
});

test("Replace gives what it puts in the place of what it takes out", () => {
  const t = tokenizerFromJson(
    file((j) => j.normalizer = { type: "Replace", pattern: { String: "xyz" }, content: "a a" }),
  );
  const got = t.encode("fever xyz fever");
  assert.equal([...got.ids], [7, 5, 5, 7]);
  assert.equal([...got.starts], [0, 6, 6, 10]);
  assert.equal([...got.ends], [5, 9, 9, 15]);
});

test("Replace of an expression: of several characters, of a place between them", () => {
  const replace = (Regex: string, content: string): Tokenizer =>
    tokenizerFromJson(
      file((j) => j.normalizer = { type: "Replace", pattern: { Regex }, content }),
    );
  const several = replace("x[yz]+", "a a").encode("fever xyz fever");
  assert.equal([...several.ids], [7, 5, 5, 7]);
  assert.equal([...several.starts], [0, 6, 6, 10]);
  assert.equal([...several.ends], [5, 9, 9, 15]);
  const places = replace("$", " a").encode("fever");
  assert.equal(pieces(replace("(?<=f)|$", " a "), "fever a"), ["[UNK]", "a", "[UNK]", "a", "a"]);
  assert.equal([[...places.ids], [...places.starts], [...places.ends]], [[7, 5], [0, 5], [5, 5]]);
});

test("where no post-processor names them, special tokens have the names of the model's family", () => {
  const both = ["<s>", "</s>", "<pad>", "<unk>"];
  const bert = tokenizerFromJson(file((j) => j.post_processor = null, both));
  assert.equal([bert.cls, bert.sep, bert.pad, bert.unk], [2, 3, 0, 1]);
  const json = file((j) => {
    j.post_processor = null;
    j.model = { type: "BPE", vocab: j.model.vocab, merges: [] };
  }, both);
  const bpe = tokenizerFromJson(json);
  assert.equal([bpe.cls, bpe.sep, bpe.pad, bpe.unk], [5, 6, 7, 8]);
});

test.run();
