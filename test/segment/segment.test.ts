/**
 * Clusters, words and sentences, beside `Intl.Segmenter`: another implementation (ICU's), of Unicode 16 in this runtime.
 *
 * Texts are random, of characters that Unicode 16 and 17 treat alike, chosen so that every rule is met often.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { conjunctEnd, graphemeBreaks, isVirama } from "../../src/segment/graphemes.ts";
import { sentencesOf } from "../../src/segment/sentences.ts";
import { wordBreaks } from "../../src/segment/words.ts";
import { random } from "../support.ts";

/** Characters by what they do: letters, vowel signs, viramas, joiners, marks, controls, jamo, flags, pictures. */
const CHARACTERS = [
  ..."aZé1٣_ .,'’:;!-\t\n\r\u00a0",
  ..."কতরযড়অংঃঁািীুেো্৷৫।॥",
  ..."कष्िा\u093cग़तमி்ಕ್മ്ല൧",
  ..."\u0300\u0327\u20dd\u200c\u200d\u200e\ufeff\u00ad\u0600\u06dd\u0d4e",
  ..."각가각ㅎ",
  ..."🇧🇩🇮👩🏽💻❤️✈©",
  ..."アイァー字あ",
];

function randomText(next: () => number): string {
  const length = 1 + Math.floor(next() * 12);
  return Array.from({ length }, () => CHARACTERS[Math.floor(next() * CHARACTERS.length)]).join("");
}

function reference(granularity: "grapheme" | "word", text: string): number[] {
  const segmenter = new Intl.Segmenter("en", { granularity });
  return [...[...segmenter.segment(text)].map(({ index }) => index), text.length];
}

test("clusters are those of Intl.Segmenter", () => {
  const next = random(15);
  for (let i = 0; i < 20_000; i++) {
    const text = randomText(next);
    assert.equal(graphemeBreaks(text), reference("grapheme", text), JSON.stringify(text));
  }
});

/** What ICU has a dictionary for, or sees by code points where words here are of clusters: marks upon nothing. */
const ANOTHER_WORD = new RegExp(
  "[\\p{Script=Hangul}字あアイァー\u200e\ufeff\u00ad\u06dd\u0600\u0d4e]|\\s\\s|[^\u0000-\uffff]|" +
    "(?:^|[^\\p{L}\\p{M}\\p{N}_])[\\p{M}\u200c\u200d]|\u200d[✈❤©]",
  "u",
);

test("words are those of Intl.Segmenter where that needs no dictionary", () => {
  const next = random(16);
  let compared = 0;
  for (let i = 0; i < 20_000; i++) {
    const text = randomText(next);
    if (ANOTHER_WORD.test(text)) continue;
    compared++;
    assert.equal(wordBreaks(text), reference("word", text), JSON.stringify(text));
  }
  assert.ok(compared > 2000, `${compared} texts`);
});

const words = (text: string): string[] => {
  const breaks = wordBreaks(text);
  return breaks.slice(0, -1).map((at, i) => text.slice(at, breaks[i + 1]));
};

test("words: endings and numbers are whole; without spaces each character is one", () => {
  assert.equal(words("জ্বরে ৫০০মি.গ্রা."), ["জ্বরে", " ", "৫০০মি", ".", "গ্রা", "."]);
  assert.equal(words("don't 1,000.5 a,b x_1"), [
    "don't",
    " ",
    "1,000.5",
    " ",
    "a",
    ",",
    "b",
    " ",
    "x_1",
  ]);
  assert.equal(words("発熱ตา"), ["発", "熱", "ต", "า"]);
  assert.equal(words("co\u00adop"), ["co\u00adop"]);
  assert.equal(words(""), []);
});

test("a conjunct ends behind its last consonant, before the vowel", () => {
  assert.is(conjunctEnd("রক্তে", 2), 4);
  assert.is(conjunctEnd("রক্তে", 1), 1);
  assert.is(conjunctEnd("উজ্জ্বল", 2), 6);
  assert.is(conjunctEnd("ডক্", 2), 3);
  assert.is(conjunctEnd("র\u200d্য", 1), 1, "a joiner before the virama is no virama");
  assert.ok(isVirama("ক্", 1) && !isVirama("ক্", 2) && !isVirama("কা", 1));
});

const sentences = (text: string): string[] =>
  [...sentencesOf(text)].map(({ start, end }) => text.slice(start, end));

test("sentences end at dandas, marks, full stops and lines", () => {
  assert.equal(sentences(" জ্বর হয়েছে।ওষুধ খান॥ কেন?! (না।) শেষ"), [
    "জ্বর হয়েছে।",
    "ওষুধ খান॥",
    "কেন?!",
    "(না।)",
    "শেষ",
  ]);
  assert.equal(sentences("One is here. Two\r\nthree\n\n“Four!” Five..."), [
    "One is here.",
    "Two",
    "three",
    "“Four!”",
    "Five...",
  ]);
  assert.equal(sentences(" \n "), []);
});

test("a full stop in a number, an abbreviation or before a small letter ends no sentence", () => {
  for (
    const text of ["ডা. রহমান ৫০০ মি. গ্রা. দেন", "Dr. Rahman", "2.5 mg", "approx. two", "i.e. This"]
  ) {
    assert.equal(sentences(text), [text]);
  }
});

test.run();
