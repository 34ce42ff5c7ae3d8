/** Matrices as a graph sees them (turned, cut, quantized), against the same arithmetic done element by element. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Matrix } from "../../src/model/weights.ts";
import {
  columnsOf,
  type ConstantMatrix,
  flipped,
  rowsFrom,
  toMatrix,
  wholeMatrix,
} from "../../src/formats/onnx/constant.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "../../src/formats/onnx/decode.ts";
import { lowerGraph } from "../../src/formats/onnx/lower.ts";
import { matchLinear } from "../../src/formats/onnx/patterns.ts";
import type { OnnxTensor, OnnxType } from "../../src/formats/onnx/tensor.ts";
import { Walk } from "../../src/formats/onnx/walk.ts";
import { dequantizeMatrix } from "../../src/quantize/matrix.ts";
import { random } from "../support.ts";

type Grid = number[][];

function grid(rows: number, columns: number, of: (r: number, c: number) => number): Grid {
  return Array.from(
    { length: rows },
    (_, r) => Array.from({ length: columns }, (_, c) => of(r, c)),
  );
}

const turn = (x: Grid): Grid => grid(x[0]!.length, x.length, (r, c) => x[c]![r]!);

function gridOf(matrix: Matrix): Grid {
  const { rows, columns, data } = dequantizeMatrix(matrix);
  return grid(rows, columns, (r, c) => data[r * columns + c]!);
}

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
} as const;

function tensor(
  name: string,
  type: keyof typeof ARRAYS,
  dims: number[],
  values: number[],
): OnnxTensor {
  const bytes = new Uint8Array(ARRAYS[type].from(values).buffer);
  return { name, type: type as OnnxType, dims, size: values.length, bytes };
}

function node(
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, OnnxAttribute> = {},
  domain = "",
): OnnxNode {
  const all = new Map(Object.entries(attributes));
  return { index: 0, name: "", op, domain, inputs, outputs, attributes: all };
}

function walkOf(nodes: OnnxNode[], tensors: OnnxTensor[]): Walk {
  const inputs = ["input_ids"], shapes = new Map();
  // Activations, of a shape that a trial knows: rows of a table, looked up by ids.
  const lookup = { ...node("Gather", ["table", "input_ids"], ["x"]), attributes: new Map() };
  const table = tensor("table", "float32", [5000, 3], new Array(15000).fill(0));
  const initializers = new Map([...tensors, table].map((each) => [each.name, each]));
  const graph: OnnxGraph = {
    opset: 21,
    inputs,
    shapes,
    outputs: [],
    nodes: [lookup, ...nodes],
    initializers,
  };
  return new Walk(lowerGraph(graph));
}

function near(got: Grid, want: Grid): void {
  assert.equal([got.length, got[0]?.length], [want.length, want[0]?.length]);
  const worst = Math.max(...got.flatMap((row, r) => row.map((x, c) => Math.abs(x - want[r]![c]!))));
  // float32 rounding of numbers up to 300.
  assert.ok(worst < 1e-4, `differ by ${worst}`);
}

const size = fc.integer({ min: 1, max: 5 });

test("turning and cutting in any order give the elements that they should", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("flip", "columns", "rows"), fc.nat(), fc.nat()), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(size, size, steps, (rows, columns, all) => {
      let want = grid(rows, columns, (r, c) => r * 10 + c);
      let matrix: ConstantMatrix = wholeMatrix(
        tensor("w", "float32", [rows, columns], want.flat()),
      );
      for (const [kind, a, b] of all) {
        if (kind === "flip") [matrix, want] = [flipped(matrix), turn(want)];
        else if (kind === "columns") {
          const from = a % matrix.columns, count = 1 + b % (matrix.columns - from);
          matrix = columnsOf(matrix, from, count);
          want = want.map((row) => row.slice(from, from + count));
        } else {
          const from = a % matrix.rows;
          [matrix, want] = [rowsFrom(matrix, from), want.slice(from)];
        }
      }
      assert.equal(gridOf(toMatrix(matrix)), want);
      assert.equal(gridOf(toMatrix(matrix, 0.5)), want.map((row) => row.map((x) => x / 2)));
    }),
  );
});

test("a dequantized weight, turned before and after, cut, with scales along either axis", () => {
  const choice = fc.record({
    rows: size,
    columns: size,
    seed: fc.integer(),
    signed: fc.boolean(),
    inner: fc.boolean(),
    outer: fc.boolean(),
    axis: fc.constantFrom(undefined, 0, 1, -1),
    zeros: fc.boolean(),
    small: fc.boolean(),
  });
  fc.assert(
    fc.property(choice, (of) => {
      const { rows, columns, signed, inner, outer, axis, zeros, small } = of;
      const next = random(of.seed);
      const low = signed ? small ? -60 : -128 : 0, high = small ? 60 : signed ? 127 : 255;
      const pick = (): number => Math.floor(low + next() * (high - low + 1));
      const q = grid(rows, columns, pick);
      // What DequantizeLinear reads.
      const read = inner ? turn(q) : q;
      const along = axis === undefined ? 1 : axis === 0 ? read.length : read[0]!.length;
      const scales = Array.from({ length: along }, () => Math.fround(0.01 + next()));
      const zero = Array.from({ length: along }, () => zeros ? pick() : 0);
      const at = (r: number, c: number): number => along === 1 ? 0 : axis === 0 ? r : c;
      const real = grid(
        read.length,
        read[0]!.length,
        (r, c) => (read[r]![c]! - zero[at(r, c)]!) * scales[at(r, c)]!,
      );
      const want = outer ? turn(real) : real;
      const type = signed ? "int8" : "uint8";
      const dims = axis === undefined ? [] : [along];
      const walk = walkOf([
        ...(inner ? [node("Transpose", ["w"], ["a"], { perm: [1, 0] })] : []),
        node(
          "DequantizeLinear",
          [inner ? "a" : "w", "s", ...(zeros ? ["z"] : [])],
          ["b"],
          axis === undefined ? {} : { axis },
        ),
        ...(outer ? [node("Transpose", ["b"], ["c"], { perm: [1, 0] })] : []),
        node("MatMul", ["x", outer ? "c" : "b"], ["y"]),
      ], [
        tensor("w", type, [rows, columns], q.flat()),
        tensor("s", "float32", dims, scales),
        tensor("z", type, dims, zero),
      ]);
      const { matrix } = matchLinear(walk, "y")!;
      const weight = toMatrix(flipped(matrix));
      near(gridOf(weight), turn(want));
      const columnwise = along === 1 || (axis === 0) === outer;
      const fits = q.flat().length > 0 &&
        real.every((row, r) =>
          row.every((_, c) => Math.abs(read[r]![c]! - zero[at(r, c)]!) <= 127)
        );
      assert.is(weight.type, columnwise && fits ? "i8" : "f32");
      if (weight.type === "i8") assert.is(weight.data.includes(-128), false);
    }),
    { numRuns: 500 },
  );
});

/** Quantized weight [3, 4] with a scale and a zero point for each column, and the numbers they stand for. */
const Q = grid(3, 4, (r, c) => (r * 37 + c * 11) % 90);
const SCALES = [0.5, 0.25, 2, 0.125].map(Math.fround), ZEROS = [10, 0, 40, 7];
const REAL = grid(3, 4, (r, c) => (Q[r]![c]! - ZEROS[c]!) * SCALES[c]!);
const TENSORS = [
  tensor("w", "uint8", [3, 4], Q.flat()),
  tensor("wt", "uint8", [4, 3], turn(Q).flat()),
  tensor("ws", "float32", [4], SCALES),
  tensor("wz", "uint8", [4], ZEROS),
  tensor("xs", "float32", [], [0.5]),
  tensor("xz", "uint8", [], [3]),
  tensor("bias", "float32", [4], [1, -2, 3, -4]),
  // In steps of the product of both scales.
  tensor("c", "int32", [4], [4, -16, 3, -64]),
];
const MS = "com.microsoft";
const DYNAMIC = node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]);

test("each quantized product is the product with its dequantized weight", () => {
  const linear: Record<string, [OnnxNode[], number[] | undefined]> = {
    MatMulInteger: [[
      DYNAMIC,
      node("MatMulInteger", ["q", "w", "qz", "wz"], ["i"]),
      node("Cast", ["i"], ["f"]),
      node("Mul", ["ws", "qs"], ["both"]),
      node("Mul", ["both", "f"], ["p"]),
      node("Add", ["bias", "p"], ["y"]),
    ], [1, -2, 3, -4]],
    DynamicQuantizeMatMul: [
      [node("DynamicQuantizeMatMul", ["x", "w", "ws", "wz", "bias"], ["y"], {}, MS)],
      [1, -2, 3, -4],
    ],
    MatMulIntegerToFloat: [[
      DYNAMIC,
      node("MatMulIntegerToFloat", ["q", "w", "qs", "ws", "qz", "wz", "bias"], ["y"], {}, MS),
    ], [1, -2, 3, -4]],
    QLinearMatMul: [[
      node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
      node("QLinearMatMul", ["q", "xs", "xz", "w", "ws", "wz", "xs", "xz"], ["p"]),
      node("DequantizeLinear", ["p", "xs", "xz"], ["y"]),
    ], undefined],
    QGemm: [[
      node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
      node("QGemm", ["q", "xs", "xz", "wt", "ws", "wz", "c"], ["y"], { transB: 1 }, MS),
    ], [1, -2, 3, -4]],
  };
  for (const [name, [nodes, bias]] of Object.entries(linear)) {
    const match = matchLinear(walkOf(nodes, TENSORS), "y");
    assert.ok(match, name);
    assert.is(match!.input, "x", name);
    near(gridOf(toMatrix(match!.matrix)), REAL);
    assert.equal(match!.bias && [...match!.bias], bias, name);
  }
});

test("columns of a packed product, by Split and by Slice, with their scales and biases", () => {
  const packed = [node("MatMul", ["x", "d"], ["p"]), node("Add", ["p", "bias"], ["sum"])];
  const weight = node("DequantizeLinear", ["w", "ws", "wz"], ["d"], { axis: 1 });
  const numbers = (name: string, value: number): OnnxTensor => tensor(name, "int32", [1], [value]);
  const whole = [weight, ...packed];
  const walks = [
    walkOf([...whole, node("Split", ["sum"], ["a", "b"], { axis: -1 })], TENSORS),
    walkOf(
      [
        ...whole,
        node("Slice", ["sum", "zero", "two", "axis"], ["a"]),
        node("Slice", ["sum", "minus", "many", "axis"], ["b"]),
      ],
      [
        ...TENSORS,
        numbers("zero", 0),
        numbers("two", 2),
        numbers("minus", -2),
        numbers("many", 2 ** 30),
        numbers("axis", 2),
      ],
    ),
  ];
  for (const walk of walks) {
    for (const [name, from] of [["a", 0], ["b", 2]] as const) {
      const { matrix, bias } = matchLinear(walk, name)!;
      near(gridOf(toMatrix(matrix)), REAL.map((row) => row.slice(from, from + 2)));
      assert.equal([...bias!], [1, -2, 3, -4].slice(from, from + 2));
    }
  }
  // Split into two times one head of two columns: the two are what can be cut.
  const heads = [tensor("shape", "int32", [5], [0, 0, 2, 1, 2]), ...TENSORS];
  const late = [...whole, node("Reshape", ["sum", "shape"], ["five"])];
  const cut = (axis: number): ReturnType<typeof matchLinear> =>
    matchLinear(walkOf([...late, node("Split", ["five"], ["a", "b"], { axis })], heads), "b");
  near(gridOf(toMatrix(cut(2)!.matrix)), REAL.map((row) => row.slice(2)));
  assert.is(cut(-1), undefined);
  assert.is(cut(4), undefined);
  const uneven = node("Split", ["sum"], ["a", "b"], { axis: -1, split: [3, 2] });
  assert.is(matchLinear(walkOf([...whole, uneven], TENSORS), "a"), undefined);
});

test("blocks of 4 and 8 bits, with zero points and without", () => {
  // N = 2 rows of K = 5 in blocks of 4: two blocks a row, the last one padded.
  const K = 5, N = 2, block = 4, blocks = 2;
  for (const bits of [4, 8]) {
    for (const zeros of [true, false]) {
      const top = 1 << bits, next = random(bits);
      const q = grid(N * blocks, block, () => Math.floor(next() * top));
      const zero = grid(N, blocks, () => Math.floor(next() * top));
      const scales = grid(N, blocks, () => Math.fround(next()));
      const pack = (values: number[]): number[] =>
        bits === 8
          ? values
          : values.flatMap((x, i) => i % 2 ? [] : [x | (values[i + 1] ?? 0) << 4]);
      const walk = walkOf([
        node("MatMulNBits", ["x", "w", "s", ...(zeros ? ["z"] : [])], ["y"], {
          K,
          N,
          bits,
          block_size: block,
        }, MS),
      ], [
        tensor("w", "uint8", [N, blocks, block * bits / 8], q.flatMap(pack)),
        tensor("s", "float32", [N * blocks], scales.flat()),
        tensor("z", "uint8", [N * blocks * bits / 8], zero.flatMap(pack)),
      ]);
      const want = grid(N, K, (n, k) => {
        const b = Math.floor(k / block);
        const middle = zeros ? zero[n]![b]! : top / 2;
        return (q[n * blocks + b]![k % block]! - middle) * scales[n]![b]!;
      });
      near(gridOf(toMatrix(flipped(matchLinear(walk, "y")!.matrix))), want);
    }
  }
});

test.run();
