/**
 * Each loss by itself: its derivative against finite differences in float64, and numbers at the edge.
 *
 * Emissions are float32 and sums float64, so emissions are multiples of 2^-10 and steps powers of two: what is
 * added to an emission is added exactly, and differences are as good as float64's.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { instantiateTrainKernels } from "../../src/train/engine/kernels.ts";
import { crfLoss, crfScratchBytes, partialCrfLoss } from "../../src/train/losses/crf.ts";
import { crossEntropyLoss, maskedLoss } from "../../src/train/losses/cross_entropy.ts";
import { distillationLoss } from "../../src/train/losses/distillation.ts";
import { replacedLoss } from "../../src/train/losses/replaced.ts";
import { sumLoss } from "../../src/train/losses/sum.ts";
import { IGNORED } from "../../src/train/losses/targets.ts";
import type { Loss } from "../../src/train/types.ts";
import { random } from "../support.ts";
import { trainModule } from "./support.ts";

const memory = new WebAssembly.Memory({ initial: 40, maximum: 40 });
const kernels = await instantiateTrainKernels(await trainModule(), memory);
const floats = new Float32Array(memory.buffer);
const EMISSIONS = 65536, COTANGENT = 2 * 65536, SCRATCH = 4 * 65536;

/** Emissions, and the parameters of a CRF. */
interface Point {
  readonly columns: number;
  readonly emissions: Float32Array;
  readonly parameters?: Readonly<Record<string, Float32Array>>;
}

/** A loss and its derivatives. Rows lie apart, so that a stride that is not the width is met. */
function evaluate(loss: Loss, { columns, emissions, parameters = {} }: Point, scale = 1) {
  const rows = emissions.length / columns, stride = columns + 3;
  const gradients = Object.fromEntries(
    Object.entries(parameters).map(([name, { length }]) => [name, new Float32Array(length)]),
  );
  floats.fill(0, COTANGENT >> 2, (COTANGENT >> 2) + rows * stride);
  for (let r = 0; r < rows; r++) {
    floats.set(emissions.subarray(r * columns, (r + 1) * columns), (EMISSIONS >> 2) + r * stride);
  }
  const place = (address: number) => ({
    rows,
    columns,
    stride,
    memory: floats,
    start: address >> 2,
  });
  const value = loss.evaluate({
    batch: { ids: new Int32Array(rows), offsets: Int32Array.of(0, rows) },
    emissions: place(EMISSIONS),
    cotangent: place(COTANGENT),
    scale,
    kernels,
    scratch: { address: SCRATCH, bytes: crfScratchBytes(64, columns) },
    parameter: (name) => parameters[name],
    gradient: (name) => gradients[name],
  });
  const cotangent = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const at = (COTANGENT >> 2) + r * stride;
    cotangent.set(floats.subarray(at, at + columns), r * columns);
    assert.ok(
      floats.subarray(at + columns, at + stride).every((v) => v === 0),
      "nothing is written beside a row",
    );
  }
  return {
    value,
    gradients: { emissions: cotangent, ...gradients } as Record<string, Float32Array>,
  };
}

function grid(next: () => number, size: number, range: number): Float32Array {
  return Float32Array.from(
    { length: size },
    () => Math.round((next() * 2 - 1) * range * 1024) / 1024,
  );
}

function crfPoint(rows: number, columns: number, seed: number, range = 3): Point {
  const next = random(seed);
  return {
    columns,
    emissions: grid(next, rows * columns, range),
    parameters: {
      "crf.start": grid(next, columns, range),
      "crf.end": grid(next, columns, range),
      "crf.transitions": grid(next, columns * columns, range),
    },
  };
}

/** Judges all derivatives by central differences, extrapolated to a step of 0: good to 1e-9, float32 to 6e-8. */
function checkDerivatives(loss: Loss, point: Point, name: string): void {
  const { gradients } = evaluate(loss, point), { emissions, parameters = {} } = point;
  for (const [key, values] of Object.entries({ emissions, ...parameters })) {
    for (let i = 0; i < values.length; i++) {
      const difference = (h: number): number => {
        const at = values[i],
          [up, down] = [h, -h].map((step) => {
            values[i] = at + step;
            return evaluate(loss, point).value;
          });
        values[i] = at;
        return (up - down) / (2 * h);
      };
      const slope = (4 * difference(2 ** -6) - difference(2 ** -5)) / 3, got = gradients[key][i];
      assert.ok(
        Math.abs(slope - got) < 2e-7 * Math.max(1, Math.abs(slope)),
        `${name}: ${key}[${i}] is ${got}, not ${slope}`,
      );
    }
  }
}

const LABELS = Int32Array.of(IGNORED, 2, 0, 0, IGNORED, 1, 3, 2, IGNORED);
const OFFSETS = Int32Array.of(0, 4, 9);
const ALLOWED = Uint8Array.from([
  [0, 0, 0, 0],
  [1, 1, 1, 1],
  [0, 1, 1, 0],
  [1, 0, 0, 0],
  [0, 0, 0, 0],
  [0, 0, 0, 1],
  [1, 1, 1, 0],
  [1, 1, 1, 1],
  [0, 0, 0, 0],
].flat());

test("derivatives of every loss are those of its values", () => {
  const next = random(1), teacher = grid(next, 36, 3);
  const counted = Uint8Array.from([1, 1, 0, 1, 1, 1, 1, 0, 1]);
  const losses: Record<string, Loss> = {
    "cross entropy": crossEntropyLoss(LABELS),
    masked: maskedLoss(
      Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8),
      Int32Array.of(0, 1, 2, 3, 3, 2, 1, 0, 0),
    ),
    crf: crfLoss(LABELS, OFFSETS),
    "partial crf": partialCrfLoss(ALLOWED, OFFSETS),
    "weighed crf": partialCrfLoss(ALLOWED, OFFSETS, { weights: Float64Array.of(0.5, 2) }),
    "distillation at 2": distillationLoss(teacher, 9, 2, counted),
    "distillation at 0.5": distillationLoss(teacher, 9, 0.5),
    sum: sumLoss([
      { loss: crfLoss(LABELS, OFFSETS), weight: 0.3 },
      { loss: distillationLoss(teacher, 9, 1), weight: 0.7 },
    ]),
  };
  for (const [name, loss] of Object.entries(losses)) {
    checkDerivatives(loss, crfPoint(9, 4, 2), name);
  }
  const flags = Int32Array.of(0, 1, 1, IGNORED, 0);
  checkDerivatives(replacedLoss(flags), { columns: 1, emissions: grid(next, 5, 6) }, "replaced");
});

test("a scale scales derivatives and not the value", () => {
  const point = crfPoint(9, 4, 3), loss = crfLoss(LABELS, OFFSETS);
  const one = evaluate(loss, point), four = evaluate(loss, point, 4);
  assert.is(four.value, one.value);
  for (const [name, values] of Object.entries(one.gradients)) {
    assert.equal(four.gradients[name], values.map((v) => 4 * v), name);
  }
});

/** log of the summed weight of all paths, by going over them. */
function pathSum(
  { columns: n, emissions, parameters }: Point,
  allowed: (t: number, y: number) => boolean,
): number {
  const start = parameters!["crf.start"],
    end = parameters!["crf.end"],
    transitions = parameters!["crf.transitions"];
  const rows = emissions.length / n, scores: number[] = [];
  const walk = (t: number, last: number, score: number): void => {
    if (t === rows) return void scores.push(score + end[last]);
    for (let y = 0; y < n; y++) {
      if (!allowed(t, y)) continue;
      walk(
        t + 1,
        y,
        score + emissions[t * n + y] + (t === 0 ? start[y] : transitions[last * n + y]),
      );
    }
  };
  walk(0, 0, 0);
  const top = Math.max(...scores);
  return top + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
}

test("the CRF's value is the sum over all paths, also of allowed ones alone", () => {
  for (const rows of [1, 2, 5]) {
    for (const labels of [1, 2, 3]) {
      const point = crfPoint(rows, labels, rows * 10 + labels), next = random(rows);
      const allowed = Uint8Array.from({ length: rows * labels }, () => next() < 0.5 ? 1 : 0);
      for (let t = 0; t < rows; t++) allowed[t * labels + t % labels] = 1;
      const offsets = Int32Array.of(0, rows);
      const { value } = evaluate(partialCrfLoss(allowed, offsets), point);
      const want = pathSum(point, () => true) -
        pathSum(point, (t, y) => allowed[t * labels + y] === 1);
      assert.ok(
        Math.abs(value - want) < 1e-10 * Math.max(1, Math.abs(want)),
        `${rows} x ${labels}: ${value}, not ${want}`,
      );
    }
  }
});

test("known labels are sets of one, and where all is allowed there is nothing to learn", () => {
  const point = crfPoint(9, 4, 5);
  const single = Uint8Array.from({ length: 36 }, (_, i) => LABELS[i >> 2] === i % 4 ? 1 : 0);
  assert.equal(
    evaluate(partialCrfLoss(single, OFFSETS), point),
    evaluate(crfLoss(LABELS, OFFSETS), point),
  );
  const { value, gradients } = evaluate(partialCrfLoss(new Uint8Array(36).fill(1), OFFSETS), point);
  assert.is(value, 0);
  for (const values of Object.values(gradients)) {
    assert.ok(values.every((v) => Math.abs(v) < 1e-14));
  }
});

test("weights weigh each sequence's loss", () => {
  const point = crfPoint(9, 4, 6),
    of = (...weights: number[]) =>
      evaluate(partialCrfLoss(ALLOWED, OFFSETS, { weights: Float64Array.from(weights) }), point);
  const [both, first, second] = [of(0.5, 2), of(1, 0), of(0, 1)];
  assert.ok(Math.abs(both.value - (0.5 * first.value + 2 * second.value)) < 1e-12);
  assert.equal(of(1, 1), evaluate(partialCrfLoss(ALLOWED, OFFSETS), point));
});

test("no CRF score is too large, too small or too equal", () => {
  const labels = Int32Array.of(1, 0, 2, 1), offsets = Int32Array.of(0, 4);
  for (const size of [0, 1e-30, 1e3, 1e30]) {
    const point = crfPoint(4, 3, 7);
    for (const values of [point.emissions, ...Object.values(point.parameters!)]) {
      values.forEach((v, i) => values[i] = v * size);
    }
    const { value, gradients } = evaluate(crfLoss(labels, offsets), point);
    assert.ok(Number.isFinite(value) && value >= 0, `${size}: ${value}`);
    // All paths are one as likely as another.
    if (size < 1) assert.ok(Math.abs(value - 4 * Math.log(3)) < 1e-12);
    for (const [name, values] of Object.entries(gradients)) {
      assert.ok(values.every(Number.isFinite), `${size}: ${name}`);
    }
    // At every token as much is taken away as given.
    for (let t = 0; t < 4; t++) {
      assert.ok(
        Math.abs(gradients.emissions.subarray(3 * t, 3 * t + 3).reduce((a, b) => a + b)) < 1e-6,
      );
    }
  }
});

test("huge and tiny logits are safe in every loss", () => {
  for (const size of [0, 1e-30, 1e30, 3e38]) {
    const emissions = Float32Array.of(1, -1, 0.5, -1, 1, 0).map((v) => v * size);
    const losses = [
      crossEntropyLoss(Int32Array.of(0, 0)),
      distillationLoss(emissions.map((v) => -v / 4), 2, 0.5),
      distillationLoss(new Float32Array(6), 2, 100),
    ];
    for (const loss of losses) {
      const { value, gradients } = evaluate(loss, { columns: 3, emissions });
      assert.ok(Number.isFinite(value), `${loss.name} at ${size}: ${value}`);
      assert.ok(gradients.emissions.every(Number.isFinite));
    }
    const { value, gradients } = evaluate(replacedLoss(Int32Array.of(0, 1, 0, 1, 0, 1)), {
      columns: 1,
      emissions,
    });
    assert.ok(
      Number.isFinite(value) && gradients.emissions.every(Number.isFinite),
      `replaced at ${size}`,
    );
  }
});

test("targets that do not fit are typed errors", () => {
  const point = crfPoint(9, 4, 2), four = Int32Array.of(0, 1, 2, 3);
  for (
    const loss of [
      crossEntropyLoss(four),
      crossEntropyLoss(new Int32Array(9).fill(4)),
      crfLoss(four, Int32Array.of(0, 4)),
      crfLoss(new Int32Array(9).fill(-1), OFFSETS),
      partialCrfLoss(new Uint8Array(27).fill(1), OFFSETS),
      distillationLoss(new Float32Array(9), 9, 1),
      replacedLoss(new Int32Array(9).fill(2)),
    ]
  ) {
    try {
      evaluate(loss, point);
      assert.unreachable(loss.name);
    } catch (error) {
      assert.match((error as { code: string }).code, /^input\/(labels|emissions)$/, loss.name);
    }
  }
  assert.throws(() => distillationLoss(new Float32Array(4), 1, 0), /temperature/);
  assert.throws(() => sumLoss([]), /losses/);
  const mixed = [crossEntropyLoss(four), replacedLoss(four)].map((loss) => ({ loss, weight: 1 }));
  assert.throws(() => sumLoss(mixed), /head/);
});

test.run();
