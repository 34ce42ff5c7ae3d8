/**
 * Random numbers: the generator against its authors' known answers, and what is drawn from it.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { philox, Random } from "../../src/train/random.ts";

const hex = (words: readonly number[]): string =>
  words.map((word) => word.toString(16).padStart(8, "0")).join(" ");

// kat_vectors of Random123 1.14 (D. E. Shaw Research), "philox4x32 10".
const KNOWN: readonly (readonly [number[], number[], string])[] = [
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  ],
];

test("Philox gives its authors' known answers", () => {
  for (const [counter, key, expected] of KNOWN) {
    assert.is(
      hex(philox(counter as [number, number, number, number], key as [number, number])),
      expected,
    );
  }
});

test("a stream is its own, and the same again", () => {
  const draw = (...args: ConstructorParameters<typeof Random>): number[] => {
    const random = new Random(...args);
    return Array.from({ length: 9 }, () => random.bits());
  };
  assert.equal(draw(7, "order", 3), draw(7, "order", 3));
  for (const other of [draw(8, "order", 3), draw(7, "split", 3), draw(7, "order", 4)]) {
    assert.not.equal(draw(7, "order", 3), other);
  }
});

test("moments of the uniform and the normal numbers", () => {
  const random = new Random(1, "weights"), size = 20_000;
  const moments = (next: () => number): [number, number] => {
    let sum = 0, squares = 0;
    for (let i = 0; i < size; i++) {
      const x = next();
      sum += x;
      squares += x * x;
    }
    return [sum / size, squares / size - (sum / size) ** 2];
  };
  // Four standard errors: 0.0082 and 0.0021 of uniform ones, 0.028 and 0.04 of normal ones.
  const [uniform, spread] = moments(() => random.uniform());
  assert.ok(Math.abs(uniform - 0.5) < 0.0082 && Math.abs(spread - 1 / 12) < 0.0021);
  const [mean, variance] = moments(() => random.normal());
  assert.ok(Math.abs(mean) < 0.028 && Math.abs(variance - 1) < 0.04);
});

test("a permutation has each number once, and is one of many", () => {
  const order = new Random(5, "split").permutation(50);
  assert.equal([...order].sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
  assert.not.equal(order, new Random(6, "split").permutation(50));
});

test.run();
