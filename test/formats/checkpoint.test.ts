import { test } from "uvu";
import * as assert from "uvu/assert";
import { bundleFromCheckpoint, type CheckpointFiles } from "../../src/formats/hf/checkpoint.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors, type SafeTensor } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { floatsOf, local, sameBits, textOf, throwsCode } from "./helpers.ts";

const MODEL = local("model.safetensors");
const CONFIG = JSON.parse(textOf(local("config.json"))) as Record<string, unknown>;
/** As many pieces as the fixture has ids. */
const VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e", "f", "g"].join("\n");
const FILES: CheckpointFiles = { model: MODEL, config: JSON.stringify(CONFIG), vocab: VOCAB };
const EXPORTED = floatsOf(
  bundleFromExport({ ...FILES, model: local("dynamo-18.onnx") }).weights,
);

/** The checkpoint with tensors renamed, left out (undefined) or replaced. */
function changed(
  change: (name: string, tensor: SafeTensor) => [string, SafeTensor] | undefined,
  more: Record<string, SafeTensor> = {},
): Uint8Array {
  const tensors = new Map(Object.entries(more));
  for (const [name, tensor] of readSafetensors(MODEL).tensors) {
    const kept = change(name, tensor);
    if (kept !== undefined) tensors.set(...kept);
  }
  return writeSafetensors(tensors, {});
}

function floats(shape: number[], values: number[]): SafeTensor {
  return { dtype: "F32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

const read = (model: Uint8Array, config: Record<string, unknown> = {}) =>
  bundleFromCheckpoint({ ...FILES, model, config: JSON.stringify({ ...CONFIG, ...config }) });

test("a checkpoint and its export give the same weights, bit for bit", () => {
  const { weights, crf } = bundleFromCheckpoint(FILES);
  sameBits(floatsOf(weights), EXPORTED);
  assert.is(crf, undefined);
  assert.equal(weights.config.labels, ["O", "B-MED", "I-MED"]);
});

test("with no prefix, with a wrapping module's, and with TensorFlow's names of LayerNorm", () => {
  const renamings: ((name: string) => string)[] = [
    (name) => name.replace("bert.", ""),
    (name) => `model.${name}`,
    (name) => `module.encoder.${name.replace("bert.", "")}`,
    (name) => name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta"),
  ];
  for (const rename of renamings) {
    const bytes = changed((name, tensor) => [rename(name), tensor]);
    sameBits(floatsOf(read(bytes).weights), EXPORTED);
  }
});

test("a CRF inside the checkpoint, wherever it is, and one beside it, which wins", () => {
  const parts = (first: number): [string, SafeTensor][] => [
    ["start_transitions", floats([3], [first, 2, 3])],
    ["end_transitions", floats([3], [4, 5, 6])],
    ["transitions", floats([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])],
  ];
  const inside = Object.fromEntries(parts(1).map(([name, tensor]) => [`crf.${name}`, tensor]));
  const model = changed((name, tensor) => [name, tensor], inside);
  const { crf } = read(model);
  assert.equal([...crf!.start, ...crf!.end], [1, 2, 3, 4, 5, 6]);
  assert.equal([...crf!.transitions], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const beside = writeSafetensors(new Map(parts(9)), {});
  const both = bundleFromCheckpoint({ ...FILES, model, crf: beside });
  assert.is(both.crf!.start[0], 9);
  const twice = changed((name, tensor) => [name, tensor], {
    ...inside,
    "other.start_transitions": floats([3], [1, 2, 3]),
  });
  throwsCode(() => read(twice), "checkpoint/tensor", /2 CRFs \(crf\.start.*other\.start/);
});

test("shards, by their names in the index, and nothing that was not handed in", () => {
  const tensors = [...readSafetensors(MODEL).tensors];
  const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const shards = names.map((_, i) =>
    writeSafetensors(new Map(tensors.filter((_, at) => at % 2 === i)), {})
  );
  const weight_map = Object.fromEntries(tensors.map(([name], at) => [name, names[at % 2]!]));
  const model = new Map(names.map((name, i) => [name, shards[i]!]));
  const index = JSON.stringify({ metadata: {}, weight_map });
  sameBits(floatsOf(bundleFromCheckpoint({ ...FILES, model, index }).weights), EXPORTED);

  throwsCode(() => bundleFromCheckpoint({ ...FILES, model }), "input/index");
  throwsCode(
    () => bundleFromCheckpoint({ ...FILES, model, index: "{}" }),
    "checkpoint/index",
    /no weight_map/,
  );
  model.delete(names[1]!);
  throwsCode(
    () => bundleFromCheckpoint({ ...FILES, model, index }),
    "checkpoint/shard",
    /"model-00002-of-00002\.safetensors", which was not handed in/,
  );
  const outside = JSON.stringify({ weight_map: { a: "../../etc/passwd" } });
  throwsCode(() => bundleFromCheckpoint({ ...FILES, model, index: outside }), "checkpoint/shard");
  const wrong = JSON.stringify({ weight_map: { a: names[0] } });
  throwsCode(
    () => bundleFromCheckpoint({ ...FILES, model, index: wrong }),
    "checkpoint/shard",
    /has no tensor "a"/,
  );
});

test("what does not fit together is said with its name and both shapes", () => {
  const without = (part: string): Uint8Array =>
    changed((name, tensor) => name.includes(part) ? undefined : [name, tensor]);
  throwsCode(
    () => read(without("layer.1.output.dense.bias")),
    "checkpoint/tensor",
    /no tensor "bert\.encoder\.layer\.1\.output\.dense\.bias"/,
  );
  throwsCode(() => read(without("word_embeddings")), "checkpoint/tensor", /no tensor "bert\.embed/);
  throwsCode(() => read(without("classifier")), "head/tensor", /There is no classifier/);
  throwsCode(() => read(MODEL, { num_hidden_layers: 3 }), "checkpoint/tensor", /layer\.2/);
  throwsCode(
    () => read(MODEL, { hidden_size: 13 }),
    "model/mismatch",
    /hidden size is 12, but config\.json says 13/,
  );
  throwsCode(
    () => read(MODEL, { hidden_act: "relu" }),
    "config/unsupported",
    /"relu"; supported are gelu/,
  );
  throwsCode(
    () => read(MODEL, { model_type: "luke" }),
    "config/unsupported",
    /model_type is "luke"; a checkpoint can be read for bert, electra/,
  );
  throwsCode(
    () => read(MODEL, { architectures: ["BertForSequenceClassification"] }),
    "config/unsupported",
    /BertForSequenceClassification, which does not label tokens/,
  );
  throwsCode(
    () => read(MODEL, { id2label: { 0: "O", 1: "B-MED" } }),
    "head/tensor",
    /"classifier\.weight" has shape \[3,12\].*expected \[2, 12\]/,
  );
  throwsCode(
    () => read(MODEL, { num_attention_heads: undefined }),
    "config/field",
    /does not say how many attention heads/,
  );
  const word = readSafetensors(MODEL).tensors.get("bert.embeddings.word_embeddings.weight")!;
  throwsCode(
    () => read(changed((...kept) => kept, { "teacher.embeddings.word_embeddings.weight": word })),
    "checkpoint/tensor",
    /2 word embeddings \(.*teacher/,
  );
  const line = { ...word, shape: [132] };
  throwsCode(
    () => read(changed((name, tensor) => [name, name.includes("word_emb") ? line : tensor])),
    "checkpoint/tensor",
    /shape \[132\], expected two dimensions/,
  );
  const square = (more: Record<string, SafeTensor>): Uint8Array =>
    changed((name, tensor) => [name.replace("bert.", "electra."), tensor], {
      "electra.embeddings_project.weight": floats([12, 12], new Array(144).fill(0)),
      ...more,
    });
  throwsCode(
    () => read(square({}), { model_type: "electra" }),
    "checkpoint/tensor",
    /no tensor "electra.embeddings_project.bias"/,
  );
  const bias = floats([12], new Array(12).fill(1));
  const { weights } = read(square({ "electra.embeddings_project.bias": bias }), {
    model_type: "electra",
  });
  assert.is(weights.embeddingProjection!.bias[11], 1);
  assert.is(weights.config.embeddingProjection, true);
  const flat = changed((name, tensor) =>
    name.endsWith("query.weight") ? [name, { ...tensor, shape: [144] }] : [name, tensor]
  );
  throwsCode(() => read(flat), "checkpoint/tensor", /shape \[144\], expected \[12,12\]/);
  const nan = changed((name, tensor) =>
    name === "classifier.bias" ? [name, floats([3], [0, NaN, 0])] : [name, tensor]
  );
  throwsCode(() => read(nan), "model/weights", /classifier\.bias.*element 1 is NaN/);
  const integers = changed((name, tensor) =>
    name === "classifier.bias" ? [name, { ...tensor, dtype: "I32" }] : [name, tensor]
  );
  throwsCode(() => read(integers), "safetensors/tensor", /is I32, expected F32/);
});

test("a head beside an encoder, by its usual names", () => {
  const encoder = changed((name, tensor) =>
    name.startsWith("classifier") ? undefined : [name, tensor]
  );
  const { tensors } = readSafetensors(MODEL);
  const headOf = (prefix: string): Uint8Array =>
    writeSafetensors(
      new Map([
        [`${prefix}weight`, tensors.get("classifier.weight")!],
        [`${prefix}bias`, tensors.get("classifier.bias")!],
      ]),
      {},
    );
  for (const prefix of ["classifier.", "", "head.", "model.token_classifier."]) {
    const files = { ...FILES, model: encoder, head: headOf(prefix) };
    sameBits(floatsOf(bundleFromCheckpoint(files).weights), EXPORTED);
  }
  throwsCode(
    () => bundleFromCheckpoint({ ...FILES, model: encoder, head: headOf("nonsense.") }),
    "head/tensor",
  );
});

test("ALBERT's layers are one object, also once they are quantized; a package has the same numbers", () => {
  const layer = /^bert\.encoder\.layer\.(\d)\./;
  const names: [RegExp, string][] = [
    [/attention\.self\.(query|key|value)/, "attention.$1"],
    [/attention\.output\.dense/, "attention.dense"],
    [/attention\.output\.LayerNorm/, "attention.LayerNorm"],
    [/intermediate\.dense/, "ffn"],
    [/output\.dense/, "ffn_output"],
    [/output\.LayerNorm/, "full_layer_layer_norm"],
  ];
  const into = "albert.encoder.embedding_hidden_mapping_in.";
  const projection = {
    [`${into}weight`]: floats([12, 12], Array.from({ length: 144 }, (_, i) => i)),
    [`${into}bias`]: floats([12], new Array(12).fill(1)),
  };
  const albertOf = (more: Record<string, SafeTensor>): Uint8Array =>
    changed((name, tensor) => {
      const number = layer.exec(name)?.[1];
      if (number === undefined) return [name.replace("bert.", "albert."), tensor];
      if (number === "1") return undefined;
      const rest = name.replace(layer, "");
      const [from, to] = names.find(([from]) => from.test(rest))!;
      return [
        `albert.encoder.albert_layer_groups.0.albert_layers.0.${rest.replace(from, to)}`,
        tensor,
      ];
    }, more);
  const model = albertOf(projection);
  const bundle = read(model, { model_type: "albert", num_hidden_layers: 4, num_hidden_groups: 1 });
  const { layers } = bundle.weights;
  assert.is(new Set(layers).size, 1);
  assert.is(layers.length, 4);
  // ALBERT projects its embeddings even to as many columns, and an export of it without would be no ALBERT.
  assert.is(bundle.weights.embeddingProjection!.weight.data[143], 143);
  const { [`${into}bias`]: _, ...unbiased } = projection;
  throwsCode(
    () => read(albertOf(unbiased), { model_type: "albert" }),
    "checkpoint/tensor",
    /no tensor ".*embedding_hidden_mapping_in.bias"/,
  );
  const back = readPackage(writePackage(bundle)).weights;
  assert.is(new Set(quantizeEncoder(bundle.weights).weights.layers).size, 1);
  sameBits(floatsOf(back), floatsOf(bundle.weights));

  // Two groups over four layers: 0, 0, 1, 1.
  const two = changed((name, tensor) => {
    const number = layer.exec(name)?.[1];
    if (number === undefined) return [name.replace("bert.", "albert."), tensor];
    const rest = name.replace(layer, "");
    const [from, to] = names.find(([from]) => from.test(rest))!;
    const at = `albert.encoder.albert_layer_groups.${number}.albert_layers.0.`;
    return [at + rest.replace(from, to), tensor];
  }, projection);
  const grouped = read(two, {
    model_type: "albert",
    num_hidden_layers: 4,
    num_hidden_groups: 2,
  }).weights.layers;
  const exported = [0, 1].map((i) => EXPORTED[`${i}.qkv.weight`]!);
  assert.equal(
    grouped.map(({ qkv }) => exported.findIndex((data) => data[0] === qkv.weight.data[0])),
    [0, 0, 1, 1],
  );
  throwsCode(
    () => read(model, { model_type: "albert", inner_group_num: 2 }),
    "config/unsupported",
    /inner_group_num is 2/,
  );
});

/** The checkpoint with a head of two layers in the place of its own, under these names. */
function headedBy(names: readonly string[], more: Record<string, SafeTensor> = {}): Uint8Array {
  const ramp = (rows: number, columns: number): SafeTensor =>
    floats([rows, columns], Array.from({ length: rows * columns }, (_, i) => i / 8 - 1));
  return changed((name, tensor) => name.startsWith("classifier") ? undefined : [name, tensor], {
    [`${names[0]}.weight`]: ramp(5, 12),
    [`${names[0]}.bias`]: floats([5], [1, 2, 3, 4, 5]),
    [`${names[1]}.weight`]: ramp(3, 5),
    [`${names[1]}.bias`]: floats([3], [6, 7, 8]),
    ...more,
  });
}

test("a head of two layers, by the names of transformers' classes and of a Sequential", () => {
  const said = { classifier_activation: "gelu_new" };
  for (
    const names of [
      ["classifier.dense", "classifier.out_proj"],
      ["model.classifier.dense", "model.classifier.out_proj"],
      ["classifier.0", "classifier.3"],
      ["head.1", "head.10"],
    ]
  ) {
    const { weights } = read(headedBy(names), said);
    assert.equal(weights.config.head, { size: 5, activation: "gelu_tanh" }, names.join());
    assert.equal([...weights.headDense!.bias], [1, 2, 3, 4, 5]);
    assert.equal([...weights.classifier.bias], [6, 7, 8]);
    assert.is(weights.classifier.weight.columns, 5);
  }
});

test("a head of two layers passes through what its class computes, or what config.json says", () => {
  const known = ["classifier.dense", "classifier.out_proj"], own = ["classifier.0", "classifier.2"];
  const activation = (names: string[], config: Record<string, unknown>) =>
    read(headedBy(names), config).weights.config.head?.activation;
  assert.is(activation(known, { model_type: "electra" }), "gelu");
  assert.is(activation(known, { classifier_activation: "tanh" }), "tanh");
  assert.is(activation(known, { model_type: "electra", classifier_activation: "tanh" }), "tanh");
  for (
    const [names, config] of [
      [known, {}],
      [own, { model_type: "electra" }],
      [own, { classifier_activation: "relu" }],
      [known, { model_type: "electra", classifier_activation: "silu" }],
    ] as const
  ) {
    throwsCode(
      () => activation([...names], config),
      "config/unsupported",
      /two layers, classifier\.(0|dense) and .* classifier_activation must be one of gelu/,
    );
  }
});

test("a head of two layers with a part too many, or of other sizes, is refused", () => {
  const said = { classifier_activation: "tanh" },
    one = (size: number) => floats([size], new Array(size).fill(1));
  const fails = (model: Uint8Array, message: RegExp): void =>
    throwsCode(() => read(model, said), "head/tensor", message);
  const own = ["classifier.0", "classifier.3"];
  // A norm between the two, a third layer, and a map that has lost its partner.
  fails(headedBy(own, { "classifier.1.weight": one(5) }), /alone, or two linear maps/);
  fails(
    headedBy(own, { "classifier.5.weight": floats([3, 3], Array(9).fill(1)) }),
    /or two linear maps/,
  );
  fails(headedBy(["classifier.dense", "classifier.other"]), /classifier\.other/);
  const alone = changed((name, tensor) => [name.replace("classifier", "classifier.1"), tensor]);
  fails(alone, /"classifier\.weight" alone/);
  fails(headedBy(own, { "classifier.0.weight": floats([5, 11], Array(55).fill(1)) }), /\[5,11\]/);
  fails(headedBy(own, { "classifier.3.weight": floats([3, 4], Array(12).fill(1)) }), /\[3, 5\]/);
  fails(headedBy(own, { "classifier.0.bias": one(4) }), /its bias \[4\]/);
  throwsCode(
    () => read(headedBy(own, { "classifier.0.bias": floats([5], [1, 2, NaN, 4, 5]) }), said),
    "model/weights",
    /classifier\.0\.bias.*element 2 is NaN/,
  );
});

test("a head of two layers beside its encoder", () => {
  const tensors = readSafetensors(headedBy(["classifier.dense", "classifier.out_proj"])).tensors;
  const head = writeSafetensors(
    new Map([...tensors].filter(([name]) => name.startsWith("classifier"))),
    {},
  );
  const config = JSON.stringify({ ...CONFIG, classifier_activation: "tanh" });
  const { weights } = bundleFromCheckpoint({ ...FILES, head, config });
  assert.equal(weights.config.head, { size: 5, activation: "tanh" });
  assert.equal([...weights.headDense!.bias], [1, 2, 3, 4, 5]);
});

test("a layer that is neither encoder, head nor CRF is refused; heads of pretraining are left alone", () => {
  const one = (...shape: number[]): SafeTensor =>
    floats(shape, new Array(shape.reduce((all, size) => all * size, 1)).fill(0.5));
  const beside = (names: Record<string, SafeTensor>): Uint8Array =>
    changed((name, tensor) => [name, tensor], names);
  // An LSTM as wide as the encoder, a norm, and a second map do not change the classifier's shape.
  for (
    const [name, tensor] of Object.entries({
      "lstm.weight_ih_l0": one(24, 12),
      "lstm.bias_ih_l0_reverse": one(24),
      "layer_norm.weight": one(12),
      "pre_classifier.weight": one(12, 12),
      "model.projection.weight": {
        ...one(12, 12),
        dtype: "F16",
        data: new Uint8Array(288),
      } as const,
    })
  ) {
    throwsCode(
      () => read(beside({ [name]: tensor })),
      "checkpoint/tensor",
      new RegExp(`"${name}" of shape .* belongs to neither encoder`),
    );
  }
  const harmless = {
    "bert.pooler.dense.weight": one(12, 12),
    "cls.predictions.transform.dense.weight": one(12, 12),
    "lm_head.dense.weight": one(12, 12),
    "discriminator_predictions.dense.weight": one(12, 12),
    "vocab_transform.weight": one(12, 12),
    "loss_fct.weight": one(3),
    "position_ids": { dtype: "I64", shape: [1, 2], data: new Uint8Array(16) } as const,
  };
  sameBits(floatsOf(read(beside(harmless)).weights), EXPORTED);
  const bare = changed((name, tensor) => [name.replace("bert.", ""), tensor], {
    "pooler.dense.weight": one(12, 12),
    "encoder.extra": one(2),
  });
  sameBits(floatsOf(read(bare).weights), EXPORTED);
  // Whoever hands in the head has said what there is over the encoder.
  const { tensors } = readSafetensors(MODEL);
  const head = writeSafetensors(
    new Map([...tensors].filter(([name]) => name.startsWith("classifier"))),
    {},
  );
  const model = beside({ "lstm.weight_ih_l0": one(24, 12) });
  sameBits(floatsOf(bundleFromCheckpoint({ ...FILES, model, head }).weights), EXPORTED);
});

test.run();
