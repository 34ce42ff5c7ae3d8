/**
 * Vocabularies: against Hugging Face's trainer, the same whatever the order, and cut where entities end.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import type { Tokenizer } from "../../src/tokenizer/types.ts";
import { straddling } from "../../src/train/vocab/endings.ts";
import { writeVocabulary } from "../../src/train/vocab/files.ts";
import {
  type VocabularyOptions,
  type VocabularyText,
  VocabularyTrainer,
} from "../../src/train/vocab/train.ts";

interface Case {
  readonly size: number;
  readonly minFrequency: number;
  readonly texts: readonly string[];
  readonly pieces: readonly string[];
}

/** Made by tools/fixtures/vocab_reference.py. */
const CASES: readonly Case[] = JSON.parse(
  readFileSync(new URL("fixtures/wordpiece.json", import.meta.url), "utf8"),
);

function learn(texts: readonly (string | VocabularyText)[], options: VocabularyOptions): Tokenizer {
  const trainer = new VocabularyTrainer(options);
  for (const text of texts) trainer.add(typeof text === "string" ? { text } : text);
  return trainer.train();
}

const piecesOf = (tokenizer: Tokenizer): string[] =>
  Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.idToToken(id)!);

const cut = (tokenizer: Tokenizer, text: string): string[] =>
  Array.from(tokenizer.encode(text).ids, (id) => tokenizer.idToToken(id)!);

CASES.forEach(({ texts, pieces, size, minFrequency }, i) => {
  test(`the pieces of Hugging Face's trainer, in their order: corpus ${i + 1}`, () => {
    assert.equal(piecesOf(learn(texts, { size, minFrequency })), pieces);
    assert.equal(piecesOf(learn(texts.toReversed(), { size, minFrequency })), pieces);
  });
});

test("pairs within a repeated character, and a pair that occurs once", () => {
  const options = { size: 100, minFrequency: 2 };
  assert.equal(piecesOf(learn(["aaaaa aaaaa xy"], options)).slice(5), [
    ..."axy",
    "##a",
    "##y",
    "##aa",
    "aaa",
    "aaaaa",
  ]);
});

test("words with a rare character are left out, and the rarest characters are the ones left out", () => {
  const texts = ["ab ab ab ab cb cb bd"];
  const tokenizer = learn(texts, { size: 30, alphabet: 3 });
  assert.equal(piecesOf(tokenizer).slice(5), ["a", "b", "c", "##b", "ab", "cb"]);
  assert.equal(cut(tokenizer, "ab bd"), ["ab", "[UNK]"]);
});

test("a word counts as often as it is said to", () => {
  const trainer = new VocabularyTrainer({ size: 100, minFrequency: 4 });
  trainer.add({ text: "ab" }, 3);
  trainer.add({ text: "cd" }, 4);
  assert.equal(piecesOf(trainer.train()).slice(11), ["cd"]);
});

const NOUNS = "চোখ রোগ জ্বর ব্যথা".split(" ");
const INFLECTED = NOUNS.flatMap((noun) => [noun, `${noun}ের`, `${noun}গুলির`, `${noun}ে`]);
const CORPUS = Array.from({ length: 8 }, () => INFLECTED.join(" "));

test("endings of a script stay apart from known stems", () => {
  const plain = learn(CORPUS, { size: 300 });
  assert.equal(cut(plain, "চোখের রোগগুলির"), ["চোখের", "রোগগুলির"]);
  const apart = learn(CORPUS, { size: 300, endings: "bengali" });
  assert.equal(cut(apart, "চোখের রোগগুলির চোখ"), ["চোখ", "##ের", "রোগ", "##গুলির", "চোখ"]);
  assert.equal(cut(learn(CORPUS, { size: 300, endings: ["গুলির"] }), "চোখের রোগগুলির"), [
    "চোখের",
    "রোগ",
    "##গুলির",
  ]);
  // The stem must be a word: nothing says that this one is.
  assert.equal(cut(learn(["ঘরের ঘরের"], { size: 99, endings: "Bengali" }), "ঘরের"), ["ঘরের"]);
});

test("pieces do not lie across the ends of entities, where texts tell them", () => {
  const text = "the fevers of naps", entities = [{ type: "DIS", start: 4, end: 9 }];
  const marked = Array.from({ length: 5 }, () => ({ text, entities }));
  const corpus = ["fever fevers naps nap"];
  assert.equal(cut(learn([...corpus, text, text, text], { size: 60 }), text)[1], "fevers");
  const tokenizer = learn([...corpus, ...marked], { size: 60 });
  assert.equal(cut(tokenizer, text).slice(1, 3), ["fever", "##s"]);
  assert.equal([...straddling(learn([text, text], { size: 60 }), marked, 0.1)], ["fevers"]);
});

test("the file is read as it was written, by this loader and to the same bytes", () => {
  const { texts } = CASES[1]!, trained = learn(texts, { size: 200 });
  const files = writeVocabulary(trained), text = new TextDecoder();
  const json = JSON.parse(text.decode(files.get("tokenizer.json")));
  const loaded = tokenizerFromJson(json);
  for (const line of texts) assert.equal(loaded.encode(line), trained.encode(line));
  assert.is(text.decode(files.get("vocab.txt")), piecesOf(trained).join("\n") + "\n");
  assert.is(JSON.parse(text.decode(files.get("tokenizer_config.json"))).pad_token, "[PAD]");
  assert.equal(writeVocabulary(learn(texts.toReversed(), { size: 200 })), files);
  assert.is(json.normalizer.normalizers[1].strip_accents, false);
});

test("what cannot be is refused", () => {
  assert.throws(() => new VocabularyTrainer({ size: 0 }), /size is 0/);
  assert.throws(
    () => new VocabularyTrainer({ size: 9, endings: "Latin" }),
    /known are those of Beng/,
  );
  assert.throws(() => learn([" "], { size: 99 }), /no words/);
  assert.throws(() => learn(["abc def"], { size: 8 }), /take 15 pieces, more than 8/);
});

test.run();
