/** Emissions to entities, whoever computed them: places that leave out what is only white space. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseKernels } from "../../src/kernels/module.ts";
import { Crf } from "../../src/crf/crf.ts";
import { parseTags } from "../../src/crf/scheme.ts";
import { entitiesOf, findingEntities } from "../../src/ner/entities.ts";
import { shipped } from "../support.ts";

const LABELS = ["O", "B-A", "I-A"], tags = parseTags(LABELS);
const crf = await Crf.create(
  await chooseKernels([await shipped("baseline")]),
  tags,
  undefined,
  true,
);

/** Emissions of a path that is all but certain. */
const certain = (...path: string[]): Float32Array =>
  Float32Array.from(path.flatMap((label) => LABELS.map((other) => label === other ? 20 : 0)));

test("a token for white space alone has no place, at the ends of an entity or by itself", () => {
  // "a bc", as SentencePiece may cut it: ▁ a ▁ bc
  const text = "a bc";
  const places = { starts: Int32Array.of(0, 0, 2, 2), ends: Int32Array.of(0, 1, 2, 4) };
  const found = (...path: string[]): unknown =>
    entitiesOf(text, places, certain(...path), crf, tags).map(({ text, start, end }) => [
      text,
      start,
      end,
    ]);
  assert.equal(found("B-A", "I-A", "I-A", "O"), [["a", 0, 1]]);
  assert.equal(found("O", "O", "B-A", "I-A"), [["bc", 2, 4]]);
  assert.equal(found("B-A", "I-A", "I-A", "I-A"), [["a bc", 0, 4]]);
  assert.equal(found("O", "O", "B-A", "O"), []);
  assert.equal(found("O", "O", "O", "O"), []);
  assert.equal(
    entitiesOf("", { starts: new Int32Array(0), ends: new Int32Array(0) }, certain(), crf, tags),
    [],
  );
});

test("a score is that of the span: what may continue it counts against it", () => {
  const places = { starts: Int32Array.of(0, 2), ends: Int32Array.of(1, 3) };
  // The second token is I-A or O with equal weight; B-A is out of the question.
  const emissions = Float32Array.of(-50, 0, -50, 0, -50, 0);
  const [entity] = entitiesOf("a b", places, emissions, crf, tags);
  assert.ok(Math.abs(entity.score - 0.5) < 1e-6, String(entity.score));
});

test("many entities are placed and scored in pieces, so that others get their turn between", () => {
  const count = 1000, text = "a ".repeat(count);
  const starts = Int32Array.from({ length: count }, (_, i) => 2 * i);
  const places = { starts, ends: starts.map((start) => start + 1) };
  const emissions = certain(...Array(count).fill("B-A"));
  let score = 0, most = 0;
  // Counts the scores that are asked for between two pauses.
  const counting = new Proxy(crf, {
    get(target, name): unknown {
      if (name === "spanProbability") most = Math.max(most, ++score);
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const work = findingEntities(text, places, emissions, counting, tags, "model");
  for (;;) {
    const { done, value } = work.next();
    score = 0;
    if (!done) continue;
    assert.is(value.length, count);
    break;
  }
  assert.ok(most > 0 && most <= 32, `${most} at once`);
});

test.run();
