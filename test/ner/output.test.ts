/** What a caller sees of entities: which, how places are counted, and the readings of a text beside the best one. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Entity, type InputError, Ner, type OffsetUnit, pipeline } from "../../mod.ts";
import { Offsets } from "../../src/ner/output.ts";

const ner = await Ner.load(new URL("../../models/meder/meder-int8.safetensors", import.meta.url));
const TEXT = "😀 জ্বরে প্যারাসিটামল খাওয়া যায়। 𝒳 তীব্র জ্বর ও গলার সংক্রমণে অ্যামোক্সিসিলিন সাত দিন, ইনসুলিন 😀।";
const LONG = `${TEXT} `.repeat(120);

/** Places as TextEncoder and strings' own iteration count them. */
const units = (text: string, unit: OffsetUnit): number =>
  unit === "byte" ? new TextEncoder().encode(text).length : [...text].length;

function counted(text: string, entities: readonly Entity[], unit: OffsetUnit): Entity[] {
  return entities.map((entity) => ({
    ...entity,
    start: units(text.slice(0, entity.start), unit),
    end: units(text.slice(0, entity.end), unit),
  }));
}

test("places are counted in the unit that is asked for, by every method", async () => {
  const found = await ner.extract(TEXT), long = await ner.extract(LONG.slice(0, 4000));
  assert.ok(found.length > 3);
  assert.equal(await ner.extract(TEXT, { offsets: "utf16" }), found);
  for (const offsets of ["codepoint", "byte"] as const) {
    const want = counted(TEXT, found, offsets);
    assert.not.equal(want, found);
    assert.equal(await ner.extract(TEXT, { offsets }), want);
    const texts = [TEXT, LONG.slice(0, 4000)];
    const wanted = [want, counted(texts[1], long, offsets)];
    assert.equal(await ner.extractBatch(texts, { offsets }), wanted);
    assert.equal(await Array.fromAsync(ner.extractStream(texts, { offsets })), wanted);
    const split = await ner.extract(TEXT, { sentences: true });
    assert.equal(
      await ner.extract(TEXT, { sentences: true, offsets }),
      counted(TEXT, split, offsets),
    );
    const [{ entities }] = await ner.extractNBest(TEXT, 1, { offsets });
    assert.equal(entities, want);
  }
});

test("in a document of any length, cut anywhere, too", async () => {
  const pieces = (size: number): string[] =>
    Array.from(
      { length: Math.ceil(LONG.length / size) },
      (_, i) => LONG.slice(i * size, (i + 1) * size),
    );
  const whole = await Array.fromAsync(ner.extractDocument([LONG]));
  assert.ok(whole.length > 200);
  for (const offsets of ["codepoint", "byte"] as const) {
    const want = counted(LONG, whole.slice(-5), offsets);
    for (const size of [LONG.length, 1009]) {
      const found = await Array.fromAsync(ner.extractDocument(pieces(size), { offsets }));
      assert.is(found.length, whole.length);
      assert.equal(found.slice(-5), want, `${offsets} by ${size}`);
    }
  }
});

test("lone surrogates count as what encoders write for them", () => {
  const text = "a\ud83d\ude00\ud83dé\ude00ক\ud83d";
  for (const unit of ["codepoint", "byte"] as const) {
    for (let start = 0; start <= text.length; start++) {
      if (start === 2) continue; // Within a pair.
      const offsets = new Offsets(unit);
      for (const piece of [text.slice(0, 3), text.slice(3)]) offsets.add(piece);
      const want = units(text.slice(0, start), unit);
      assert.is(offsets.of({ start, end: start }).start, want, `${unit} ${start}`);
      if (start === 0) continue;
      offsets.forget(start);
      const { end } = offsets.of({ start, end: text.length });
      assert.is(end, units(text, unit), `${unit} after ${start}`);
    }
  }
});

test("minScore and types leave out, and nothing else", async () => {
  const found = await ner.extract(TEXT), types = ["DIS"];
  const median = found.map(({ score }) => score).sort()[found.length >> 1];
  const sure = found.filter(({ score }) => score >= median);
  assert.ok(sure.length > 0 && sure.length < found.length);
  assert.equal(await ner.extract(TEXT, { minScore: median }), sure);
  const diseases = found.filter(({ type }) => type === "DIS");
  assert.ok(diseases.length > 0 && diseases.length < found.length);
  assert.equal(await ner.extract(TEXT, { types }), diseases);
  assert.equal(await Array.fromAsync(ner.extractDocument([TEXT], { types })), diseases);
  assert.equal(await ner.extract(TEXT, { types: [] }), []);
  const always = [{ type: "PLACE", terms: ["খাওয়া"] }];
  const [place] = await ner.extract(TEXT, { always, types: ["PLACE"] });
  assert.is(place.text, "খাওয়া");
  for (
    const [wrong, message] of [
      [{ types: ["DISS"] }, /extract: types has "DISS"; DIS was probably meant/],
      [{ types: "DIS" }, /types is "DIS"; expected a list of types/],
      [{ minScore: 2 }, /minScore is 2; expected a number from 0 to 1/],
      [{ offsets: "utf8" }, /offsets is "utf8"; expected "utf16", "codepoint" or "byte"/],
    ] as const
  ) {
    const error = await ner.extract(TEXT, wrong as object).then(() => undefined, (e) => e);
    assert.is((error as InputError).code, "input/option");
    assert.match(String(error), message);
  }
});

test("the readings of a text: the first is extract's, then others, ever less probable", async () => {
  const readings = await ner.extractNBest(TEXT, 8);
  assert.is(readings.length, 8);
  assert.equal(readings[0].entities, await ner.extract(TEXT));
  const probabilities = readings.map(({ probability }) => probability);
  assert.equal(probabilities, [...probabilities].sort((a, b) => b - a));
  assert.ok(probabilities[0] <= 1 && probabilities[7] > 0);
  assert.is(new Set(readings.map(({ entities }) => JSON.stringify(entities))).size, 8);
  const fewer = await ner.extractNBest("জ্বর", 100);
  const sum = fewer.reduce((total, { probability }) => total + probability, 0);
  assert.ok(sum <= 1 + 1e-9, `${sum}`);
  assert.equal(await ner.extractNBest("", 3), [{ entities: [], probability: 1 }]);
  for (const count of [0, 101, 1.5, "2"]) {
    const error = await ner.extractNBest(TEXT, count as number).then(() => undefined, (e) => e);
    assert.is((error as InputError).code, "input/option");
  }
});

test("readings that come out alike are one, whatever is left of them", async () => {
  const [most] = await ner.extractNBest(TEXT, 5);
  for (
    const options of [{ types: ["MED"] }, { minScore: 0.5 }, { boundary: "word" }] as const
  ) {
    const readings = await ner.extractNBest(TEXT, 5, options);
    const places = readings.map(({ entities }) =>
      entities.map(({ type, start, end }) => `${type} ${start} ${end}`).join()
    );
    assert.is(new Set(places).size, places.length, JSON.stringify(options));
    const first = await ner.extract(TEXT, options);
    assert.equal(readings[0].entities, first);
    assert.ok(readings[0].probability >= most.probability);
  }
});

test("the pipeline counts in Python's unit if it is asked to", async () => {
  const options = { aggregation_strategy: "simple" } as const;
  const classify = pipeline("token-classification", ner, options);
  const found = await classify(TEXT), points = await classify(TEXT, { offsets: "codepoint" });
  found.forEach(({ start, end }, i) => {
    assert.is(points[i].start, units(TEXT.slice(0, start), "codepoint"));
    assert.is(points[i].end, units(TEXT.slice(0, end), "codepoint"));
  });
});

test.after(() => ner.close());
test.run();
