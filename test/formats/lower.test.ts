/** Fused and quantized operators: what they stand for, what about them is refused, and damage of all kinds. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type HfConfig, readHfConfig } from "../../src/formats/hf/config.ts";
import { readBertGraph } from "../../src/formats/onnx/bert.ts";
import { decodeOnnx, type OnnxGraph, type OnnxNode } from "../../src/formats/onnx/decode.ts";
import { lowerGraph } from "../../src/formats/onnx/lower.ts";
import { type OnnxTensor, tensorFloats } from "../../src/formats/onnx/tensor.ts";
import { halfBits, returnsOrTyped, textOf, throwsCode } from "./helpers.ts";

const ROOT = new URL("../fixtures/zoo/", import.meta.url);

function load(folder: string): { bytes: Uint8Array; graph: OnnxGraph; config: HfConfig } {
  const file = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(new URL(`${folder}/${name}`, ROOT)));
  const bytes = file("model.onnx");
  return { bytes, graph: decodeOnnx(bytes), config: readHfConfig(textOf(file("config.json"))) };
}

/** The graph with the first node of this operator changed, and constants added. */
function changed(
  graph: OnnxGraph,
  op: string,
  change: (node: OnnxNode) => Partial<OnnxNode>,
  tensors: readonly OnnxTensor[] = [],
): OnnxGraph {
  const at = graph.nodes.findIndex((node) => node.op === op);
  assert.ok(at >= 0, `no ${op}`);
  const node = graph.nodes[at]!;
  return {
    ...graph,
    nodes: graph.nodes.with(at, { ...node, ...change(node) }),
    initializers: new Map([
      ...graph.initializers,
      ...tensors.map((tensor) => [tensor.name, tensor] as const),
    ]),
  };
}

const with_ = (name: string, value: number) => (node: OnnxNode): Partial<OnnxNode> => ({
  attributes: new Map([...node.attributes, [name, value]]),
});

const inputAt = (place: number, name: string) => (node: OnnxNode): Partial<OnnxNode> => {
  const inputs = [...node.inputs];
  while (inputs.length <= place) inputs.push("");
  inputs[place] = name;
  return { inputs };
};

function tensor(name: string, type: OnnxTensor["type"], dims: number[], bytes: Uint8Array) {
  return { name, type, dims, size: dims.reduce((a, b) => a * b, 1), bytes };
}

const floats = (name: string, dims: number[], values: number[]): OnnxTensor =>
  tensor(name, "float32", dims, new Uint8Array(Float32Array.from(values).buffer));

const FUSED = load("bert-ortfuse-14-hf430");
const MHA = load("bert-ortfuse-14-mha");
const QUANTIZED = load("bert-qdynamic-14-u8");
const QDQ = load("bert-qstatic-14-qdq-per-channel");

test("what a fused attention adds to an encoder's is refused by name", () => {
  const fails = (
    { graph, config }: typeof FUSED,
    op: string,
    change: (node: OnnxNode) => Partial<OnnxNode>,
    message: RegExp,
    tensors: OnnxTensor[] = [],
    code = "onnx/unsupported",
  ): void =>
    throwsCode(
      () => readBertGraph(changed(graph, op, change, tensors), config),
      code,
      message,
    );
  const table = floats("table", [1, 4, 3, 3], new Array(36).fill(1));
  for (
    const [model, op, past] of [[FUSED, "Attention", 4], [MHA, "MultiHeadAttention", 6]] as const
  ) {
    fails(
      model,
      op,
      with_("unidirectional", 1),
      /Attention node.*unidirectional = 1 \(causal attention\)/,
    );
    fails(model, op, with_("do_rotary", 1), /do_rotary/);
    fails(model, op, inputAt(past, "table"), /has a cache of past keys/, [table]);
    fails(
      model,
      op,
      inputAt(5, "table"),
      /Add node.*combines shapes .*\[1,4,3,3\]/,
      [table],
    );
    fails(model, op, with_("num_heads", 5), /5 heads.*config\.json says/, [], "model/mismatch");
    fails(model, op, with_("scale", 2), /scaled by 2/, [], "model/scale");
  }
  fails(
    FUSED,
    "Attention",
    (node) => ({ attributes: new Map([...node.attributes, ["qkv_hidden_sizes", [20, 20, 40]]]) }),
    /query, key and value of sizes 20,20,40/,
  );
  fails(MHA, "MultiHeadAttention", inputAt(1, ""), /packed by head/);
  fails(MHA, "MultiHeadAttention", inputAt(3, "input_ids"), /not three constant vectors/);
});

test("nothing is allocated from the rows that a table without columns claims", () => {
  const embed = FUSED.graph.nodes.find(({ op }) => op === "EmbedLayerNormalization")!;
  const claim = tensor(embed.inputs[3]!, "float32", [4e9, 0], new Uint8Array(0));
  // Without position ids, which are its ninth input, the operator counts by itself.
  const inputs = embed.inputs.slice(0, 8);
  const graph = changed(FUSED.graph, "EmbedLayerNormalization", () => ({ inputs }), [claim]);
  throwsCode(
    () => readBertGraph(graph, FUSED.config),
    "onnx/unsupported",
    /EmbedLayerNormalization/,
  );
});

test("operators of ONNX Runtime that no encoder has are named", () => {
  const other = changed(FUSED.graph, "Attention", () => ({ op: "GroupQueryAttention" }));
  throwsCode(
    () => readBertGraph(other, FUSED.config),
    "onnx/unsupported",
    /com\.microsoft\.GroupQueryAttention node .*none of the operators/,
  );
  const norm = changed(
    FUSED.graph,
    "SkipLayerNormalization",
    () => ({ op: "SkipSimplifiedLayerNormalization" }),
  );
  throwsCode(
    () => readBertGraph(norm, FUSED.config),
    "onnx/unsupported",
    /com\.microsoft\.SkipSimplifiedLayerNormalization node/,
  );
});

test("a product that is not read is named, not only the sum that it is a term of", () => {
  const { graph, config } = load("bert-q4-17-matmulnbits");
  const last = graph.nodes.findLast(({ op }) => op === "MatMulNBits")!;
  const other = (change: Partial<OnnxNode>): OnnxGraph => ({
    ...graph,
    nodes: graph.nodes.map((node) => node === last ? { ...node, ...change } : node),
  });
  throwsCode(
    () => readBertGraph(other({ op: "MatMulBnb4" }), config),
    "onnx/unsupported",
    /linear classifier at the output, found Add node.*adds up com\.microsoft\.MatMulBnb4 node/,
  );
  // Sizes that do not fit what is stored: nothing is allocated from them.
  for (const [name, value] of [["K", 1e9], ["N", 2.5], ["bits", 3], ["block_size", 0]] as const) {
    const attributes = new Map([...last.attributes, [name, value] as const]);
    throwsCode(
      () => readBertGraph(other({ attributes }), config),
      "onnx/unsupported",
      /MatMulNBits/,
    );
  }
});

test("blocks of 4 bits in a graph of half precision, whose constants are rounded", () => {
  const { graph, config } = load("bert-q4-17-matmulnbits");
  const half = (tensor: OnnxTensor): OnnxTensor => {
    if (tensor.type !== "float32") return tensor;
    const bits = Uint16Array.from(tensorFloats(tensor)!, halfBits);
    return { ...tensor, type: "float16", bytes: new Uint8Array(bits.buffer) };
  };
  const initializers = new Map([...graph.initializers].map(([name, each]) => [name, half(each)]));
  const nodes = graph.nodes.map((node) => {
    const value = node.attributes.get("value") as OnnxTensor | undefined;
    const constant = node.op === "Constant" && value !== undefined && typeof value === "object";
    return constant ? { ...node, attributes: new Map([["value", half(value)]]) } : node;
  });
  const weights = readBertGraph({ ...graph, nodes, initializers }, config);
  assert.is(weights.config.layers, 2);
});

test("the activation is told from what it computes, also as one operator", () => {
  const gelu = FUSED.graph.nodes.find(({ op }) => op === "BiasGelu")!;
  const bias = { ...gelu, op: "Add", domain: "", outputs: ["sum"] };
  for (
    const [op, domain, message] of [
      ["QuickGelu", gelu.domain, /quick_gelu/],
      ["Sigmoid", "", /sigmoid \(Sigmoid\)/],
    ] as const
  ) {
    const nodes = FUSED.graph.nodes.flatMap((node) =>
      node === gelu ? [bias, { ...gelu, op, domain, inputs: ["sum"] }] : [node]
    );
    throwsCode(
      () => readBertGraph({ ...FUSED.graph, nodes }, FUSED.config),
      "onnx/activation",
      message,
    );
  }
});

test("a GELU by an approximation that is not known is refused", () => {
  const gelu = FUSED.graph.nodes.find(({ op }) => op === "BiasGelu")!;
  const bias = { ...gelu, op: "Add", domain: "", outputs: ["sum"] };
  const read = (approximate: string): unknown => {
    const attributes = new Map([["approximate", approximate]]);
    const own = { ...gelu, op: "Gelu", domain: "", inputs: ["sum"], attributes };
    const nodes = FUSED.graph.nodes.flatMap((node) => node === gelu ? [bias, own] : [node]);
    return readBertGraph({ ...FUSED.graph, nodes }, FUSED.config);
  };
  read("none");
  for (const name of ["TANH", "toString", ""]) {
    throwsCode(() => read(name), "onnx/unsupported", /Gelu/);
  }
});

test("scales and zero points must fit their weights", () => {
  const { graph, config } = QDQ;
  const weight = lowerGraph(graph).nodes.find((node) =>
    node.op === "DequantizeLinear" && graph.initializers.get(node.inputs[0]!)?.dims.length === 2 &&
    (graph.initializers.get(node.inputs[1]!)?.size ?? 0) > 1
  )!;
  const at = graph.nodes.findIndex(({ outputs }) => outputs[0] === weight.outputs[0]);
  const read = (change: Partial<OnnxNode>, tensors: OnnxTensor[] = []): unknown =>
    readBertGraph({
      ...graph,
      nodes: graph.nodes.with(at, { ...graph.nodes[at]!, ...change }),
      initializers: new Map([...graph.initializers, ...tensors.map((t) => [t.name, t] as const)]),
    }, config);
  const [values, scale] = weight.inputs as [string, string];
  throwsCode(
    () => read({ inputs: [values, "odd"] }, [floats("odd", [3], [1, 1, 1])]),
    "onnx/shape",
    /3 scales and no zero points for a weight of shape/,
  );
  throwsCode(() => read({ inputs: [values, "input_ids"] }), "onnx/unsupported", /not a constant/);
  const blocked = new Map([...weight.attributes, ["block_size", 16] as const]);
  throwsCode(() => read({ attributes: blocked }), "onnx/unsupported", /blocks of weights/);
  throwsCode(
    () => read({ attributes: new Map([["axis", 7]]), inputs: [values, scale] }),
    "onnx/shape",
  );
});

const EDITED = [
  FUSED,
  MHA,
  QUANTIZED,
  QDQ,
  ...[
    "bert-qdynamic-14-fused-u8",
    "bert-qstatic-14-qoperator",
    "bert-q4-17-matmulnbits",
    "roberta-torchscript-17-default",
    "albert-dynamo-18-default",
  ].map(load),
];

test("a rewired graph of fused and quantized operators gives weights or a typed error", () => {
  let read = 0;
  const edit = fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(5));
  fc.assert(
    fc.property(
      fc.nat(EDITED.length - 1),
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      (which, edits) => {
        const { graph, config } = EDITED[which]!;
        const nodes = [...graph.nodes];
        const ops = [...new Set(nodes.map(({ op }) => op))];
        for (const [at, a, b, kind] of edits) {
          const index = at % nodes.length, node = nodes[index]!;
          const names = [
            ...graph.initializers.keys(),
            ...nodes.slice(0, index).flatMap(({ outputs }) => outputs),
          ];
          const inputs = [...node.inputs];
          if (kind === 0) inputs[a % Math.max(1, inputs.length)] = names[b % names.length]!;
          if (kind === 1) inputs.pop();
          if (kind === 2) inputs.reverse();
          nodes[index] = {
            ...node,
            inputs,
            outputs: kind === 5 ? node.outputs.slice(0, 1) : node.outputs,
            op: kind === 3 ? ops[a % ops.length]! : node.op,
            domain: kind === 3 && b % 2 === 0 ? "com.microsoft" : node.domain,
            attributes: kind === 4 ? new Map() : node.attributes,
          };
        }
        if (returnsOrTyped(() => readBertGraph({ ...graph, nodes }, config))) read++;
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(read > 0, "some edits leave the encoder as it is");
});

test("flipped bytes of a quantized file give weights or a typed error", () => {
  fc.assert(
    fc.property(
      fc.nat(EDITED.length - 1),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (which, at, mask) => {
        const { bytes, config } = EDITED[which]!;
        const damaged = bytes.slice();
        damaged[at % damaged.length]! ^= mask;
        returnsOrTyped(() => readBertGraph(decodeOnnx(damaged), config));
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
