/**
 * Texts that differ from epoch to epoch: what is exchanged, masked, cut and joined is what was asked for, and no more.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import { tokenizerFromJson, tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import type { Encoding } from "../../src/tokenizer/types.ts";
import { exchangeEntities, poolsOf } from "../../src/train/data/exchange.ts";
import { Labeller } from "../../src/train/data/labels.ts";
import { Resplitter } from "../../src/train/data/resplit.ts";
import { readTerms } from "../../src/corpus/terms.ts";
import type { PartialCorpus } from "../../src/train/data/partial.ts";
import type { LabelledText } from "../../src/corpus/text.ts";
import { augmentOf, type AugmentOptions } from "../../src/train/loop/augment.ts";
import { changes, type EpochParts, Epochs } from "../../src/train/loop/epochs.ts";
import { chainLossOf } from "../../src/train/loop/sequences.ts";
import { IGNORED, OPEN } from "../../src/train/losses/targets.ts";
import { Random } from "../../src/train/random.ts";

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
const WORDS = ["take", "for", "and", "or", "fever", "cough"];
const NAMES = ["napa", "ace", "omez", "losec"];
const PIECES = [..."abcdefghijklmnopqrstuvwxyz😀"].flatMap((letter) => [letter, `##${letter}`]);
const vocabulary = (...more: string[]) =>
  tokenizerFromVocab([...SPECIAL, ...more, ...WORDS, ...NAMES, ...PIECES, ""].join("\n"));
const tokenizer = vocabulary("[MASK]", "na", "##pa", "##ose", "##ver");
const mask = tokenizer.tokenToId("[MASK]")!;

/** `take *napa* for *fever*`: what stands between stars is an entity, of a type that its name tells. */
function marked(text: string): LabelledText {
  const entities = [];
  let plain = "";
  for (const [i, part] of text.split("*").entries()) {
    const type = NAMES.includes(part) ? "MED" : "DIS";
    if (i % 2) entities.push({ type, start: plain.length, end: plain.length + part.length });
    plain += part;
  }
  return { text: plain, entities, where: text };
}

const TEXTS = NAMES.flatMap((name) => [
  marked(`take *${name}* for *fever* and *${name}*`),
  marked(`*cough* or *fever* for *${name}*`),
  marked(`take *${name}*`),
]);

/** What the spans of a text select. */
const selected = ({ text, entities }: LabelledText): string[] =>
  entities.map(({ type, start, end }) => `${type} ${text.slice(start, end)}`);

function refused(code: string, message: RegExp, make: () => unknown): void {
  try {
    make();
  } catch (error) {
    assert.instance(error, NerError);
    assert.is((error as NerError).code, code);
    assert.match((error as Error).message, message);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

test("pools hold each entity once, and further names of the types that there are", () => {
  const pools = poolsOf(TEXTS, { MED: ["😀 forte", "napa"] });
  assert.equal([...pools], [
    ["MED", ["ace", "losec", "napa", "omez", "😀 forte"]],
    ["DIS", ["cough", "fever"]],
  ]);
  refused("input/data", /names of the type ORG.*they have DIS, MED/, () => {
    poolsOf(TEXTS, { ORG: ["heart"] });
  });
  assert.equal(readTerms("\uFEFFa\r\n1\tx\t b c \n\na\n", "list"), ["a", "b c"]);
  refused("input/data", /^list: holds no term/, () => readTerms(" \n\t\n", "list"));
});

test("an entity is exchanged for another of its type, the same wherever it stands; the rest stays", () => {
  const pools = poolsOf(TEXTS, { MED: ["😀 forte"] }), random = new Random(1, "exchange");
  const seen = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const text = exchangeEntities(TEXTS[0]!, pools, random), [first, ill, again] = selected(text);
    assert.is(first, again);
    assert.ok(pools.get("MED")!.includes(first!.slice(4)), first);
    assert.ok(pools.get("DIS")!.includes(ill!.slice(4)), ill);
    assert.is(text.text, `take ${first!.slice(4)} for ${ill!.slice(4)} and ${first!.slice(4)}`);
    seen.set(first!, (seen.get(first!) ?? 0) + 1);
  }
  // Half keep their own, the other half draw from five, their own among them.
  for (const [name, count] of seen) {
    assert.ok(Math.abs(count - (name === "MED napa" ? 1200 : 200)) < 70, `${name} ${count}`);
  }
});

const spelt = (text: string, { starts, ends }: Encoding): string[] =>
  Array.from(starts, (start, i) => text.slice(start, ends[i]));

test("words are cut into pieces of the vocabulary that spell them, at their places", () => {
  const resplitter = new Resplitter(tokenizer), text = "take Napa, 😀losec fe\u0301ver";
  const plain = tokenizer.encode(text);
  assert.equal(resplitter.encode(text, 0, new Random(1, "resplit")), plain);
  const ways = new Map<string, number>();
  for (let part = 0; part < 1000; part++) {
    const encoding = resplitter.encode(text, 1, new Random(1, "resplit", part));
    const pieces = Array.from(encoding.ids, (id) => tokenizer.idToToken(id)!);
    const parts = spelt(text, encoding);
    for (const [i, piece] of pieces.entries()) {
      // The accent is stripped, so the word's pieces are not its characters, and it stays as it was.
      if (encoding.starts[i]! >= text.indexOf("fe\u0301")) continue;
      if (piece !== "[UNK]") assert.is(piece.replace("##", ""), parts[i]!.toLowerCase());
      const begins = i === 0 || encoding.words[i] !== encoding.words[i - 1];
      assert.is(piece.startsWith("##"), !begins && piece !== "[UNK]");
    }
    assert.is(parts.join("").replace("e\u0301", "e"), "takeNapa,😀losecfever");
    assert.is(pieces.slice(-1)[0], "fever");
    const way = pieces.filter((_, i) => encoding.words[i] === 1).join(" ");
    ways.set(way, (ways.get(way) ?? 0) + 1);
  }
  // Each piece that fits is taken 65 times in 100; where it is a single character, always.
  const expected = { "napa": 650, "na ##pa": 148, "na ##p ##a": 80, "n ##a ##pa": 80 };
  for (const [way, count] of Object.entries({ ...expected, "n ##a ##p ##a": 43 })) {
    assert.ok(Math.abs(ways.get(way)! - count) < 40, `${way} ${ways.get(way)}`);
  }
  assert.is(ways.size, 5);
});

test("only WordPiece can be cut anew", () => {
  const file = new URL("../fixtures/zoo/xlmr-safetensors/tokenizer.json", import.meta.url);
  const unigram = tokenizerFromJson(readFileSync(file, "utf8"));
  refused("input/option", /for WordPiece, and this model's tokenizer is Unigram/, () => {
    new Resplitter(unigram);
  });
});

const epochs = (options: AugmentOptions, parts: Partial<EpochParts> = {}): Epochs =>
  new Epochs({
    texts: TEXTS,
    tokenizer,
    labeller: new Labeller(LABELS),
    length: 40,
    seed: 1,
    augment: augmentOf(options),
    names: undefined,
    also: undefined,
    ...parts,
  });

test("an epoch is a function of the seed and its number", () => {
  const all = { exchange: 0.5, mask: 0.2, resplit: 0.5, join: 0.3 };
  const [a, b] = [epochs(all), epochs(all)];
  const first = a.sequences(0);
  assert.not.equal(a.sequences(1), first);
  assert.equal(b.sequences(1), a.sequences(1));
  assert.equal(a.sequences(0), first);
  assert.not.equal(epochs(all, { seed: 2 }).sequences(0), first);
  const none = epochs({ mask: 0 });
  assert.is(none.sequences(3), none.plain);
});

test("tokens are masked, special ones never, in about 70 % of the texts; labels stay", () => {
  const many = Array.from({ length: 100 }, () => TEXTS).flat();
  const own = epochs({ mask: 0.5 }, { texts: many });
  let changed = 0, masked = 0, tokens = 0;
  own.sequences(0).forEach(({ ids, labels }, i) => {
    const plain = own.plain[i]!;
    assert.equal(labels, plain.labels);
    ids.forEach((id, t) => assert.ok(id === plain.ids[t] || id === mask));
    assert.is(ids[0], tokenizer.cls);
    assert.is(ids.at(-1), tokenizer.sep);
    const count = ids.reduce((sum, id) => sum + Number(id === mask), 0);
    if (count > 0) changed++;
    masked += count;
    tokens += ids.length - 2;
  });
  // Of texts of 2 tokens, a quarter has none masked.
  const expected = 0.7 * (1 - (0.5 ** 7 + 0.5 ** 5 + 0.5 ** 2) / 3);
  assert.ok(Math.abs(changed / many.length - expected) < 0.05, `${changed} of ${many.length}`);
  assert.ok(Math.abs(masked / tokens - 0.35) < 0.03, `${masked} of ${tokens}`);
});

test("what one option does, another one does not shift", () => {
  const ids = (options: AugmentOptions) => epochs(options).sequences(2).map(({ ids }) => ids);
  const alone = ids({ exchange: 0.5 }), both = ids({ exchange: 0.5, mask: 0.1 });
  assert.not.equal(both, alone);
  both.forEach((own, i) => own.forEach((id, t) => assert.ok(id === mask || id === alone[i]![t])));
});

test("texts are joined between one pair of special tokens, each once, none too long", () => {
  const own = epochs({ join: 0.8 }, { length: 20 }), sequences = own.sequences(0);
  assert.ok(sequences.length < own.plain.length);
  assert.ok(sequences.some(({ ids }) => ids.length > 15));
  const inner = (all: typeof sequences): string[] =>
    all.flatMap(({ ids, labels, where }) => {
      assert.ok(ids.length <= 20);
      assert.equal([ids[0], labels[0], ids.at(-1), labels.at(-1)], [2, -100, 3, -100]);
      assert.equal([...ids.subarray(1, -1)].filter((id) => id === 2 || id === 3), []);
      let at = 1;
      return where.split(" + ").map((name) => {
        const { length } = own.plain.find((one) => one.where === name)!.ids.subarray(1, -1);
        const part = `${name}: ${ids.subarray(at, at + length)}; ${
          labels.subarray(at, at += length)
        }`;
        return part;
      });
    }).sort();
  assert.equal(inner(sequences), inner(own.plain));
});

const LABELS = ["O", "B-DIS", "I-DIS", "B-MED", "I-MED"];
const OTHERS = ["a", "b", "c", "d"].map((letter) => {
  const text = `${letter} napa for cough`;
  const entities = [{ type: "Medicine", start: 2, end: 6 }, { type: "Age", start: 11, end: 16 }];
  return { text, entities, where: letter };
});
const further = { texts: OTHERS, types: { Medicine: "MED", Illness: "DIS" }, perEpoch: 2 };

test("a further corpus: its medicines are known, everything else is anything but a medicine", () => {
  const own = epochs({ mask: 0.2 }, { also: [further] }), alone = epochs({ mask: 0.2 });
  const chosen = new Set<string>();
  for (let epoch = 0; epoch < 6; epoch++) {
    const sequences = own.sequences(epoch);
    assert.equal(sequences.slice(0, -2), alone.sequences(epoch));
    for (const { labels, partial, where } of sequences.slice(-2)) {
      assert.equal([...labels], [IGNORED, OPEN, LABELS.indexOf("B-MED"), OPEN, OPEN, IGNORED]);
      // Of DIS the corpus has nothing, so that it says nothing of it.
      assert.equal(partial, { open: Uint8Array.of(1, 1, 1, 0, 0), weight: 0.5 });
      chosen.add(where);
    }
  }
  assert.is(chosen.size, 4);
  assert.is(own.further().length, 4);
});

test("where epochs change, no sequence is in two of them; elsewhere all are", () => {
  const ways = [[{}, {}], [{ join: 0.1 }, {}], [{}, { also: [further] }]] as const;
  for (const [options, parts] of ways) {
    const own = epochs(options, parts), first = own.sequences(0).map(({ ids }) => ids);
    const again = own.sequences(1).filter(({ ids }) => first.includes(ids));
    const expected = changes({ augment: augmentOf(options), also: undefined, ...parts });
    assert.is(again.length, expected ? 0 : first.length);
  }
});

test("the loss of a batch lets open labels be what they may, and weighs them", () => {
  const [full, part] = [epochs({}).plain[2]!, epochs({}, { also: [further] }).further()[0]!];
  assert.is(chainLossOf([full], Int32Array.of(0, 4), 5).name, "crf");
  const both = chainLossOf([full, part], Int32Array.of(0, 4, 10), 5);
  assert.is(both.name, "partial crf");
  assert.is(both.count, 2 + 4);
});

test("a further corpus that fits no label is refused", () => {
  const also = (parts: Partial<PartialCorpus>) => () =>
    epochs({}, { also: [{ ...further, ...parts }] });
  refused(
    "input/labels",
    /Medicine for DRUG.*they are DIS, MED/,
    also({ types: { Medicine: "DRUG" } }),
  );
  refused(
    "input/data",
    /corpus \(a\) has no entity of the types Drug; it has Age, Medicine/,
    also({ types: { Drug: "MED" } }),
  );
  refused("input/option", /perEpoch is 0/, also({ perEpoch: 0 }));
  refused("input/option", /weight is 0/, also({ weight: 0 }));
});

test("what cannot be is refused", () => {
  const option = "input/option";
  refused(option, /augment\.mask is 2; expected a share/, () => epochs({ mask: 2 }));
  refused(option, /augment\.join is yes/, () => epochs({ join: "yes" as unknown as number }));
  refused(option, /neither \[MASK\] nor <mask>/, () => {
    epochs({ mask: 0.1 }, { tokenizer: vocabulary() });
  });
  refused(option, /augment\.exchange/, () => epochs({ mask: 0.1 }, { names: { MED: ["x"] } }));
});

test.run();
