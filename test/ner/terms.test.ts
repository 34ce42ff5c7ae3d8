/**
 * A caller's terms beside a model: what they do to emissions and probabilities, what rules do to entities, and that it
 * is the same wherever terms and texts come from.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  addTerms,
  type Entity,
  Ner,
  type NerError,
  readPackage,
  type TermOptions,
  writeCheckpoint,
  writeExport,
  writePackage,
} from "../../mod.ts";
import { atOnce } from "../../src/crf/crf.ts";
import { parseTags, typesOf } from "../../src/crf/scheme.ts";
import { JOINED_ENDINGS } from "../../src/lexicon/endings.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import { Matcher } from "../../src/lexicon/matcher.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { compileTerms, TermFinder } from "../../src/ner/terms.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { bits, configOf, randomWeights, shipped } from "../support.ts";

const json = readFileSync(new URL("../fixtures/tiny-torchscript/tokenizer.json", import.meta.url));
const tokenizer = tokenizerFromJson(json.toString());
const kernels = [await shipped("baseline")];

/** A model that has learnt nothing. */
function modelOf(labels: string[]): ModelBundle {
  const config = configOf({ vocabSize: tokenizer.vocabSize, labels, maxPositions: 64 });
  return { weights: randomWeights(config, 5), crf: undefined, tokenizer };
}

const bundle = modelOf(["O", "B-MED", "I-MED", "B-DIS", "I-DIS"]);
const ner = await Ner.fromBundle(bundle, { backend: "fp32", kernels });
const TEXT = "Metformin 500mg twice a day, metformin হাতে জ্বরের জন্য প্যারাসিটামল নিন।";
const SURE: TermOptions = { lexicon: [{ type: "MED", terms: ["metformin 500mg"], weight: 40 }] };

const shown = (entities: readonly Entity[]): string[] =>
  entities.map(({ type, text }) => `${type} ${text}`);

/** The columns that a term over `tokens` tokens raises, each token's labels in a word. */
function raised(labels: string[], tokens: number): string[] {
  const tags = parseTags(labels), [type] = typesOf(tags);
  const text = Array.from({ length: tokens }, () => "x").join(" ");
  const lists = compileTerms({ lexicon: [{ type, terms: [text], weight: 2 }] }, [type], "test")!;
  const finder = new TermFinder(lists, tags), emissions = new Float32Array(labels.length * tokens);
  const starts = Int32Array.from({ length: tokens }, (_, i) => 2 * i);
  finder.weigh(
    emissions,
    { starts, ends: starts.map((at) => at + 1) },
    atOnce(finder.matching(text)),
  );
  return Array.from(
    starts,
    (_, t) => labels.filter((_, i) => emissions[t * labels.length + i] === 2).join(" "),
  );
}

test("evidence raises the labels that a type's entity can have at each token", () => {
  assert.equal(raised(["O", "B-A", "I-A"], 3), ["B-A I-A", "I-A", "I-A"]);
  assert.equal(raised(["O", "B-A", "I-A"], 1), ["B-A I-A"]);
  assert.equal(raised(["O", "B-A", "I-A", "E-A", "S-A"], 1), ["E-A S-A"]);
  assert.equal(raised(["O", "B-A", "I-A", "E-A", "S-A"], 3), ["B-A I-A", "I-A", "E-A"]);
  assert.equal(raised(["O", "A", "B"], 2), ["A", "A"]);
  assert.equal(raised(["O", "I-A"], 2), ["I-A", "I-A"]);
});

/** What finds an `options`' terms, for a model of the types A and B. */
function finderOf(options: TermOptions): TermFinder {
  const labels = ["O", "B-A", "I-A", "B-B", "I-B"];
  return new TermFinder(compileTerms(options, ["A", "B"], "test")!, parseTags(labels));
}

test("a token without a place of its own is raised by no term around it", () => {
  const finder = finderOf({ lexicon: [{ type: "A", terms: ["x y"], weight: 2 }] });
  const emissions = new Float32Array(3 * 5), matches = atOnce(finder.matching("x y"));
  const starts = Int32Array.of(0, 1, 2), ends = Int32Array.of(1, 1, 3);
  finder.weigh(emissions, { starts, ends }, matches);
  assert.equal([...emissions], [0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0]);
});

test("rules leave what only touches a term, and put the longer of two that begin together first", () => {
  const text = "a-b c",
    entity = (start: number, end: number): Entity => {
      return { type: "B", text: text.slice(start, end), start, end, score: 0.5 };
    };
  const finder = finderOf({
    always: [{ type: "A", terms: ["b"] }, { type: "B", terms: ["b c"] }],
  });
  const settled = finder.settle(text, [entity(0, 2)], atOnce(finder.matching(text)));
  assert.equal(settled.map(({ type, start, end }) => [type, start, end]), [
    ["B", 0, 2],
    ["B", 2, 5],
    ["A", 2, 3],
  ]);
});

test("a weight of w multiplies a label's odds by e^w at the term's tokens, and nowhere else without a CRF", async () => {
  const plain = await Ner.fromBundle(modelOf(["O", "MED", "DIS"]), { backend: "fp32", kernels });
  const text = "Take metformin twice.", weight = 1.5;
  const weighed = await plain.withLexicon({
    lexicon: [{ type: "MED", terms: ["Metformin"], weight }],
  });
  const before = await plain.probabilities(text), after = await weighed.probabilities(text);
  before.tokens.forEach(({ start }, t) => {
    const odds = ({ data }: typeof before): number => data[3 * t + 1] / data[3 * t];
    const inside = start >= 5 && start < 14;
    const ratio = odds(after) / odds(before);
    // Probabilities are rounded to float32, once on each side of two quotients.
    assert.ok(Math.abs(ratio / (inside ? Math.exp(weight) : 1) - 1) < 1e-5, `${start}: ${ratio}`);
  });
  weighed.close();
  plain.close();
});

test("what the encoder says stays as it is", async () => {
  const weighed = await ner.withLexicon(SURE);
  const [a, b] = [await ner.emissions(TEXT), await weighed.emissions(TEXT)];
  assert.equal(bits(a.data), bits(b.data));
  weighed.close();
});

test("enough weight finds a term; too much against it loses it", async () => {
  const found = await ner.extract(TEXT, SURE);
  assert.ok(shown(found).includes("MED Metformin 500mg"), shown(found).join());
  const against = await ner.extract(TEXT, {
    lexicon: [
      { type: "MED", terms: ["metformin 500mg"], weight: 40 },
      { type: "MED", terms: ["metformin 500mg"], weight: -40 },
    ],
  });
  assert.not.ok(shown(against).includes("MED Metformin 500mg"), "a later list counts");
});

test("always: an entity with the score 1 in the place of what was found across it", async () => {
  const options = { always: [{ type: "PLANT", terms: ["metformin", "প্যারাসিটামল"] }] };
  const found = await ner.extract(TEXT, options);
  const sure = found.filter(({ type }) => type === "PLANT");
  assert.equal(sure.map(({ text, start, end, score }) => [text, start, end, score]), [
    ["Metformin", 0, 9, 1],
    ["metformin", 29, 38, 1],
    ["প্যারাসিটামল", TEXT.indexOf("প্যা"), TEXT.indexOf(" নিন"), 1],
  ]);
  const kept = (await ner.extract(TEXT)).filter((entity) =>
    !sure.some(({ start, end }) => start < entity.end && entity.start < end)
  );
  assert.equal(found.filter(({ type }) => type !== "PLANT"), kept);
});

test("never: an entity that reads so is left out, and the others stay as they are", async () => {
  const before = await ner.extract(TEXT), [first] = before;
  assert.ok(before.length > 1);
  const after = await ner.extract(TEXT, { never: [first.text.toUpperCase()] });
  assert.equal(after, before.filter(({ text }) => text.toLowerCase() !== first.text.toLowerCase()));
  assert.ok(after.length < before.length);
});

test("a term begins with a word and ends with it, or before an ending that is joined to nouns", () => {
  const places = (term: string, text: string): string[] => {
    const { words, longest } = fingerprintsOf([term]);
    const matcher = new Matcher([{ list: 0, fingerprints: words }], {
      inflected: JOINED_ENDINGS,
      longest,
    });
    return matcher.match(text).map(({ start, end }) => text.slice(start, end));
  };
  assert.equal(places("জ্বর", "জ্বরের, জ্বরকে জ্বরগ্রস্ত জ্বর"), ["জ্বর", "জ্বর", "জ্বর"]);
  assert.equal(places("art", "article part art"), ["art"]);
  // Two letters of a word and an ending are more often chance than grammar.
  assert.equal(places("কা", "কাকে কা"), ["কা"]);
});

test("a document in pieces has the terms of the whole, also across its parts", async () => {
  const text = `${TEXT} ${"q".repeat(150)} `.repeat(80);
  const options: TermOptions = {
    lexicon: [{ type: "DIS", terms: ["জ্বর"], weight: 12 }, ...SURE.lexicon!],
    always: [{ type: "TIME", terms: ["twice a day"] }],
    never: ["হাত"],
  };
  const whole = await ner.extract(text, options), found: Entity[] = [];
  const pieces = Array.from(
    { length: Math.ceil(text.length / 1000) },
    (_, i) => text.slice(1000 * i, 1000 * (i + 1)),
  );
  for await (const entity of ner.extractDocument(pieces, options)) found.push(entity);
  assert.is(whole.filter(({ type }) => type === "TIME").length, 80);
  assert.equal(found, whole);
});

test("the same, by load, by call, by a view, in a batch, a stream, a package", async () => {
  const options: TermOptions = { ...SURE, never: ["day"], always: [{ type: "X", terms: ["জ্বর"] }] };
  const want = await ner.extract(TEXT, options);
  assert.equal((await ner.extractBatch(["", TEXT], options))[1], want);
  for await (const found of ner.extractStream([TEXT], options)) assert.equal(found, want);
  const view = await ner.withLexicon(options);
  const loaded = await Ner.fromBundle(bundle, { backend: "fp32", kernels, ...options });
  const packed = writePackage(addTerms(bundle, options));
  assert.equal(packed, writePackage(readPackage(packed)));
  const unpacked = await Ner.fromBytes(packed, { backend: "fp32", kernels });
  for (const other of [view, loaded, unpacked]) {
    assert.equal(await other.extract(TEXT), want);
    other.close();
  }
  assert.equal(await ner.extract(TEXT, options), want, "a view's end is not the recogniser's");
});

test("what a call says comes beside what was loaded", async () => {
  const view = await ner.withLexicon(SURE);
  const options = { always: [{ type: "X", terms: ["twice"] }] };
  assert.equal(await view.extract(TEXT, options), await ner.extract(TEXT, { ...SURE, ...options }));
  view.close();
});

test("what cannot carry terms refuses them", () => {
  const carrying = addTerms(bundle, SURE);
  for (const write of [writeExport, writeCheckpoint]) {
    assert.throws(() => write(carrying), (error: NerError) => error.code === "model/lexicon");
  }
});

test("what is no list of terms is refused by its place", async () => {
  const cases: readonly [unknown, RegExp][] = [
    [
      { lexicon: [{ type: "PLANT", terms: ["x"] }] },
      /lexicon\[0\]\.type is "PLANT".*MED, DIS.*always/,
    ],
    [{ lexicon: [{ type: "MED", terms: [] }] }, /lexicon\[0\]\.terms is \[\]/],
    [{ lexicon: [{ type: "MED", terms: ["x", "-y"] }] }, /terms\[1\] is "-y"; .*letter/],
    [{ lexicon: [{ type: "MED", terms: ["x"], weight: NaN }] }, /weight is NaN; .*-40 to 40/],
    [{ lexicon: [{ type: "MED", terms: ["x"], wieght: 2 }] }, /has "wieght"/],
    [{ always: [{ type: "", terms: ["x"] }] }, /always\[0\]\.type is ""/],
    [{ always: [{ type: "A", terms: ["x"], weight: 2 }] }, /always\[0\] has "weight"/],
    [{ never: [3] }, /never\[0\] is 3/],
    [{ never: "x" }, /never is "x"; expected a list/],
  ];
  for (const [options, message] of cases) {
    for (const call of ["extract", "withLexicon"] as const) {
      const asked = call === "extract"
        ? ner.extract("", options as TermOptions)
        : ner.withLexicon(options as TermOptions);
      const error: NerError = await asked.then(() => assert.unreachable(), (reason) => reason);
      assert.is(error.code, "input/option");
      assert.match(error.message, message);
      assert.match(error.message, new RegExp(`^${call}: `));
    }
  }
});

test.run();
