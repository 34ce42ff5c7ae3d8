/** Votes and the hidden Markov model: against enumeration of all paths, and against numpy. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CombineMeter,
  fitHmm,
  hmmCombiner,
  type HmmParameters,
  labelsOf,
  type LabelSpan,
  observe,
  type Observed,
  tokensOf,
  voteCombiner,
} from "../../label.ts";
import { InputError } from "../../src/errors.ts";
import { random } from "../support.ts";

const span = (type: string, start: number, end: number, confidence = 1): LabelSpan => ({
  type,
  start,
  end,
  confidence,
});

/** A text of one-letter tokens whose columns are given as labels. */
function observedOf(
  columns: readonly (readonly number[] | null)[],
  confidences: readonly number[] = [],
): Observed {
  const length = columns.find((column) => column !== null)!.length;
  return {
    starts: Int32Array.from({ length }, (_, i) => 2 * i),
    ends: Int32Array.from({ length }, (_, i) => 2 * i + 1),
    columns: columns.map((labels, j) =>
      labels === null ? undefined : {
        labels: Int32Array.from(labels),
        confidence: Float32Array.from(labels, (label) => label === 0 ? 1 : confidences[j] ?? 1),
      }
    ),
  };
}

function near(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void {
  assert.is(got.length, want.length);
  for (let i = 0; i < want.length; i++) {
    assert.ok(Math.abs(got[i]! - want[i]!) <= tolerance, `${i}: ${got[i]} is not ${want[i]}`);
  }
}

test("tokens are words, other characters, and what spans cut off", () => {
  const text = "জ্বরের 5mg, 😀x";
  const { starts, ends } = tokensOf(text, [[span("A", 0, 4)], undefined]);
  assert.equal(
    Array.from(starts, (start, i) => text.slice(start, ends[i])),
    ["জ্বর", "ের", "5mg", ",", "😀", "x"],
  );
  const { columns } = observe([{ name: "x", types: ["A"] }, { name: "y", types: ["B"] }], [
    [span("A", 0, 4, 0.5), span("A", 7, 11)],
    undefined,
  ], { starts, ends });
  assert.equal([...columns[0]!.labels], [1, 0, 1, 2, 0, 0]);
  assert.equal([...columns[0]!.confidence], [0.5, 1, 1, 1, 1, 1]);
  assert.is(columns[1], undefined);
  assert.throws(
    () => observe([{ name: "x", types: ["A"] }], [[span("B", 0, 4)]], { starts, ends }),
    (error: unknown) => error instanceof InputError && error.code === "input/labels",
  );
});

test("a vote is among those who know a type, weighed where weights are given", async () => {
  const voters = [{ name: "a", types: ["A"] }, { name: "b", types: ["B"] }, {
    name: "ab",
    types: ["A", "B"],
  }];
  const vote = await voteCombiner(voters);
  assert.equal(vote.labels, ["O", "B-A", "I-A", "B-B", "I-B"]);
  // A tie of two who know A; of B, one against one; all abstain from the last text but one.
  const text = observedOf([[1, 2, 0, 0], [0, 0, 3, 0], [0, 0, 1, 0]]);
  const { spans, posteriors } = vote.combine(text);
  near(posteriors, [
    ...[0.5, 0.5, 0, 0, 0],
    ...[0.5, 0, 0.5, 0, 0],
    ...[0, 0.5, 0, 0.5, 0],
    ...[1, 0, 0, 0, 0],
  ], 1e-6);
  assert.equal(spans.map(({ type, start, end }) => [type, start, end]), [["A", 0, 3], ["A", 4, 5]]);
  const weighed = await voteCombiner(voters, { ab: 3 });
  assert.equal(
    weighed.combine(text).spans.map(({ type, start, end }) => [type, start, end]),
    [["A", 4, 5]],
  );
  assert.equal(vote.combine(observedOf([[1], null, null])).spans.length, 1);
  try {
    await voteCombiner(voters, { c: 1 });
    assert.unreachable();
  } catch (error) {
    assert.is((error as InputError).code, "input/option");
  }
});

/** Posteriors and likelihood by summing over every path of labels. */
function enumerate(observed: Observed, parameters: HmmParameters, n: number) {
  const tokens = observed.starts.length, sums = new Float64Array(tokens * n);
  let all = 0;
  const path: number[] = [];
  const walk = (weight: number): void => {
    const t = path.length;
    if (t === tokens) {
      all += weight;
      path.forEach((y, i) => sums[i * n + y]! += weight);
      return;
    }
    for (let y = 0; y < n; y++) {
      let step = t === 0 ? parameters.start[y]! : parameters.transitions[path[t - 1]! * n + y]!;
      observed.columns.forEach((column, j) => {
        if (column) step *= parameters.confusions[j]![y * n + column.labels[t]!]!;
      });
      if (step === 0) continue;
      path.push(y);
      walk(weight * step);
      path.pop();
    }
  };
  walk(1);
  return { posteriors: sums.map((sum) => sum / all), likelihood: Math.log(all) };
}

test("posteriors and likelihood are those of all paths, enumerated", async () => {
  const next = random(3), voters = [{ name: "x", types: ["A"] }, { name: "y", types: ["A", "B"] }];
  const n = labelsOf(voters).length;
  for (let round = 0; round < 20; round++) {
    const texts = Array.from({ length: 3 }, () => {
      const length = 1 + Math.floor(next() * 5);
      const column = (most: number) => Array.from({ length }, () => Math.floor(next() * most));
      return observedOf([column(3), next() < 0.2 ? null : column(5)], [next(), next()]);
    });
    const model = await fitHmm(texts, voters, { rounds: 2, tolerance: 0, prior: 0.5 });
    let likelihood = 0;
    for (const text of texts) {
      const expected = enumerate(text, model.parameters, n);
      // Emissions pass the kernels in float32: relative 6e-8 of logarithms of some tens.
      near(model.combine(text).posteriors, expected.posteriors, 2e-5);
      likelihood += expected.likelihood;
    }
    near([model.likelihoods.at(-1)!], [likelihood], 1e-4);
  }
});

test("EM reaches the parameters that numpy reaches", async () => {
  const url = new URL("./fixtures/hmm.json", import.meta.url);
  const reference = JSON.parse(readFileSync(url, "utf8"));
  const confidences = reference.voters.map((voter: { confidence: number }) => voter.confidence);
  const texts: Observed[] = reference.texts.map((columns: (number[] | null)[]) =>
    observedOf(columns, confidences)
  );
  const { rounds } = reference;
  const model = await fitHmm(texts, reference.voters, { rounds, tolerance: 0 });
  // As above, and the confidences are float32, too.
  near(model.likelihoods, reference.likelihoods, 1e-3);
  near(model.parameters.start, reference.start, 1e-5);
  near(model.parameters.transitions, reference.transitions, 1e-5);
  reference.confusions.forEach((matrix: number[], j: number) =>
    near(model.parameters.confusions[j]!, matrix, 1e-5)
  );
  texts.forEach((text, i) => near(model.combine(text).posteriors, reference.posteriors[i], 5e-5));
  const again = await hmmCombiner(model.parameters, reference.voters);
  assert.equal(again.combine(texts[0]!), model.combine(texts[0]!));
});

/** What labelers were told to be believed counts for nothing, and there is time to find out. */
const WEAK = { prior: 0.01, rounds: 200, tolerance: 1e-7 };

test("the model finds out whom to believe, where a majority is wrong", async () => {
  const next = random(11),
    voters = ["good", "fair", "bad", "worse"].map((name) => ({ name, types: ["A"] }));
  const rates = [0.95, 0.8, 0.35, 0.35];
  const gold: LabelSpan[][] = [];
  const opinions = Array.from({ length: 400 }, () => {
    const truth = Array.from({ length: 20 }, () => next() < 0.15);
    gold.push(truth.flatMap((is, t) => is ? [span("A", 2 * t, 2 * t + 1)] : []));
    return rates.map((rate) =>
      truth.flatMap((is, t) =>
        (is ? next() < rate : next() < (1 - rate) / 8) ? [span("A", 2 * t, 2 * t + 1, 0.7)] : []
      )
    );
  });
  const tokens = tokensOf("a ".repeat(20), []);
  const texts = opinions.map((spans) => observe(voters, spans, tokens));
  const score = async (kind: "vote" | "hmm"): Promise<ReturnType<CombineMeter["report"]>> => {
    const combiner = kind === "vote"
      ? await voteCombiner(voters)
      : await fitHmm(texts, voters, WEAK);
    const meter = new CombineMeter(voters);
    texts.forEach((text, i) => meter.add(text, opinions[i]!, combiner.combine(text), gold[i]));
    return meter.report();
  };
  const vote = await score("vote"), hmm = await score("hmm");
  const best = Math.max(...hmm.labelers.map(({ scores }) => scores!.micro.f1));
  assert.ok(hmm.scores!.micro.f1 > vote.scores!.micro.f1, "better than the vote");
  assert.ok(hmm.scores!.micro.f1 >= best, "no worse than the best labeler");
  // Tokens are spans here, so that what is estimated can be held against what is true.
  for (const { name, estimatedPrecision, estimatedRecall, scores } of hmm.labelers) {
    assert.ok(Math.abs(estimatedPrecision - scores!.micro.precision) < 0.1, `${name}'s precision`);
    assert.ok(Math.abs(estimatedRecall - scores!.micro.recall) < 0.1, `${name}'s recall`);
  }
});

test("the report counts tokens in spans, in others' spans and under others' labels", () => {
  const voters = [{ name: "x", types: ["A"] }, { name: "y", types: ["A"] }, {
    name: "z",
    types: ["A"],
  }];
  const text = "a b c d",
    opinions = [[span("A", 0, 3)], [span("A", 2, 3), span("A", 6, 7)], undefined];
  const observed = observe(voters, opinions, tokensOf(text, opinions));
  const meter = new CombineMeter(voters);
  const posteriors = Float32Array.from([0, 1, 0, 0.5, 0, 0.5, 1, 0, 0, 0.5, 0.5, 0]);
  meter.add(observed, opinions, { spans: [span("A", 0, 3)], posteriors }, [
    span("A", 0, 3),
    span("B", 6, 7),
  ]);
  const { labelers: [x, y, z], scores } = meter.report();
  assert.equal([x!.spans, x!.coverage, x!.overlap, x!.conflict], [1, 0.5, 0.5, 0.5]);
  assert.equal([x!.estimatedPrecision, x!.estimatedRecall], [0.75, 0.75]);
  assert.equal([y!.overlap, y!.conflict, y!.estimatedPrecision], [0.5, 0.5, 0.25]);
  assert.equal([z!.abstained, z!.coverage], [1, 0]);
  assert.equal([x!.scores!.micro.f1, y!.scores!.micro.correct, scores!.micro.f1], [1, 0, 1]);
});

test.run();
