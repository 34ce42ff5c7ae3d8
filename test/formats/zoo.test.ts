/**
 * Every folder of the zoo: read, run, compared with ONNX Runtime or PyTorch, or refused by name; and the table
 * in README.md that says so. Tolerances: test/formats/zoo.ts.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseKernels } from "../../src/kernels/module.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { encode } from "../../src/backend/encoder.ts";
import type { EncoderWeights, Matrix } from "../../src/model/weights.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { dequantizeMatrix } from "../../src/quantize/matrix.ts";
import { relativeL2, shipped } from "../support.ts";
import { hasPlace, supportTable, withTable } from "./support_table.ts";
import { throwsCode } from "./helpers.ts";
import { limitOf, type Outcome, readZoo, runZoo, zooFolders } from "./zoo.ts";

const chosen = await chooseKernels([await shipped("baseline")]);
const outcomes: Outcome[] = [];

/** What a refusal must name, by what the folder's model is. */
const REFUSALS: readonly (readonly [RegExp, RegExp])[] = [
  [/head-relu/, /^The head's activation .* is relu .*supported are gelu/],
  [/head-three-onnx/, /a further layer of the head over each token/],
  [
    /head-three-safe/,
    /"classifier" has the tensors classifier\.0.*expected "classifier\.weight" alone, or two linear maps/,
  ],
  [/head-unsaid/, /classifier_activation must be one of gelu/],
  [/relu/, /relu.*supported are gelu/i],
  [/relative-key/, /position_embedding_type is "relative_key"/],
  [/deberta/, /disentangled attention/],
  [/gpt2/, /causal attention/],
  [/mpnet/, /relative position bias/],
  [/layoutlm/, /bbox|layout|boxes/i],
  [/modernbert/, /rotary positions, gated feed-forward/],
  [/sequence-classification-onnx/, /Tanh.*one vector of a whole text/],
  [/sequence-classification-safetensors/, /BertForSequenceClassification, which does not label/],
];

for (const name of zooFolders()) {
  test(name, async () => {
    const outcome = await runZoo(name, chosen);
    outcomes.push(outcome);
    const { refusal, distance, weights } = outcome;
    if (outcome.kind === "refused") {
      assert.ok(refusal, "read, but it is to be refused");
      const [, message] = REFUSALS.find(([folder]) => folder.test(name))!;
      assert.match(refusal![1], message);
      return;
    }
    assert.is(refusal, undefined, refusal?.join(": "));
    assert.equal(weights!.config.labels, outcome.expected.labels);
    assert.ok(distance <= limitOf(outcome), `relative L2 ${distance}`);
  });
}

/** What the graphs alone show, by what the folder's model is. */
const BY_GRAPH: readonly (readonly [RegExp, RegExp])[] = [
  [/relative-key|mpnet/, /biased by .*relative positions are not supported/],
  [/deberta/, /biased by .*computed from weights or activations/],
  [/gpt2/, /normalise in front of each block/],
  [/modernbert/, /Expected a linear map plus a residual/],
];

test("graphs of other architectures are refused by what they compute, whatever config.json says", () => {
  const others = zooFolders().filter((name) => /^refused-.*-onnx$/.test(name));
  const seen = others.filter((name) => BY_GRAPH.some(([folder]) => folder.test(name)));
  assert.is(seen.length, 5);
  const silent = {
    model_type: undefined,
    position_embedding_type: undefined,
    id2label: { 0: "O", 1: "B-MED", 2: "I-MED" },
  };
  for (const name of seen) {
    const [, message] = BY_GRAPH.find(([folder]) => folder.test(name))!;
    throwsCode(() => readZoo(name, silent), "onnx/unsupported", message);
  }
});

test("the zoo is all there", () => {
  assert.ok(outcomes.length >= 120, `${outcomes.length} folders`);
});

/** Matrices that quantizers see, in one order. */
function matricesOf(weights: EncoderWeights): Matrix[] {
  const { wordEmbedding, positionEmbedding, layers } = weights;
  const inner = layers.flatMap(({ qkv, attentionOutput, up, down }) =>
    [qkv, attentionOutput, up, down].map(({ weight }) => weight)
  );
  return [wordEmbedding, positionEmbedding, ...inner];
}

function floatsOf(matrix: Matrix): Float32Array {
  return (matrix.type === "i8" ? dequantizeMatrix(matrix) : matrix).data as Float32Array;
}

/** The sizes that tell the zoo's models apart; their weights are random with one seed each. */
function shapeOf({ weights, expected }: Outcome): string {
  const { hiddenSize, feedForwardSize, layers, vocabSize } = weights!.config;
  return [expected.architecture, hiddenSize, feedForwardSize, layers, vocabSize].join();
}

test("quantized weights are the float model's, to half a step", () => {
  const parents = new Map<string, Outcome>();
  for (const outcome of outcomes) {
    if (outcome.kind !== "float" || outcome.expected.then || !outcome.weights) continue;
    parents.set(shapeOf(outcome), outcome);
  }
  const quantized = outcomes.filter(({ kind, weights }) => kind === "quantized" && weights);
  assert.ok(quantized.length >= 15);
  for (const outcome of quantized) {
    const parent = parents.get(shapeOf(outcome));
    assert.ok(parent, `${outcome.name} has no float parent`);
    const want = matricesOf(parent!.weights!), got = matricesOf(outcome.weights!);
    let different = 0;
    want.forEach((matrix, i) => {
      // 8 bits over six to eight deviations: steps of 0.03 of one, whose rounding is 0.29 steps: 0.009.
      const distance = relativeL2(floatsOf(got[i]), floatsOf(matrix));
      const limit = /reduced/.test(outcome.name) ? 0.02 : 0.012;
      assert.ok(distance < limit, `${outcome.name}, matrix ${i}: ${distance}`);
      different += distance > 0 ? 1 : 0;
    });
    // Embeddings may have been left as they were, and of ALBERT's shared layers all but one are.
    assert.ok(different >= 4, `${outcome.name}: ${different} of ${want.length}`);
  }
});

test("signed weights stay int8, as they are, and the int8 kernels run them", async () => {
  const kept = outcomes.filter(({ name }) => /qdynamic-\d+-(s8|fused-s8|matmul-only)/.test(name));
  assert.ok(kept.length >= 4);
  for (const { name, weights, expected } of kept) {
    const [, , ...inner] = matricesOf(weights!);
    assert.ok(inner.every(({ type }) => type === "i8"), name);
    const quantized = quantizeEncoder(weights!).weights;
    assert.is(quantized.layers[0].up.weight.data, weights!.layers[0].up.weight.data);
    const backend = await WasmBackend.create(chosen, quantized, {
      precision: "int8",
      maxTokens: 64,
    });
    for (const { ids, emissions } of expected.sequences) {
      const offsets = Int32Array.of(0, ids.length);
      const got = await encode(backend, { ids: Int32Array.from(ids), offsets });
      // Both quantize activations, this library per token: 0.02 at worst.
      const distance = relativeL2(got, Float32Array.from(emissions.flat()));
      assert.ok(distance < 0.04, `${name}: ${distance}`);
    }
    backend.close();
  }
});

test("ALBERT's layers are one, and RoBERTa's positions begin at the first token", () => {
  const of = (pattern: RegExp): Outcome[] =>
    outcomes.filter(({ name, weights }) => pattern.test(name) && weights !== undefined);
  for (const { weights, name } of of(/^albert-(?!q|oq)/)) {
    assert.is(new Set(weights!.layers).size, 1, name);
    assert.ok(weights!.embeddingProjection, name);
  }
  for (const { weights, name } of of(/^(roberta|xlmr|camembert)-/)) {
    // 42 rows, of which two lie in front of the first token's; less where an export has one length only.
    assert.ok(weights!.config.maxPositions <= 40, name);
    assert.is(weights!.positionEmbedding.rows, weights!.config.maxPositions);
  }
});

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

// Without markers there is no table to be out of date.
if (hasPlace(readme)) {
  test("the table in README.md is what these results give; deno task support --write renews it", () =>
    assert.is(withTable(readme, supportTable(outcomes)), readme));
}

test.run();
