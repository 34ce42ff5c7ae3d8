/**
 * What enters attention scores, and the bounds that it is judged by: each bias here is computed in the graph as an
 * exporter could write it, and is refused unless it is the padding mask, or changes nothing in any run.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readHfConfig } from "../../src/formats/hf/config.ts";
import { readBertGraph } from "../../src/formats/onnx/bert.ts";
import {
  decodeOnnx,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
} from "../../src/formats/onnx/decode.ts";
import {
  add,
  and,
  constant,
  divide,
  equal,
  larger,
  less,
  lessOrEqual,
  multiply,
  negate,
  not,
  type Num,
  smaller,
  subtract,
  where,
  within,
} from "../../src/formats/onnx/numbers.ts";
import type { OnnxTensor } from "../../src/formats/onnx/tensor.ts";
import { throwsCode } from "./helpers.ts";

const folder = new URL("../fixtures/zoo/bert-torchscript-17-eager/", import.meta.url);
const GRAPH = decodeOnnx(new Uint8Array(readFileSync(new URL("model.onnx", folder))));
const CONFIG = readHfConfig(readFileSync(new URL("config.json", folder), "utf8"));

/** A scalar, by its value. */
function scalar(name: string, value: number, type: "float32" | "int64"): OnnxTensor {
  const bytes = type === "int64"
    ? new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)
    : new Uint8Array(Float32Array.of(value).buffer);
  return { name, type, dims: [], size: 1, bytes };
}

const CONSTANTS: readonly OnnxTensor[] = [
  ...[0, 1, 2, 128, -128].map((value) => scalar(`i${value}`, value, "int64")),
  ...[0, 1, 0.5, -10000, -1].map((value) => scalar(`f${value}`, value, "float32")),
];

type Line = readonly [op: string, inputs: string, output: string, attributes?: object];

/** A node of `inputs` with blanks between them. */
function nodeOf([op, inputs, output, attributes = {}]: Line): OnnxNode {
  return {
    index: 1000,
    name: output,
    op,
    domain: "",
    inputs: inputs.split(" "),
    outputs: [output],
    attributes: new Map(Object.entries(attributes) as [string, OnnxAttribute][]),
  };
}

/** Places of keys, `j`: [tokens], and of queries, `i`: [tokens, 1]. */
const PLACES: readonly Line[] = [
  ["Shape", "input_ids", "lengths", { start: 1 }],
  ["Squeeze", "lengths", "length"],
  ["Range", "i0 length i1", "j"],
  ["Unsqueeze", "j axis", "i"],
];

/** The graph with these nodes in front of Softmax, whose input is what was `scores` and is now `biased`. */
function withNodes(lines: readonly Line[]): OnnxGraph {
  const at = GRAPH.nodes.findIndex(({ op }) => op === "Softmax"), softmax = GRAPH.nodes[at]!;
  const scores = softmax.inputs[0]!;
  const made = [...PLACES, ...lines].map((line) => nodeOf(line)).map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => name === "scores" ? scores : name),
  }));
  const nodes = GRAPH.nodes.toSpliced(at, 1, ...made, { ...softmax, inputs: ["biased"] });
  const axis = { ...scalar("axis", 1, "int64"), dims: [1] };
  const initializers = new Map(GRAPH.initializers);
  for (const tensor of [...CONSTANTS, axis]) initializers.set(tensor.name, tensor);
  return { ...GRAPH, nodes, initializers };
}

/** `condition` (a truth value), made 0 or -10000 and added to the scores. */
const added: readonly Line[] = [
  ["Cast", "condition", "number", { to: 1 }],
  ["Mul", "number f-10000", "bias"],
  ["Add", "scores bias", "biased"],
];
const chosen: readonly Line[] = [["Where", "condition f-10000 scores", "biased"]];

/** Biases that depend on more than padding, by what they are. */
const REFUSED: Readonly<Record<string, readonly Line[]>> = {
  "a window of 128": [["Sub", "j i", "d"], ["Less", "d i-128", "condition"], ...added],
  "a window of 128, by Where": [["Sub", "i j", "d"], ["Greater", "d i128", "condition"], ...chosen],
  "causal": [["Greater", "j i", "condition"], ...added],
  "causal, by Where": [["Less", "i j", "condition"], ...chosen],
  "the diagonal": [["Equal", "i j", "condition"], ...added],
  "all but the diagonal": [["Equal", "i j", "same"], ["Not", "same", "condition"], ...chosen],
  "the first token": [["Equal", "j i0", "condition"], ...added],
  "the 128th token": [["Equal", "j i128", "condition"], ...added],
  "long texts": [["Greater", "length i128", "condition"], ...chosen],
  "distance": [["Sub", "j i", "d"], ["Cast", "d", "number", { to: 1 }], [
    "Mul",
    "number f-1",
    "bias",
  ], [
    "Add",
    "scores bias",
    "biased",
  ]],
  "position": [["Cast", "j", "bias", { to: 1 }], ["Add", "scores bias", "biased"]],
  "tokens' ids": [["Equal", "input_ids i2", "some"], ["Unsqueeze", "some axis", "flat"], [
    "Unsqueeze",
    "flat axis",
    "condition",
  ], ...added],
  "queries that are padding": [
    ["Cast", "attention_mask", "kept", { to: 1 }],
    [
      "Unsqueeze",
      "kept axis",
      "wide",
    ],
    ["Mul", "wide f-10000", "bias"],
    ["Add", "scores bias", "biased"],
  ],
  "the score itself": [["Mul", "scores scores", "square"], ["Add", "scores square", "biased"]],
  "a function of the score": [["Tanh", "scores", "bent"], ["Add", "scores bent", "biased"]],
};

for (const [name, lines] of Object.entries(REFUSED)) {
  test(`scores that are biased by ${name} are refused`, () =>
    throwsCode(() => readBertGraph(withNodes(lines), CONFIG), "onnx/unsupported"));
}

/** What looks like a bias and is none in any run. */
const HARMLESS: Readonly<Record<string, readonly Line[]>> = {
  "a constant": [["Add", "scores f0.5", "biased"]],
  "tokens that count, all alike": [
    ["Cast", "attention_mask", "kept", { to: 1 }],
    ["Unsqueeze", "kept axis", "flat"],
    [
      "Unsqueeze",
      "flat axis",
      "wide",
    ],
    ["Mul", "wide f-10000", "bias"],
    ["Add", "scores bias", "biased"],
  ],
  "places before the first": [["Less", "j i0", "condition"], ...added],
  "places beyond the last": [["Less", "length i1", "condition"], ...chosen],
  "scores by one": [["Mul", "scores f1", "biased"]],
};

for (const [name, lines] of Object.entries(HARMLESS)) {
  test(`scores that are biased by ${name} are read`, () => {
    assert.ok(readBertGraph(withNodes(lines), CONFIG).layers.length > 0);
  });
}

test("another scale of the scores is said, wherever it is", () =>
  throwsCode(
    () => readBertGraph(withNodes([["Mul", "scores f0.5", "biased"]]), CONFIG),
    "model/scale",
  ));

/** An expression over a size n >= 1 that is known in one run: its bounds, and its value for any n. */
type Expression = readonly [bounds: Num, value: (n: number) => number];

const SIZE = 3;

function leaf(choice: number, number: number): Expression {
  if (choice === 0) return [constant(number), () => number];
  return choice === 1
    ? [{ ...within(SIZE, 1, Infinity), powers: [0, 1] }, (n) => n]
    : [within(SIZE - 1, 0, Infinity), (n) => n - 1];
}

const BINARY: readonly (readonly [(a: Num, b: Num) => Num, (a: number, b: number) => number])[] = [
  [add, (a, b) => a + b],
  [subtract, (a, b) => a - b],
  [multiply, (a, b) => a * b],
  [divide, (a, b) => a / b],
  [larger, Math.max],
  [smaller, Math.min],
];

const TRUTHS: readonly (readonly [(a: Num, b: Num) => Num, (a: number, b: number) => boolean])[] = [
  [less, (a, b) => a < b],
  [lessOrEqual, (a, b) => a <= b],
  [equal, (a, b) => a === b],
];

const expression: fc.Arbitrary<Expression> = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.tuple(fc.nat(2), fc.integer({ min: -4, max: 4 })).map(([c, n]) => leaf(c, n)),
    fc.tuple(fc.nat(BINARY.length - 1), tie("tree"), tie("tree")).map(
      ([which, [a, f], [b, g]]): Expression => {
        const [bounds, value] = BINARY[which]!;
        return [bounds(a, b), (n) => value(f(n), g(n))];
      },
    ),
    tie("tree").map(([a, f]): Expression => [negate(a), (n) => -f(n)]),
    fc.tuple(
      fc.nat(TRUTHS.length - 1),
      fc.boolean(),
      tie("tree"),
      tie("tree"),
      tie("tree"),
      tie("tree"),
    )
      .map(([which, turned, [a, f], [b, g], [x, p], [y, q]]): Expression => {
        const [bounds, value] = TRUTHS[which]!;
        const found = turned ? not(bounds(a, b)) : and(bounds(a, b), constant(1));
        return [where(found, x, y), (n) => value(f(n), g(n)) !== turned ? p(n) : q(n)];
      }),
  ),
})).tree;

test("bounds hold for every size, and what they decide is decided", () => {
  fc.assert(
    fc.property(expression, fc.integer({ min: 1, max: 1000 }), ([bounds, value], n) => {
      const here = value(SIZE), there = value(n);
      if (!Number.isFinite(here) || !Number.isFinite(there)) return;
      const slack = (x: number): number => 1e-9 * Math.abs(x) + 1e-9;
      assert.ok(bounds.low - slack(bounds.low) <= there || bounds.low === -Infinity);
      assert.ok(there <= bounds.high + slack(bounds.high) || bounds.high === Infinity);
      if (!Number.isNaN(bounds.value)) assert.ok(Math.abs(bounds.value - here) <= slack(here));
    }),
    { numRuns: 5000 },
  );
});

test("what hangs on the sign of a zero is not known", () => {
  const infinite = divide(constant(1), within(0, 0, 4));
  assert.ok(Number.isNaN(infinite.value));
  assert.ok(Number.isNaN(where(less(constant(0), infinite), constant(1), constant(2)).value));
});

test.run();
