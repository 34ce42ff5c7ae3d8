/**
 * Trimming a vocabulary: what is chosen, what becomes of ids and rows, and that tokens and emissions stay
 * what they were where nothing they need was dropped.
 *
 * @module
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  choosePieces,
  countPieces,
  Ner,
  NerError,
  quantizeEncoder,
  readPackage,
  TokenMeter,
  trimVocabulary,
  writePackage,
} from "../../mod.ts";
import type { ModelBundle, Tokenizer } from "../../mod.ts";
import { expandRow } from "../../src/quantize/matrix.ts";
import { trimTokenizer } from "../../src/shrink/tokenizer.ts";
import { selectRows } from "../../src/shrink/trim.ts";
import { tokenizerFromJson, tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { bits, configOf, randomWeights } from "../support.ts";

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const LETTERS = ["ক", "খ", "ি", "a", "b", "1"];

const tokenizerOf = (pieces: readonly string[]): Tokenizer =>
  tokenizerFromVocab([...SPECIAL, ...pieces].join("\n"), {
    do_lower_case: false,
    strip_accents: false,
  });

function bundleOf(tokenizer: Tokenizer): ModelBundle {
  const config = configOf({ vocabSize: tokenizer.vocabSize + 3 });
  return { weights: randomWeights(config, 7), crf: undefined, tokenizer };
}

/** Tokens as pieces with places. */
function tokensOf(tokenizer: Tokenizer, text: string): [string, number, number, number][] {
  const { ids, starts, ends, words } = tokenizer.encode(text);
  return [...ids].map((id, i) => [tokenizer.idToToken(id)!, starts[i], ends[i], words[i]]);
}

const pieceOf = (letters: readonly string[], maxLength: number): fc.Arbitrary<string> =>
  fc.tuple(
    fc.constantFrom("", "##"),
    fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength }),
  ).map(([prefix, body]) => prefix + body.join(""));

/** Words of the vocabularies' letters, and now and then others. */
const text = fc.array(
  fc.array(fc.constantFrom(...LETTERS, ...LETTERS, "z", "#", "।"), { minLength: 1, maxLength: 8 }),
  { maxLength: 8 },
).map((words) => words.map((word) => word.join("")).join(" "));

const longer = fc.array(pieceOf(LETTERS, 4), { maxLength: 40 });
const singles = LETTERS.flatMap((c) => [c, `##${c}`]);

test("a text all of whose pieces are kept has the tokens and places it had", () => {
  fc.assert(
    fc.property(longer, text, fc.array(fc.nat(200)), (pieces, sample, more) => {
      const tokenizer = tokenizerOf([...singles, ...pieces]);
      const used = tokenizer.encode(sample).ids;
      const others = more.filter((id) => tokenizer.idToToken(id) !== undefined);
      const { tokenizer: trimmed, oldIds } = trimTokenizer(tokenizer, [
        ...used,
        ...others,
        ...used,
      ]);
      assert.equal(tokensOf(trimmed, sample), tokensOf(tokenizer, sample));
      trimmed.encode(sample).ids.forEach((id, i) => assert.is(oldIds[id], used[i]));
    }),
    { numRuns: 300 },
  );
});

test("with all single characters kept, exactly the words that were [UNK] are [UNK]", () => {
  fc.assert(
    fc.property(longer, fc.array(text), text, (pieces, corpus, sample) => {
      const tokenizer = tokenizerOf([...singles, ...pieces]);
      const choice = choosePieces(tokenizer, { counts: countPieces(tokenizer, corpus) });
      assert.equal(choice.gaps, []);
      const trimmed = trimTokenizer(tokenizer, choice.kept).tokenizer;
      const unknown = (of: Tokenizer): string[] =>
        tokensOf(of, sample).filter(([piece]) => piece === "[UNK]").map(String);
      assert.equal(unknown(trimmed), unknown(tokenizer));
      for (const known of corpus) {
        assert.equal(tokensOf(trimmed, known), tokensOf(tokenizer, known));
        assert.ok(new TokenMeter(tokenizer, trimmed).add(known));
      }
    }),
    { numRuns: 300 },
  );
});

test("a piece that alone can spell a character is kept, and the gap is told", () => {
  const tokenizer = tokenizerOf(["a", "b", "##b", "##bX", "Yab", "ab", "[unused1]"]);
  const { kept, gaps } = choosePieces(tokenizer, { scripts: ["Thai"] });
  const pieces = [...kept].map((id) => tokenizer.idToToken(id));
  assert.equal(gaps, ["##X", "##a", "Y"]);
  assert.equal(pieces, [...SPECIAL, "a", "b", "##b", "##bX", "Yab"]);
  assert.equal(tokensOf(trimTokenizer(tokenizer, kept).tokenizer, "abX Yab").map((t) => t[0]), [
    "a",
    "##bX",
    "Yab",
  ]);
  const bare = choosePieces(tokenizer, { scripts: ["Thai"], singles: false });
  assert.equal([...bare.kept], [0, 1, 2, 3, 4, 5, 6, 7], "a, b and ##b are of any script");
});

test("a script's pieces are kept, and digits and punctuation with them", () => {
  const words = ["জ্বর", "##ের", "১২", "12", "।", "-", "জ্বর-এ", "the", "##the", "x", "б", "जल", "é"];
  const tokenizer = tokenizerOf(words);
  const keep = (scripts: string[]): (string | undefined)[] =>
    [...choosePieces(tokenizer, { scripts, singles: false }).kept].slice(5)
      .map((id) => tokenizer.idToToken(id));
  const bengali = ["জ্বর", "##ের", "১২", "12", "।", "-", "জ্বর-এ", "x"];
  assert.equal(keep(["Bengali"]), bengali);
  assert.equal(keep(["bengali", "CYRILLIC"]), [...bengali, "б"]);
  assert.equal(keep(["Devanagari"]), ["12", "।", "-", "x", "जल"]);
  assert.equal(keep(["Latin"]), ["12", "।", "-", "the", "##the", "x", "é"]);
});

test("counts by rule, and the estimate of what is missing", () => {
  const tokenizer = tokenizerOf(["ক", "##ক", "কক", "ab", "abb", "##b"]);
  // ab twice, কক once, "abb" once, ক four times; [UNK] for z, once, is kept anyway
  const counts = countPieces(tokenizer, ["ab কক ক", "ab abb z", "ক ক ক"]);
  const choice = choosePieces(tokenizer, { counts });
  assert.equal(
    { ...choice, kept: choice.kept.length },
    {
      kept: 11,
      pieces: 11,
      required: 5,
      counted: 5,
      scripted: 0,
      singles: 5,
      gaps: ["a"],
      missing: 1 / 9,
    },
  );
  assert.is(choosePieces(tokenizer, { scripts: ["Thai"] }).missing, undefined);
  const none = choosePieces(tokenizer, { counts: countPieces(tokenizer, []), singles: false });
  assert.equal([...none.kept], [0, 1, 2, 3, 4]);
  assert.is(none.missing, 0);
});

const flags = {
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
};
const FILE = {
  version: "1.0",
  added_tokens: [
    { id: 7, content: "[UNK]", ...flags },
    { id: 2, content: "[CLS]", ...flags },
    { id: 9, content: "<b>", ...flags },
    { id: 10, content: "<a>", ...flags },
  ],
  normalizer: null,
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: { type: "BertProcessing", sep: ["[SEP]", 4], cls: ["[CLS]", 2] },
  padding: { pad_id: 0 },
  decoder: null,
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    // Nine pieces; what is not of the vocabulary is numbered from 9 on.
    vocab: { x: 0, "12": 1, "[CLS]": 2, a: 3, "[SEP]": 4, "##a": 5, b: 6, "[UNK]": 7, "##b": 8 },
  },
};

test("everything that is an id in tokenizer.json is renumbered as the reference numbers it", () => {
  const tokenizer = tokenizerFromJson(FILE);
  const { tokenizer: trimmed, oldIds } = trimTokenizer(tokenizer, [8, 3]);
  assert.equal([...oldIds], [0, 2, 3, 4, 7, 8, 9, 10]);
  const json = trimmed.toJSON() as typeof FILE;
  assert.equal(json.model.vocab, { x: 0, "[CLS]": 1, a: 2, "[SEP]": 3, "[UNK]": 4, "##b": 5 });
  assert.equal(json.added_tokens.map(({ id, content }) => [id, content]), [
    [4, "[UNK]"],
    [1, "[CLS]"],
    [6, "<b>"],
    [7, "<a>"],
  ]);
  assert.equal(json.post_processor, {
    type: "BertProcessing",
    sep: ["[SEP]", 3],
    cls: ["[CLS]", 1],
  });
  assert.equal(json.padding, { pad_id: 0 });
  assert.equal([trimmed.cls, trimmed.sep, trimmed.pad, trimmed.unk], [1, 3, 0, 4]);
  assert.equal(tokensOf(trimmed, "ab <a>12").map((t) => t[0]), ["a", "##b", "<a>", "[UNK]"]);

  const piece = (id: string, number: number) => ({ id, ids: [number], tokens: [id] });
  const template = tokenizerFromJson({
    ...FILE,
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "[CLS]", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "[SEP]", type_id: 0 } },
      ],
      pair: [],
      special_tokens: { "[CLS]": piece("[CLS]", 2), "[SEP]": piece("[SEP]", 4), b: piece("b", 6) },
    },
  });
  const small = trimTokenizer(template, []);
  assert.equal([...small.oldIds], [0, 2, 4, 6, 7, 9, 10]);
  assert.equal([small.tokenizer.cls, small.tokenizer.sep], [1, 2]);
  const processor = small.tokenizer.toJSON() as { post_processor: Record<string, unknown> };
  assert.equal(processor.post_processor.special_tokens, {
    "[CLS]": piece("[CLS]", 1),
    "[SEP]": piece("[SEP]", 2),
    b: piece("b", 3),
  });
});

test("rows of a matrix of any type are selected as they are stored", () => {
  for (const columns of [6, 7]) {
    const config = configOf({ hiddenSize: columns * 2, embeddingSize: columns, vocabSize: 9 });
    const weights = randomWeights(config, 3);
    const matrices = [
      weights.wordEmbedding,
      quantizeEncoder(weights).weights.wordEmbedding,
      quantizeEncoder(weights, { embeddings: "int4" }).weights.wordEmbedding,
    ];
    assert.equal(matrices.map(({ type }) => type), ["f32", "i8", "i4"]);
    const ids = [8, 0, 5, 5];
    for (const matrix of matrices) {
      const selected = selectRows(matrix, ids);
      assert.is(selected.rows, 4);
      ids.forEach((id, r) => {
        const [a, b] = [new Float32Array(columns), new Float32Array(columns)];
        expandRow(selected, r, a, 0);
        expandRow(matrix, id, b, 0);
        assert.equal(bits(a), bits(b));
      });
    }
  }
});

test("emissions and entities of a text whose pieces were kept are the same, bit for bit", async () => {
  const bundle = bundleOf(tokenizerOf([...singles, "কখ", "##খি", "ab", "##ab", "1।"]));
  const known = "কখখি aab ab1 কি";
  const counts = countPieces(bundle.tokenizer, [known]);
  const { kept } = choosePieces(bundle.tokenizer, { counts, singles: false });
  for (const embeddings of ["f32", "int8", "int4"] as const) {
    const weights = embeddings === "f32"
      ? bundle.weights
      : quantizeEncoder(bundle.weights, { embeddings }).weights;
    const whole = { ...bundle, weights };
    const trimmed = readPackage(writePackage(trimVocabulary(whole, kept)));
    assert.ok(trimmed.weights.config.vocabSize < 20);
    assert.is(trimmed.weights.config.vocabSize, trimmed.tokenizer.vocabSize);
    const backend = embeddings === "f32" ? "fp32" : "int8";
    const [one, two] = [
      await Ner.fromBundle(whole, { backend }),
      await Ner.fromBundle(trimmed, { backend }),
    ];
    const [a, b] = [await one.emissions(known), await two.emissions(known)];
    assert.equal(bits(b.data), bits(a.data));
    const places = (tokens: typeof a.tokens) => tokens.map(({ id: _, ...token }) => token);
    assert.equal(places(b.tokens), places(a.tokens));
    assert.equal(await two.extract(known), await one.extract(known));
    one.close();
    two.close();
  }
});

test("TokenMeter counts what changed", () => {
  const tokenizer = tokenizerOf(["a", "##a", "aa", "b", "##b"]);
  const trimmed = trimTokenizer(tokenizer, [5, 6, 8]).tokenizer;
  const meter = new TokenMeter(tokenizer, trimmed);
  assert.not(meter.add("aaa b"));
  assert.ok(meter.add("b z"));
  assert.not(meter.add("bb"), "##b is gone: [UNK]");
  assert.equal(meter.value, {
    texts: 3,
    changedTexts: 2,
    before: 7,
    after: 7,
    changed: 3,
    unknownBefore: 1,
    unknownAfter: 2,
  });
});

test("what cannot be done is refused", () => {
  const tokenizer = tokenizerOf(["a"]);
  const refused = (f: () => unknown, code: string, message: RegExp): void => {
    assert.throws(
      f,
      (error: Error) =>
        error instanceof NerError && error.code === code && message.test(error.message),
    );
  };
  refused(() => choosePieces(tokenizer, {}), "input/option", /a corpus or a script/);
  refused(
    () => choosePieces(tokenizer, { scripts: ["Klingon"] }),
    "input/script",
    /"Klingon" is not known; known are Latin, /,
  );
  refused(
    () => choosePieces(tokenizer, { counts: new Uint32Array(3) }),
    "input/counts",
    /3 counts for 6 ids/,
  );
  const withFields = (change: Record<string, unknown>): Tokenizer =>
    Object.assign(Object.create(tokenizer), {
      toJSON: () => ({ ...tokenizer.toJSON() as object, ...change }),
    });
  const bpe = withFields({ model: { type: "BPE", vocab: {}, merges: [] } });
  refused(() => choosePieces(bpe, { scripts: ["Thai"] }), "tokenizer/unsupported", /the model BPE/);
  const other = withFields({ post_processor: { type: "RobertaProcessing" } });
  refused(() => trimVocabulary(bundleOf(other), []), "tokenizer/unsupported", /RobertaProcessing/);
  for (const id of [-1, 6, 1.5, NaN]) {
    refused(
      () => trimVocabulary(bundleOf(tokenizer), [id]),
      "input/pieces",
      /no piece with the id/,
    );
  }
});

test.run();
