import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type HfConfig, readHfConfig } from "../../src/formats/hf/config.ts";
import { readBertGraph } from "../../src/formats/onnx/bert.ts";
import { decodeOnnx, type OnnxGraph, type OnnxNode } from "../../src/formats/onnx/decode.ts";
import { float16ToNumber } from "../../src/formats/floats.ts";
import { type OnnxTensor, tensorFloats, tensorNumbers } from "../../src/formats/onnx/tensor.ts";
import { readSafetensors, safetensorFloats } from "../../src/formats/safetensors/read.ts";
import {
  floatsOf,
  halfBits,
  local,
  returnsOrTyped,
  sameBits,
  shared,
  textOf,
  throwsCode,
} from "./helpers.ts";

const CONFIG = readHfConfig(textOf(local("config.json")));
/** The configuration without its activation, for exports of the same weights with another one. */
const ANY: HfConfig = { ...CONFIG, hiddenAct: undefined };

const read = (name: string, config: HfConfig = ANY) =>
  readBertGraph(decodeOnnx(local(`${name}.onnx`)), config);

/** What PyTorch saved, by role. */
function saved(): Record<string, Float32Array> {
  const file = readSafetensors(local("model.safetensors"));
  const get = (name: string): Float32Array => safetensorFloats(file.tensors.get(name)!, name);
  const join = (parts: Float32Array[]): Float32Array =>
    Float32Array.from(parts.flatMap((p) => [...p]));
  const all: Record<string, Float32Array> = {
    word: get("bert.embeddings.word_embeddings.weight"),
    position: get("bert.embeddings.position_embeddings.weight"),
    type: get("bert.embeddings.token_type_embeddings.weight"),
    "embeddings.gamma": get("bert.embeddings.LayerNorm.weight"),
    "embeddings.beta": get("bert.embeddings.LayerNorm.bias"),
  };
  for (let i = 0; i < 2; i++) {
    const at = `bert.encoder.layer.${i}`;
    for (const part of ["weight", "bias"]) {
      all[`${i}.qkv.${part}`] = join(
        ["query", "key", "value"].map((name) => get(`${at}.attention.self.${name}.${part}`)),
      );
      all[`${i}.attention.${part}`] = get(`${at}.attention.output.dense.${part}`);
      all[`${i}.up.${part}`] = get(`${at}.intermediate.dense.${part}`);
      all[`${i}.down.${part}`] = get(`${at}.output.dense.${part}`);
      const norm = part === "weight" ? "gamma" : "beta";
      all[`${i}.attention.norm.${norm}`] = get(`${at}.attention.output.LayerNorm.${part}`);
      all[`${i}.down.norm.${norm}`] = get(`${at}.output.LayerNorm.${part}`);
    }
  }
  all["classifier.weight"] = get("classifier.weight");
  all["classifier.bias"] = get("classifier.bias");
  return all;
}

const EXACT = [
  "torchscript-12",
  "torchscript-sdpa",
  "torchscript-unfolded",
  "torchscript-ids-only",
  "torchscript-computed-scale",
  "dynamo-18",
  "dynamo-sdpa",
  "dynamo-attention-op",
  "dynamo-unoptimized",
  "dynamo-no-types",
];
const BY_TANH = ["dynamo-tanh", "dynamo-tanh-unoptimized", "torchscript-tanh-op"];

for (const name of [...EXACT, ...BY_TANH]) {
  test(`${name}: the weights that PyTorch saved, bit for bit`, () => {
    const weights = read(name);
    sameBits(floatsOf(weights), saved());
    assert.equal(weights.config, {
      hiddenSize: 12,
      embeddingSize: 12,
      layers: 2,
      heads: 3,
      feedForwardSize: 20,
      vocabSize: 11,
      maxPositions: 9,
      typeVocabSize: 2,
      activation: BY_TANH.includes(name) ? "gelu_tanh" : "gelu",
      layerNormEpsilon: Math.fround(1e-12),
      labels: ["O", "B-MED", "I-MED"],
    });
  });
}

test("both exports of the shared fixtures give the same weights", () => {
  const [script, dynamo] = ["torchscript", "dynamo"].map((kind) =>
    readBertGraph(
      decodeOnnx(shared(`tiny-${kind}/model.onnx`)),
      readHfConfig(textOf(shared(`tiny-${kind}/config.json`))),
    )
  );
  sameBits(floatsOf(script!), floatsOf(dynamo!));
  assert.equal(script!.config, dynamo!.config);
  const tanh = readBertGraph(
    decodeOnnx(shared("tiny-tanh/model.onnx")),
    readHfConfig(textOf(shared("tiny-tanh/config.json"))),
  );
  assert.is(tanh.config.activation, "gelu_tanh");
});

test("an encoder without token types, whose mask is a Where, is read as well", () => {
  const weights = readBertGraph(
    decodeOnnx(local("distilbert.onnx")),
    readHfConfig(textOf(local("distilbert.json"))),
  );
  assert.is(weights.typeEmbedding, undefined);
  assert.is(weights.config.typeVocabSize, 0);
  assert.is(weights.config.heads, 3);
  assert.is(weights.layers.length, 1);
});

test("what the encoder does not compute is refused by name", () => {
  throwsCode(() => read("torchscript-relu"), "onnx/activation", /relu/);
  throwsCode(() => read("torchscript-silu"), "onnx/activation", /silu/);
});

test("RoBERTa's positions begin behind the padding's id; ELECTRA's embeddings are projected", () => {
  const one = { ...ANY, layers: 1 };
  const own = { ...one, typeVocabSize: undefined, paddingId: 1 };
  const roberta = read("roberta", own);
  // A graph that leaves another id out of its counting counts some text otherwise.
  for (const paddingId of [0, 2]) {
    throwsCode(() => read("roberta", { ...own, paddingId }), "onnx/unsupported", /is indexed by/);
  }
  assert.is(roberta.config.maxPositions, 7);
  assert.is(roberta.positionEmbedding.data.length, 7 * 12);
  const graph = decodeOnnx(local("roberta.onnx"));
  const table = [...graph.initializers.values()].find(({ dims }) => dims.join() === "9,12")!;
  sameBits({ table: roberta.positionEmbedding.data as Float32Array }, {
    table: tensorFloats(table)!.subarray(24),
  });
  const electra = read("electra", one);
  assert.is(electra.config.embeddingSize, 8);
  assert.is(electra.embeddingProjection!.weight.rows, 12);
  throwsCode(
    () => read("electra", { ...one, embeddingSize: 12 }),
    "model/mismatch",
    /embedding size is 8, but config\.json says 12/,
  );
});

test("positions that are an input begin where the architecture's do", () => {
  const place = nodesOf("Gather").find(({ inputs }) =>
    GRAPH.initializers.get(inputs[0]!)?.dims.join() === "9,12"
  )!;
  const graph = {
    ...changed(
      GRAPH,
      (node) =>
        node.index === place.index ? { inputs: [place.inputs[0]!, "position_ids"] } : undefined,
    ),
    inputs: [...GRAPH.inputs, "position_ids"],
  };
  const positions = (config: HfConfig): number => readBertGraph(graph, config).config.maxPositions;
  assert.is(positions(CONFIG), 9);
  assert.is(positions({ ...CONFIG, modelType: "roberta", paddingId: 1 }), 7);
  assert.is(positions({ ...CONFIG, modelType: "camembert", paddingId: 3 }), 5);
});

test("positions that are counted otherwise than from the first token on are refused", () => {
  const graph = decodeOnnx(local("roberta.onnx"));
  const one = { ...ANY, layers: 1, typeVocabSize: undefined, paddingId: 1 };
  const sum = graph.nodes.find(({ op }) => op === "CumSum")!;
  const counted = (name: string): OnnxGraph =>
    changed(
      graph,
      (node) => node.index === sum.index ? { attributes: new Map([[name, 1]]) } : undefined,
    );
  throwsCode(() => readBertGraph(counted("reverse"), one), "onnx/unsupported", /sums from the end/);
  // Without the token itself they begin one row earlier, and are as consecutive.
  const rows = (each: OnnxGraph): number => readBertGraph(each, one).config.maxPositions;
  assert.is(rows(counted("exclusive")), rows(graph) + 1);
  const batch = changed(
    graph,
    (node) => node.index === sum.index ? { inputs: [sum.inputs[0]!, "batch"] } : undefined,
    { batch: floatTensor("batch", [], Float32Array.of(0)) },
  );
  throwsCode(() => readBertGraph(batch, one), "onnx/unsupported", /does not sum along a text/);
});

test("an encoder without its head is read with one that is handed in", () => {
  const hidden = GRAPH.nodes.filter(({ op }) => op === "LayerNormalization").at(-1)!.outputs[0]!;
  const encoder = { ...GRAPH, outputs: [hidden] };
  const weights = readBertGraph(GRAPH, CONFIG);
  sameBits(floatsOf(readBertGraph(encoder, CONFIG, weights)), saved());
  const pooled = { ...GRAPH, outputs: ["pooler_output", hidden] };
  // Of two outputs it is the one with a row of the head's width for each token.
  sameBits(floatsOf(readBertGraph(pooled, CONFIG, weights)), saved());
  throwsCode(
    () => readBertGraph(encoder, CONFIG),
    "onnx/unsupported",
    /an encoder without a head\. Hand in its head/,
  );
  const narrow = { ...weights.classifier, weight: weights.layers[0]!.down.weight };
  throwsCode(
    () =>
      readBertGraph(encoder, { ...CONFIG, labels: Array(12).fill("O") }, { classifier: narrow }),
    "model/mismatch",
    /head reads 20 columns, but the encoder's hidden size is 12/,
  );
});

test("graph and config.json must agree, and the error names both values", () => {
  const fails = (change: Partial<HfConfig>, message: RegExp): void =>
    throwsCode(() => read("dynamo-18", { ...CONFIG, ...change }), "model/mismatch", message);
  fails({ hiddenSize: 24 }, /hidden size is 12, but config\.json says 24/);
  fails({ layers: 3 }, /layers is 2, but config\.json says 3/);
  fails({ heads: 4 }, /3 heads.*config\.json says 4 heads/);
  fails({ feedForwardSize: 48 }, /feed-forward size is 20, but config\.json says 48/);
  fails({ vocabSize: 12 }, /vocabulary size is 11, but config\.json says 12/);
  fails({ maxPositions: 512 }, /positions is 9, but config\.json says 512/);
  fails({ typeVocabSize: 1 }, /token types is 2, but config\.json says 1/);
  fails({ labels: ["O", "B-MED"] }, /labels is 3, but config\.json says 2/);
  fails({ hiddenAct: "gelu_new" }, /activation is gelu, but config\.json says gelu_tanh/);
  fails({ hiddenAct: "constructor" }, /config\.json says constructor/);
  fails({ layerNormEpsilon: 1e-5 }, /epsilon/);
});

test("a config.json that says nothing but the labels is enough", () => {
  const config = readHfConfig({ id2label: { 0: "O", 1: "B-MED", 2: "I-MED" } });
  for (const name of EXACT) sameBits(floatsOf(read(name, config)), saved());
});

/** A graph with some nodes and initializers replaced. */
function changed(
  graph: OnnxGraph,
  change: (node: OnnxNode) => Partial<OnnxNode> | undefined,
  tensors: Readonly<Record<string, OnnxTensor>> = {},
): OnnxGraph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, ...change(node) })),
    initializers: new Map([...graph.initializers, ...Object.entries(tensors)]),
  };
}

function floatTensor(name: string, dims: number[], values: Float32Array): OnnxTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, type: "float32", dims, size: values.length, bytes };
}

const GRAPH = decodeOnnx(local("dynamo-18.onnx"));
const nodesOf = (op: string): OnnxNode[] => GRAPH.nodes.filter((node) => node.op === op);

function integers(name: string, ...values: number[]): OnnxTensor {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, type: "int64", dims: [values.length], size: values.length, bytes };
}

test("Gemm with transB, alpha and beta gives the weights that it multiplies with", () => {
  const product = nodesOf("MatMul").at(-1)!;
  const add = GRAPH.nodes.find(({ inputs }) => inputs.includes(product.outputs[0]!))!;
  const bias = add.inputs.find((input) => input !== product.outputs[0])!;
  const weight = GRAPH.initializers.get(product.inputs[1]!)!;
  const original = tensorFloats(weight)!;
  // [12, 3] to [3, 12], halved, since alpha doubles it; the bias is doubled, since beta halves it.
  const flipped = new Float32Array(36);
  for (let r = 0; r < 12; r++) {
    for (let c = 0; c < 3; c++) flipped[c * 12 + r] = original[r * 3 + c]! / 2;
  }
  const twice = tensorFloats(GRAPH.initializers.get(bias)!)!.map((x) => x * 2);
  const graph = changed(
    GRAPH,
    (node) =>
      node.index === product.index
        ? { op: "Reshape", inputs: [product.inputs[0]!, "rows"] }
        : node.index === add.index
        ? {
          op: "Gemm",
          inputs: [product.outputs[0]!, "flipped", "twice"],
          outputs: ["flat"],
          attributes: new Map([["transB", 1], ["alpha", 2], ["beta", 0.5]]),
        }
        : undefined,
    {
      rows: integers("rows", -1, 12),
      three: integers("three", 3),
      flipped: floatTensor("flipped", [3, 12], flipped),
      twice: floatTensor("twice", [3], twice),
    },
  );
  const node = (op: string, inputs: string[], output: string): OnnxNode => ({
    ...add,
    op,
    inputs,
    outputs: [output],
    attributes: new Map(op === "Concat" ? [["axis", 0]] : []),
  });
  const nodes = [
    ...graph.nodes,
    node("Shape", ["input_ids"], "sizes"),
    node("Concat", ["sizes", "three"], "back"),
    node("Reshape", ["flat", "back"], add.outputs[0]!),
  ];
  sameBits(floatsOf(readBertGraph({ ...graph, nodes }, CONFIG)), saved());
});

test("an explicit Transpose and a Cast in front of a weight change nothing", () => {
  const product = nodesOf("MatMul").at(-1)!;
  const original = tensorFloats(GRAPH.initializers.get(product.inputs[1]!)!)!;
  const flipped = new Float32Array(36);
  for (let r = 0; r < 12; r++) {
    for (let c = 0; c < 3; c++) flipped[c * 12 + r] = original[r * 3 + c]!;
  }
  const extra = (
    op: string,
    input: string,
    output: string,
    ...attribute: [string, number | number[]]
  ): OnnxNode => ({
    index: -1,
    name: "",
    op,
    domain: "",
    inputs: [input],
    outputs: [output],
    attributes: new Map([attribute]),
  });
  const graph = changed(
    GRAPH,
    (node) => node === product ? { inputs: [product.inputs[0]!, "cast"] } : undefined,
    { flipped: floatTensor("flipped", [3, 12], flipped) },
  );
  const nodes = [
    extra("Transpose", "flipped", "turned", "perm", [1, 0]),
    extra("Cast", "turned", "cast", "to", 1),
  ];
  const config = CONFIG;
  sameBits(
    floatsOf(readBertGraph({ ...graph, nodes: [...nodes, ...graph.nodes] }, config)),
    saved(),
  );
});

test("attention scores must be scaled by 1 / sqrt(head size), wherever the scale is", () => {
  const products = new Set(nodesOf("MatMul").map(({ outputs }) => outputs[0]!));
  const scaled = (op: string, value: number): OnnxGraph =>
    changed(GRAPH, (node) => {
      const scores = node.op === "Mul"
        ? node.inputs.find((input) => products.has(input))
        : undefined;
      return scores === undefined ? undefined : { op, inputs: [scores, "scale"] };
    }, { scale: floatTensor("scale", [], Float32Array.of(value)) });
  throwsCode(
    () => readBertGraph(scaled("Mul", 1), CONFIG),
    "model/scale",
    /scaled by 1; expected 1 \/ sqrt\(head size\) = 0\.5 for 3 heads/,
  );
  throwsCode(() => readBertGraph(scaled("Mul", NaN), CONFIG), "onnx/unsupported");
  throwsCode(
    () => readBertGraph(scaled("Div", -2), CONFIG),
    "model/scale",
    /scaled by -0\.5; expected/,
  );
  sameBits(floatsOf(readBertGraph(scaled("Mul", 0.5), CONFIG)), saved());
  sameBits(floatsOf(readBertGraph(scaled("Div", 2), CONFIG)), saved());
});

test("another head count in the graph than in config.json is refused before the scale is", () => {
  throwsCode(
    () => read("torchscript-sdpa", { ...CONFIG, heads: 6 }),
    "model/mismatch",
    /3 heads.*6/,
  );
});

test("query, key and value must be split into heads and permuted as attention's are", () => {
  let seen = 0;
  for (const transpose of nodesOf("Transpose")) {
    const perm = transpose.attributes.get("perm") as readonly number[];
    const turned = changed(
      GRAPH,
      (node) =>
        node === transpose
          ? {
            attributes: new Map([[
              "perm",
              perm.join() === "0,2,1,3" ? [0, 2, 3, 1] : [0, 2, 1, 3],
            ]]),
          }
          : undefined,
    );
    throwsCode(() => readBertGraph(turned, CONFIG), "onnx/unsupported");
    seen++;
  }
  assert.is(seen, 8);
});

test("each part must read its own layer", () => {
  const norms = nodesOf("LayerNormalization").map(({ outputs }) => outputs[0]!);
  const readers = nodesOf("MatMul").filter(({ inputs }) => norms.indexOf(inputs[0]!) >= 2);
  // Query, key, value and the first half of the feed-forward network of the second layer.
  assert.is(readers.length, 4);
  for (const reader of readers) {
    const other = norms[norms.indexOf(reader.inputs[0]!) - 1]!;
    const crossed = changed(
      GRAPH,
      (node) => node === reader ? { inputs: [other, reader.inputs[1]!] } : undefined,
    );
    throwsCode(() => readBertGraph(crossed, CONFIG), "onnx/unsupported", /does not read/);
  }
});

test("a model in half precision, its constants rounded too, is widened exactly", () => {
  for (const name of ["dynamo-18", "dynamo-sdpa", "dynamo-tanh"]) {
    const graph = decodeOnnx(local(`${name}.onnx`));
    const halves = [...graph.initializers.values()].filter(({ type }) => type === "float32").map(
      (tensor): OnnxTensor => {
        const bits = Uint16Array.from(tensorFloats(tensor)!, halfBits);
        return { ...tensor, type: "float16", bytes: new Uint8Array(bits.buffer) };
      },
    );
    const half = changed(
      graph,
      () => undefined,
      Object.fromEntries(halves.map((tensor) => [tensor.name, tensor])),
    );
    const weights = readBertGraph(half, ANY);
    const expected = Object.entries(saved()).map(([key, values]) =>
      [key, values.map((value) => float16ToNumber(halfBits(value)))] as const
    );
    sameBits(floatsOf(weights), Object.fromEntries(expected));
    assert.is(weights.config.activation, name === "dynamo-tanh" ? "gelu_tanh" : "gelu");
  }
});

test("rows of the position table in front of the first token's are cut off", () => {
  const ids = [...GRAPH.initializers.values()].find(({ dims }) => dims.join() === "1,9")!;
  assert.equal(tensorNumbers(ids), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const bytes = new Uint8Array(72);
  for (let i = 0; i < 9; i++) bytes[i * 8] = i + 2;
  const shifted = changed(GRAPH, () => undefined, { [ids.name]: { ...ids, bytes } });
  const cut = readBertGraph(shifted, CONFIG);
  assert.is(cut.config.maxPositions, 7);
  sameBits({ p: floatsOf(cut)["position"]! }, { p: saved()["position"]!.subarray(24) });
  const odd = bytes.slice();
  odd[8] = 77;
  const mixed = changed(GRAPH, () => undefined, { [ids.name]: { ...ids, bytes: odd } });
  throwsCode(() => readBertGraph(mixed, CONFIG), "onnx/unsupported", /takes element 77 of 9/);

  const slice = nodesOf("Slice")[0]!;
  const start = (value: number): OnnxGraph =>
    changed(
      GRAPH,
      (node) => node === slice ? { inputs: node.inputs.with(1, "start") } : undefined,
      {
        start: floatTensor("start", [1], Float32Array.of(value)),
      },
    );
  // It ends at the length, so that there are too few.
  throwsCode(() => readBertGraph(start(3), CONFIG), "onnx/unsupported", /combines shapes/);
  for (let i = 0; i < 9; i++) bytes[i * 8] = i + 9;
  const beyond = changed(GRAPH, () => undefined, { [ids.name]: { ...ids, bytes } });
  throwsCode(() => readBertGraph(beyond, CONFIG), "onnx/unsupported", /takes element 9 of 9/);
  throwsCode(() => readBertGraph(start(-3), CONFIG), "onnx/unsupported", /Slice node/);
  sameBits(floatsOf(readBertGraph(start(0), CONFIG)), saved());
});

test("what differs from layer to layer is refused", () => {
  const last = nodesOf("LayerNormalization").at(-1)!;
  const graph = changed(
    GRAPH,
    (node) =>
      node.index === last.index
        ? { attributes: new Map([...node.attributes, ["epsilon", 1e-5]]) }
        : undefined,
  );
  throwsCode(() => readBertGraph(graph, CONFIG), "onnx/unsupported", /epsilon differs/);
});

test("masks that are causal or learned are refused", () => {
  const [compare] = nodesOf("GreaterOrEqual");
  // Only positions from 1 on, which the bounds of positions do not decide.
  const causal = changed(
    GRAPH,
    (node) => node === compare ? { inputs: [node.inputs[0]!, "one"] } : undefined,
    { one: { ...integers("one", 1), dims: [] } },
  );
  throwsCode(() => readBertGraph(causal, CONFIG), "onnx/unsupported", /Causal/);
  const [where] = nodesOf("Where");
  const learned = changed(
    GRAPH,
    (node) => node === where ? { inputs: [node.inputs[0]!, "table", node.inputs[2]!] } : undefined,
    { table: floatTensor("table", [3, 1, 1], Float32Array.of(0, 1, 2)) },
  );
  throwsCode(
    () => readBertGraph(learned, CONFIG),
    "onnx/unsupported",
    /padding mask and nothing else/,
  );
});

test("emissions that are scaled by a constant, and token types that are all 1, are followed", () => {
  const last = GRAPH.nodes.at(-1)!, [output] = last.outputs;
  const scaled = changed(
    GRAPH,
    (node) => node === last ? { outputs: ["unscaled"] } : undefined,
    { half: floatTensor("half", [], Float32Array.of(0.5)) },
  );
  const times: OnnxNode = { ...last, op: "Mul", inputs: ["unscaled", "half"], outputs: [output!] };
  const { classifier } = readBertGraph({ ...scaled, nodes: [...scaled.nodes, times] }, CONFIG);
  const want = readBertGraph(GRAPH, CONFIG).classifier;
  assert.equal(classifier.weight.data, want.weight.data.map((x) => x / 2));
  assert.equal(classifier.bias, want.bias.map((x) => x / 2));

  const types = nodesOf("Gather").find(({ inputs }) => inputs[1] === "token_type_ids")!;
  const ones: OnnxNode = {
    ...types,
    op: "Expand",
    inputs: ["one", "sizes"],
    outputs: ["ones"],
    attributes: new Map(),
  };
  const sizes: OnnxNode = {
    ...ones,
    op: "Shape",
    inputs: ["input_ids"],
    outputs: ["sizes"],
  };
  const fixed = changed(
    GRAPH,
    (node) => node === types ? { inputs: [types.inputs[0]!, "ones"] } : undefined,
    { one: { ...integers("one", 1), dims: [] } },
  );
  const read = readBertGraph({ ...fixed, nodes: [sizes, ones, ...fixed.nodes] }, CONFIG);
  assert.equal(read.typeEmbedding!.data, saved()["type"]!.subarray(12));
});

test("several outputs: the classifier is taken by its usual names, or the choice is refused", () => {
  const hidden = nodesOf("LayerNormalization").at(-1)!.outputs[0]!;
  const both = { ...GRAPH, outputs: [hidden, "emissions"] };
  sameBits(floatsOf(readBertGraph(both, CONFIG)), saved());
  throwsCode(
    () => readBertGraph({ ...GRAPH, outputs: [hidden, hidden] }, CONFIG),
    "onnx/unsupported",
    /outputs/,
  );
  throwsCode(
    () => readBertGraph({ ...GRAPH, outputs: [hidden] }, CONFIG),
    "onnx/unsupported",
    /linear classifier/,
  );
});

test("several outputs without a usual name: the one with a column for each label", () => {
  const hidden = nodesOf("LayerNormalization").at(-1)!.outputs[0]!, out = GRAPH.outputs[0]!;
  const last = GRAPH.nodes.find(({ outputs }) => outputs.includes(out))!;
  const unnamed = changed(GRAPH, (node) => node === last ? { outputs: ["scores"] } : undefined);
  for (const outputs of [[hidden, "scores"], ["scores", hidden]]) {
    sameBits(floatsOf(readBertGraph({ ...unnamed, outputs }, CONFIG)), saved());
  }
  throwsCode(
    () => readBertGraph({ ...unnamed, outputs: ["scores", hidden, "scores"] }, CONFIG),
    "onnx/unsupported",
    /has 3 outputs .*, 2 of them with 3 columns/,
  );
});

test("sizes are checked before anything is allocated from them", () => {
  // A word embedding of no rows and 4e9 columns takes no bytes.
  const gather = nodesOf("Gather").find(({ inputs }) => inputs[1] === "input_ids")!;
  const table = GRAPH.initializers.get(gather.inputs[0]!)!;
  const empty = { ...table, dims: [0, 4e9], size: 0, bytes: new Uint8Array(0) };
  const graph = changed(GRAPH, () => undefined, { [table.name]: empty });
  throwsCode(
    () => readBertGraph(graph, readHfConfig({ id2label: { 0: "O", 1: "B", 2: "I" } })),
    "onnx/unsupported",
    /combines shapes \[2,3,4000000000\] \[2,3,12\]/,
  );
});

test("a rewired graph gives weights or a typed error", () => {
  const graphs = ["dynamo-18", "torchscript-12", "dynamo-sdpa", "distilbert"].map((name) =>
    decodeOnnx(local(`${name}.onnx`))
  );
  const ops = [
    "Add",
    "Mul",
    "Div",
    "MatMul",
    "Gemm",
    "Identity",
    "Transpose",
    "Reshape",
    "Gather",
    "Where",
    "Softmax",
    "LayerNormalization",
    "Constant",
    "constructor",
    "Attention",
    "Concat",
    "Slice",
  ];
  let read = 0;
  fc.assert(
    fc.property(
      fc.nat(graphs.length - 1),
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(4)), { minLength: 1, maxLength: 3 }),
      (which, edits) => {
        const graph = graphs[which]!;
        const names = [...graph.initializers.keys(), ...graph.inputs];
        const earlier = (index: number): string[] => [
          ...names,
          ...graph.nodes.slice(0, index).flatMap(({ outputs }) => outputs),
        ];
        const nodes = graph.nodes.slice();
        for (const [at, a, b, kind] of edits) {
          const index = at % nodes.length;
          const node = nodes[index]!;
          const inputs = node.inputs.slice();
          const choice = earlier(index);
          if (kind === 0) inputs[a % Math.max(1, inputs.length)] = choice[b % choice.length]!;
          if (kind === 1) inputs.pop();
          if (kind === 2) inputs.reverse();
          nodes[index] = {
            ...node,
            inputs,
            op: kind === 3 ? ops[a % ops.length]! : node.op,
            attributes: kind === 4 ? new Map() : node.attributes,
          };
        }
        if (returnsOrTyped(() => readBertGraph({ ...graph, nodes }, ANY))) read++;
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(read > 0, "some edits leave the encoder as it is");
});

test("flipped bytes of a file give weights or a typed error", () => {
  const file = local("dynamo-18.onnx");
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const damaged = file.slice();
      damaged[at]! ^= mask;
      returnsOrTyped(() => readBertGraph(decodeOnnx(damaged), CONFIG));
    }),
    { numRuns: 400 },
  );
});

test.run();
