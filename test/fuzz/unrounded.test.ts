/**
 * Graphs without their rounding: ONNX Runtime and this library agree on what a quantized file computes, to
 * float32's last digits, whatever its scales are.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadSeeds } from "../../fuzz/seeds.ts";
import { twinOf } from "../../fuzz/twin.ts";
import { unrounded } from "../../fuzz/unrounded.ts";
import { textOf } from "../../src/formats/hf/tokenizer.ts";
import { Message, parse, write } from "../../fuzz/wire.ts";

const { readable } = await loadSeeds();

/** The operators of a graph, each once. */
function operators(model: Uint8Array): Set<string> {
  return new Set(parse(model).messages(7)[0]!.messages(1).map((node) => node.text(4)));
}

/** Operators that round to integers. */
const ROUNDS = [
  "DynamicQuantizeLinear",
  "QuantizeLinear",
  "MatMulInteger",
  "MatMulIntegerToFloat",
  "DynamicQuantizeMatMul",
  "QAttention",
  "QLinearMatMul",
  "QLinearAdd",
  "QLinearMul",
  "QLinearSoftmax",
];

const quantized = readable.filter(({ model }) => {
  const found = operators(model);
  return ROUNDS.some((op) => found.has(op));
});

test("every operator that rounds is in some export, and in none without its rounding", () => {
  const before = new Set(quantized.flatMap(({ model }) => [...operators(model)]));
  assert.equal(ROUNDS.filter((op) => !before.has(op)), []);
  for (const { model } of quantized) {
    const after = operators(unrounded(model)!);
    assert.equal(ROUNDS.filter((op) => after.has(op)), []);
  }
  const others = readable.filter((files) => !quantized.includes(files));
  assert.equal(others.map(({ model }) => unrounded(model)).filter((each) => each), []);
});

test("quantized exports, dynamic and static, are read as what they compute without rounding", async () => {
  for (const files of quantized) {
    const distance = (await twinOf(files))?.distance;
    // Sums of some hundred products in another order: 1.6e-7 to 5.4e-7 was measured. Rounding costs 1e-2.
    assert.ok(distance! < 2e-6, `${distance} with ${files.model.length} bytes`);
  }
});

test("one weight of -10000, which makes a whole tensor's scale coarse, is read as it is", async () => {
  const { model, ...files } = quantized.find(({ config }) =>
    textOf(config, "config.json").includes('"electra"')
  )!;
  const tree = parse(model), name = "electra.encoder.layer.0.attention.output.LayerNorm.weight";
  const tensor = tree.messages(7)[0]!.messages(5).find((each) => each.text(8) === name)!;
  const bytes = (tensor.field(9)!.value as Uint8Array).slice();
  new DataView(bytes.buffer).setFloat32(4 * 4, -10000, true);
  tensor.field(9)!.value = bytes;
  const distance = (await twinOf({ ...files, model: write(tree) }))?.distance;
  assert.ok(distance! < 1e-5, String(distance));
});

test("a Dropout in training mode drops nothing, and one of inference is left alone", () => {
  const drop = (...inputs: string[]): Uint8Array => {
    const model = new Message("Model"), graph = new Message("Graph"), node = new Message("Node");
    for (const input of inputs) node.add(1, input);
    node.add(2, "y");
    node.add(4, "Dropout");
    graph.add(1, node);
    model.add(7, graph);
    return write(model);
  };
  const [node] = parse(unrounded(drop("x", "ratio", "training"))!).messages(7)[0]!.messages(1);
  assert.is(node!.fields.filter(({ number }) => number === 1).length, 1);
  assert.is(unrounded(drop("x", "ratio")), undefined);
});

test.run();
