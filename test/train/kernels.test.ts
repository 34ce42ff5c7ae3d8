/**
 * Training kernels one by one: the generator against its authors' answers, products against float64.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Program } from "../../src/kernels/program.ts";
import { F32_DEPTH as DEPTH } from "../../src/kernels/contract.ts";
import { COMMANDS } from "../../src/train/engine/contract.ts";
import { instantiateTrainKernels } from "../../src/train/engine/kernels.ts";
import { philox } from "../../src/train/random.ts";
import { random } from "../support.ts";
import { distance, trainModule } from "./support.ts";

const memory = new WebAssembly.Memory({ initial: 200, maximum: 200 });
const kernels = await instantiateTrainKernels(await trainModule(), memory);
const words = new Uint32Array(memory.buffer), floats = new Float32Array(memory.buffer);
const CONTROL = 65536, ROOM = 65536 + 1024, SCRATCH = 2 * 65536, DATA = 40 * 65536;

test("Philox4x32-10 gives its authors' answers, in every lane", () => {
  // Salmon et al., Random123 1.14, tests/kat_vectors.
  const answers = [
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), [
      0x408f276d,
      0x41c83b0e,
      0xa20bc7c6,
      0x6d5451fd,
    ]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  const next = random(1), word = (): number => Math.floor(next() * 2 ** 32);
  for (const [counter, [key0, key1], want] of answers) {
    for (let lane = 0; lane < 4; lane++) {
      // Other lanes hold other counters, whose answers are the scalar generator's.
      const counters = Array.from(
        { length: 4 },
        (_, i) => i === lane ? counter : [word(), word(), word(), word()],
      );
      counters.forEach((c, i) => c.forEach((value, j) => words[(DATA >> 2) + 4 * j + i] = value));
      kernels.philox_block(DATA, key0, key1, DATA + 64);
      const lanes = counters.map((_, i) =>
        [0, 1, 2, 3].map((j) => words[(DATA >> 2) + 16 + 4 * j + i])
      );
      assert.equal(lanes[lane], want);
      counters.forEach((c, i) =>
        assert.equal(lanes[i], philox(c as [number, number, number, number], [key0, key1]))
      );
    }
  }
});

/** The three products, cut in chunks of some rows and columns; each returns C. */
function product(
  operation: "product_forward" | "product_input" | "product_weights",
  { m, n, k }: { m: number; n: number; k: number },
  { chunkRows, chunkColumns }: { chunkRows: number; chunkColumns: number },
  left: Float32Array,
  right: Float32Array,
  third: Float32Array,
): Float32Array {
  const x = DATA, w = x + 4 * left.length, c = w + 4 * right.length, bias = c + 4 * m * n;
  floats.set(left, x >> 2);
  floats.set(right, w >> 2);
  floats.fill(0, c >> 2, (c >> 2) + m * n);
  const program = new Program(COMMANDS, { memory, address: ROOM, capacity: 1 });
  const cut = { m, chunkRows, n, chunkColumns, scratch: SCRATCH, scratchBytes: 0 };
  const chunks = Math.ceil(m / chunkRows) * Math.ceil(n / chunkColumns);
  if (operation === "product_forward") {
    floats.set(third.subarray(0, n), bias >> 2);
    program.add(operation, chunks, { ...cut, k, x, w, bias, c });
  } else {
    floats.set(third, c >> 2);
    if (operation === "product_input") {
      program.add(operation, chunks, { ...cut, k, y: x, w, add: 1, c });
    } else program.add(operation, chunks, { ...cut, tokens: k, y: x, x: w, c });
  }
  program.run(kernels, CONTROL);
  return floats.slice(c >> 2, (c >> 2) + m * n);
}

test("products are those of float64 within rounding, however they are cut", () => {
  const next = random(2),
    numbers = (size: number): Float32Array =>
      Float32Array.from({ length: size }, () => next() - 0.5);
  for (
    const [m, n, k] of [[1, 16, 16], [2, 16, 32], [3, 32, 16], [5, 16, 48], [37, 32, DEPTH + 16], [
      64,
      48,
      2 * DEPTH,
    ]]
  ) {
    const bias = numbers(m * n), at = (i: number, p: number) => i * k + p;
    const cases = [
      {
        operation: "product_forward",
        m,
        left: (i: number, p: number) => at(i, p),
        right: (p: number, j: number) => j * k + p,
      },
      { operation: "product_input", m, left: at, right: (p: number, j: number) => p * n + j },
      // Rows come in sixteens, tokens in any number.
      {
        operation: "product_weights",
        m: 16 * m,
        left: (i: number, p: number) => p * 16 * m + i,
        right: (p: number, j: number) => p * n + j,
      },
    ] as const;
    for (const { operation, m, left, right } of cases) {
      const tokens = operation === "product_weights" ? k - 3 : k;
      const a = numbers(m * k),
        b = numbers(n * k),
        c = operation === "product_forward" ? bias : numbers(m * n);
      const want = new Float64Array(m * n);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = operation === "product_forward" ? c[j] : c[i * n + j];
          for (let p = 0; p < tokens; p++) sum += a[left(i, p)] * b[right(p, j)];
          want[i * n + j] = sum;
        }
      }
      const sizes = { m, n, k: tokens };
      const whole = product(
        operation,
        sizes,
        { chunkRows: (m + 3) & ~3, chunkColumns: n },
        a,
        b,
        c,
      );
      // The error of a sum of k products in float32 is some sqrt(k) roundings.
      assert.ok(
        distance(whole, want) < 6e-8 * Math.sqrt(k) + 1e-7,
        `${operation} ${m} x ${n} x ${k}`,
      );
      for (const chunkRows of [4, 12]) {
        for (const chunkColumns of [8, 16]) {
          assert.equal(
            product(operation, sizes, { chunkRows, chunkColumns }, a, b, c),
            whole,
            `${operation} cut`,
          );
        }
      }
    }
  }
});

test.run();
