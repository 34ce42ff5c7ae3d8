/**
 * The CRF's exp and log against the engine's own, which are good to one unit in the last place: 2 units between
 * the two leave each its own.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compileKernel, MODULES } from "../../tools/build/assemblyscript.ts";

const { instance } = await WebAssembly.instantiate(
  await compileKernel({ ...MODULES.baseline, entry: "kernels/math64.ts" }),
  { env: { memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }) } },
);
const { exp64, log64 } = instance.exports as unknown as Record<string, (x: number) => number>;

/** Distance of two positive or two negative doubles, in representable numbers. */
function units(a: number, b: number): number {
  const [x, y] = new BigInt64Array(new Float64Array([a, b]).buffer);
  return Number(x > y ? x - y : y - x);
}

test("exp64", () => {
  for (const x of [0, -0, 1, -1, 1e-300, 709.78, -708.3, -744.4, -745.1, 0.5, -86]) {
    assert.ok(units(exp64(x), Math.exp(x)) <= 2, `exp(${x}) = ${exp64(x)}, ${Math.exp(x)}`);
  }
  assert.is(exp64(710), Infinity);
  assert.is(exp64(Infinity), Infinity);
  assert.is(exp64(-746), 0);
  assert.is(exp64(-Infinity), 0);
  assert.ok(Number.isNaN(exp64(NaN)));
  for (const range of [1, 40, 708]) {
    fc.assert(
      fc.property(fc.double({ min: -range, max: range, noNaN: true }), (x) => {
        return units(exp64(x), Math.exp(x)) <= 2;
      }),
      { numRuns: 5000 },
    );
  }
});

test("log64", () => {
  for (const x of [1, 2, 0.5, Math.SQRT2, Math.SQRT1_2, 1e308, 2.3e-308, 5e-324, 1e-310, Math.E]) {
    assert.ok(units(log64(x), Math.log(x)) <= 2, `log(${x}) = ${log64(x)}, ${Math.log(x)}`);
  }
  assert.is(log64(0), -Infinity);
  assert.is(log64(-0), -Infinity);
  assert.is(log64(Infinity), Infinity);
  assert.ok(Number.isNaN(log64(-1)));
  assert.ok(Number.isNaN(log64(NaN)));
  for (const [min, max] of [[0.5, 2], [1e-300, 1e300], [1, 100]]) {
    fc.assert(
      fc.property(fc.double({ min, max, noNaN: true }), (x) => {
        return units(log64(x), Math.log(x)) <= 2;
      }),
      { numRuns: 5000 },
    );
  }
});

test.run();
