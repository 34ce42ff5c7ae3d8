import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bundleFromExport, type ExportFiles } from "../../src/formats/read_export.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors, type SafeTensor } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import type { EncoderWeights, I8Matrix } from "../../src/model/weights.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { randomWeights } from "../support.ts";
import {
  floatsOf,
  returnsOrTyped,
  sameBits,
  shared,
  textOf,
  throwsCode,
  unchecked,
} from "./helpers.ts";

function filesOf(folder: string): ExportFiles {
  return {
    model: shared(`${folder}/model.onnx`),
    config: shared(`${folder}/config.json`),
    tokenizer: shared(`${folder}/tokenizer.json`),
    crf: shared(`${folder}/crf.safetensors`),
  };
}

const BUNDLE = bundleFromExport(filesOf("tiny-torchscript"));
const QUANTIZED: ModelBundle = { ...BUNDLE, weights: quantizeEncoder(BUNDLE.weights).weights };
const PACKAGE = writePackage(QUANTIZED);

/** Its tokenizer's file. */
const json = BUNDLE.tokenizer.toJSON() as {
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
};
/** Tensors of its pieces. */
const PIECES = ["tokenizer.units", "tokenizer.lengths"];

/** The package with its metadata and tensors changed. */
function changed(
  metadata: Readonly<Record<string, string | undefined>>,
  edit?: (tensors: Map<string, SafeTensor>) => void,
): Uint8Array {
  const file = readSafetensors(PACKAGE);
  const tensors = new Map(file.tensors);
  edit?.(tensors);
  const entries = Object.entries({ ...unchecked(file.metadata), ...metadata });
  const kept = entries.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return writeSafetensors(tensors, Object.fromEntries(kept));
}

test("an export folder becomes a model", () => {
  assert.is(BUNDLE.weights.config.hiddenSize, 36);
  assert.is(BUNDLE.weights.config.labels[1], "B-MED");
  assert.is(BUNDLE.crf!.start.length, 7);
  assert.is(BUNDLE.tokenizer.vocabSize, 300);
});

test("text files may be given as text, and vocab.txt in place of tokenizer.json", () => {
  const files = filesOf("tiny-torchscript");
  const bundle = bundleFromExport({
    model: files.model,
    config: textOf(files.config as Uint8Array),
    vocab: textOf(shared("tiny-torchscript/vocab.txt")),
    tokenizerConfig: shared("tiny-torchscript/tokenizer_config.json"),
  });
  assert.is(bundle.crf, undefined);
  sameBits(floatsOf(bundle.weights), floatsOf(BUNDLE.weights));
  const text = "প্যারাসিটামল জ্বর ও ব্যথা কমায়।";
  assert.equal(bundle.tokenizer.encode(text), BUNDLE.tokenizer.encode(text));
});

test("an export whose files do not belong together is refused", () => {
  const files = filesOf("tiny-torchscript");
  const { tokenizer: _, ...without } = files;
  throwsCode(() => bundleFromExport(without), "input/tokenizer");
  throwsCode(
    () => bundleFromExport({ ...files, config: filesOf("tiny-tanh").config }),
    "model/mismatch",
  );
  throwsCode(
    () => bundleFromExport({ ...files, crf: filesOf("tiny-tanh").crf! }),
    "crf/tensor",
    /for 7 labels/,
  );
  throwsCode(() => bundleFromExport({ ...files, config: Uint8Array.of(255) }), "input/utf8");
  throwsCode(() => bundleFromExport({ ...files, config: "{" }), "config/json");
  throwsCode(() => bundleFromExport({ ...files, tokenizer: "[]" }), "tokenizer/json");
  const large = JSON.parse(textOf(files.tokenizer as Uint8Array));
  large.model.vocab["##zzzz"] = 300;
  throwsCode(
    () => bundleFromExport({ ...files, tokenizer: JSON.stringify(large) }),
    "model/vocab",
    /ids up to 300.*300 rows/,
  );
});

test("external weights are handed in by name", () => {
  // The fixtures keep their weights inside; a map that is not needed changes nothing.
  const files = { ...filesOf("tiny-torchscript"), external: new Map([["x", new Uint8Array(1)]]) };
  sameBits(floatsOf(bundleFromExport(files).weights), floatsOf(BUNDLE.weights));
});

test("a float32 package gives back every bit", () => {
  const bytes = writePackage(BUNDLE);
  const back = readPackage(bytes);
  sameBits(floatsOf(back.weights), floatsOf(BUNDLE.weights));
  assert.equal(back.weights.config, BUNDLE.weights.config);
  assert.equal(back.crf, BUNDLE.crf);
  assert.equal(back.tokenizer.toJSON(), BUNDLE.tokenizer.toJSON());
  assert.equal(writePackage(back), bytes);
});

test("an int8 package gives back every bit, in a quarter of the bytes, as views", () => {
  const back = readPackage(PACKAGE);
  assert.equal(back.weights, QUANTIZED.weights);
  const word = back.weights.wordEmbedding as I8Matrix;
  assert.is(word.type, "i8");
  assert.is(word.data.buffer, PACKAGE.buffer);
  assert.is(word.scales.buffer, PACKAGE.buffer);
  assert.equal(writePackage(back), PACKAGE);
  const tensors = (bytes: Uint8Array): number =>
    [...readSafetensors(bytes).tensors].filter(([name]) => !PIECES.includes(name))
      .reduce((sum, [, { data }]) => sum + data.length, 0);
  assert.ok(tensors(PACKAGE) < tensors(writePackage(BUNDLE)) * 0.31);
});

test("the tokenizer's pieces are tensors; packages of before, which have them in the JSON, are read", () => {
  const file = readSafetensors(PACKAGE), { vocab, ...model } = json.model;
  assert.equal(JSON.parse(file.metadata.get("tokenizer")!).model, model);
  assert.is(file.tensors.get("tokenizer.lengths")!.shape[0], Object.keys(vocab).length);
  const before = changed({ tokenizer: JSON.stringify(json) }, (tensors) => {
    for (const name of PIECES) tensors.delete(name);
  });
  for (const bytes of [PACKAGE, before]) {
    const { tokenizer } = readPackage(bytes), text = "প্যারাসিটামল জ্বর ও ব্যথা কমায়।";
    assert.equal(tokenizer.toJSON(), json);
    assert.equal(tokenizer.encode(text), QUANTIZED.tokenizer.encode(text));
    assert.equal(writePackage(readPackage(bytes)), PACKAGE);
  }
});

test("a vocabulary whose ids have holes stays in the JSON", () => {
  const vocab = Object.fromEntries(Object.entries(json.model.vocab).filter(([, id]) => id !== 200));
  const tokenizer = tokenizerFromJson({ ...json, model: { ...json.model, vocab } });
  const bytes = writePackage({ ...QUANTIZED, tokenizer }), { tensors } = readSafetensors(bytes);
  assert.is(tensors.has("tokenizer.units"), false);
  assert.equal(readPackage(bytes).tokenizer.toJSON(), tokenizer.toJSON());
});

test("pieces that cannot be are refused", () => {
  const of = (values: readonly number[]): SafeTensor => ({
    dtype: "U16",
    shape: [values.length],
    data: new Uint8Array(Uint16Array.from(values).buffer),
  });
  const units = [...Array(20).keys()].map((i) => 97 + i);
  const cases: [Record<string, SafeTensor | undefined>, string, RegExp][] = [
    [{ units: undefined }, "package/tensor", /only a part/],
    [{ lengths: undefined }, "package/tensor", /only a part/],
    [{ lengths: { ...of([1]), dtype: "I16" } }, "package/tensor", /only a part/],
    [{ units: of(units), lengths: of([10, 12]) }, "tokenizer/invalid", /2 pieces of 22 .* of 20/],
    [{ units: of(units), lengths: of([10, 8]) }, "tokenizer/invalid", /2 pieces of 18 .* of 20/],
    [{ units: of(units), lengths: of([10, 9]) }, "tokenizer/invalid", /2 pieces of 19/],
    [{ units: of([97, 98, 97, 98]), lengths: of([2, 2]) }, "tokenizer/invalid", /"ab" .* 0, 1/],
    [{ units: of([0xd83d, 0xde00]), lengths: of([1, 1]) }, "tokenizer/invalid", /lone surrogate/],
    [{ units: of([97, 0xd83d]), lengths: of([1, 1]) }, "tokenizer/invalid", /lone surrogate/],
    [{ units: of([0, 0]), lengths: of([]) }, "tokenizer/invalid", /0 pieces/],
  ];
  for (const [parts, code, message] of cases) {
    const bytes = changed({}, (tensors) => {
      for (const [part, tensor] of Object.entries(parts)) {
        if (tensor) tensors.set(`tokenizer.${part}`, tensor);
        else tensors.delete(`tokenizer.${part}`);
      }
    });
    throwsCode(() => readPackage(bytes), code, message);
  }
  throwsCode(
    () => readPackage(changed({ tokenizer: JSON.stringify(json) })),
    "tokenizer/invalid",
    /model\.vocab.* there twice/,
  );
});

test("a lane budget is written with the weights that keep it, and read with them", () => {
  const { weights } = quantizeEncoder(BUNDLE.weights, { lanes: { levels: 181, depth: 4 } });
  const bytes = writePackage({ ...BUNDLE, weights }), back = readPackage(bytes);
  assert.equal(back.weights.lanes, { levels: 181, depth: 4 });
  assert.equal(back.weights, weights);
  assert.equal(writePackage(back), bytes);
  assert.is(readSafetensors(PACKAGE).metadata.has("lanes"), false);
});

test("a lane budget that is not kept, or cannot be, is refused", () => {
  const lanes = { levels: 181, depth: 4 };
  throwsCode(
    () => writePackage({ ...QUANTIZED, weights: { ...QUANTIZED.weights, lanes } }),
    "model/weights",
    /a lane sums to \d+, more than 181/,
  );
  throwsCode(
    () => writePackage({ ...BUNDLE, weights: { ...BUNDLE.weights, lanes } }),
    "model/weights",
    /not int8/,
  );
  for (
    const [json, code] of [
      ["[]", "package/metadata"],
      ["{", "package/metadata"],
      ['{"levels":181,"depth":4,"more":1}', "package/metadata"],
      ['{"levels":181}', "model/config"],
      ['{"levels":"181","depth":4}', "model/config"],
      ['{"levels":0,"depth":4}', "model/config"],
      ['{"levels":256,"depth":4}', "model/config"],
      ['{"levels":181,"depth":8}', "model/config"],
    ]
  ) throwsCode(() => readPackage(changed({ lanes: json })), code!);
});

test("both exports make the same package", () => {
  const dynamo = bundleFromExport(filesOf("tiny-dynamo"));
  assert.equal(writePackage(dynamo), writePackage(BUNDLE));
});

test("a package without a CRF, and one without token types", () => {
  const plain = readPackage(writePackage({ ...QUANTIZED, crf: undefined }));
  assert.is(plain.crf, undefined);
  const config = { ...BUNDLE.weights.config, typeVocabSize: 0 };
  const weights: EncoderWeights = { ...BUNDLE.weights, config, typeEmbedding: undefined };
  const back = readPackage(writePackage({ ...BUNDLE, weights }));
  assert.is(back.weights.typeEmbedding, undefined);
});

test("a package at an odd address is read with the same values", () => {
  const buffer = new Uint8Array(PACKAGE.length + 3);
  buffer.set(PACKAGE, 3);
  assert.equal(readPackage(buffer.subarray(3)).weights, QUANTIZED.weights);
});

test("a file that is not a package of this version says so", () => {
  throwsCode(() => readPackage(shared("tiny-torchscript/crf.safetensors")), "package/format");
  throwsCode(() => readPackage(changed({ format: "other" })), "package/format", /"other"/);
  throwsCode(() => readPackage(changed({ version: "2" })), "package/format", /version "2"/);
  throwsCode(() => readPackage(changed({ config: undefined })), "package/metadata", /no config/);
  throwsCode(() => readPackage(changed({ tokenizer: undefined })), "package/metadata", /tokenizer/);
});

test("a configuration that cannot be is refused", () => {
  const config = QUANTIZED.weights.config;
  const fails = (json: string, code: string, message?: RegExp): void =>
    throwsCode(() => readPackage(changed({ config: json })), code, message);
  const change = (fields: Record<string, unknown>): string =>
    JSON.stringify({ ...config, ...fields });
  fails("{", "package/metadata");
  fails("[]", "package/metadata");
  fails('{"labels":["O"],"labels":["O"]}', "package/metadata", /twice/);
  fails(change({ labels: "O" }), "package/metadata", /labels/);
  fails(change({ labels: ["O", "O", "a", "b", "c", "d", "e"] }), "model/config", /"O"/);
  fails(change({ labels: ["O", 1, "a", "b", "c", "d", "e"] }), "model/config", /labels has 1/);
  fails(change({ labels: ["O", "", "a", "b", "c", "d", "e"] }), "model/config");
  fails(change({ labels: [] }), "model/config");
  fails(change({ hiddenSize: "36" }), "model/config", /hiddenSize/);
  fails(change({ hiddenSize: undefined }), "model/config", /hiddenSize/);
  fails(change({ hiddenSize: 1e9 }), "model/config", /hiddenSize/);
  fails(change({ heads: 5 }), "model/config", /multiple of heads/);
  fails(change({ activation: "relu" }), "model/config", /activation/);
  fails(change({ layerNormEpsilon: null }), "package/metadata", /layerNormEpsilon/);
  fails(change({ layerNormEpsilon: "0" }), "package/metadata", /layerNormEpsilon/);
  fails(change({ layerNormEpsilon: 1 }), "model/config", /layerNormEpsilon/);
  fails(change({ layers: 3 }), "package/tensor", /layers\.2\.attention\.qkv\.weight/);
  fails(change({ layers: 1 }), "package/tensor", /does not ask for/);
  fails(change({ vocabSize: 301 }), "package/tensor", /\[300,36\], expected \[301,36\]/);
});

test("a tensor that is missing, extra or of another shape or type is refused", () => {
  const edit = (f: (tensors: Map<string, SafeTensor>) => void) => () => readPackage(changed({}, f));
  const set = (name: string, change: (tensor: SafeTensor) => SafeTensor) =>
    edit((tensors) => tensors.set(name, change(tensors.get(name)!)));
  const bias = "layers.0.feed_forward.up.bias";
  throwsCode(edit((tensors) => tensors.delete(bias)), "package/tensor", /no tensor/);
  throwsCode(
    edit((tensors) => tensors.delete("classifier.weight.scale")),
    "package/tensor",
    /classifier\.weight\.scale/,
  );
  throwsCode(
    edit((tensors) => tensors.delete("crf.transitions")),
    "crf/tensor",
    /crf\.transitions/,
  );
  throwsCode(
    edit((tensors) => tensors.set("extra", tensors.get(bias)!)),
    "package/tensor",
    /"extra"/,
  );
  throwsCode(
    edit((tensors) => tensors.set("crf.extra", tensors.get(bias)!)),
    "package/tensor",
    /"crf\.extra"/,
  );
  throwsCode(set(bias, (tensor) => ({ ...tensor, shape: [1, 52] })), "package/tensor", /\[1,52\]/);
  throwsCode(set(bias, (tensor) => ({ ...tensor, dtype: "I32" })), "safetensors/tensor", /I32/);
  throwsCode(
    set("classifier.weight", (tensor) => ({ ...tensor, dtype: "U8" })),
    "safetensors/tensor",
    /U8/,
  );
});

test("values that no model has are refused, naming the tensor and the element", () => {
  const poke = (name: string, offset: number, value: number) => () =>
    readPackage(changed({}, (tensors) => {
      const tensor = tensors.get(name)!;
      const data = tensor.data.slice();
      if (tensor.dtype === "I8") data[offset] = value;
      else new DataView(data.buffer).setFloat32(offset * 4, value, true);
      tensors.set(name, { ...tensor, data });
    }));
  for (const value of [NaN, Infinity, -Infinity]) {
    throwsCode(poke("classifier.bias", 2, value), "model/weights", /classifier\.bias.*element 2/);
  }
  throwsCode(poke("embeddings.norm.weight", 0, NaN), "model/weights", /embeddings\.norm\.weight/);
  throwsCode(poke("crf.transitions", 8, NaN), "model/weights", /transitions.*element 8/);
  throwsCode(
    poke("embeddings.word.weight.scale", 5, -0.5),
    "model/weights",
    /embeddings\.word\.weight\.scale.*row 5 is -0\.5/,
  );
  throwsCode(poke("embeddings.word.weight.scale", 5, NaN), "model/weights");
  throwsCode(poke("classifier.weight", 7, 128), "model/weights", /element 7 is -128/);
});

/** The package of a model whose head has two layers, with its metadata and tensors changed. */
function headed(
  changes: { readonly head?: unknown } = {},
  edit?: (tensors: Map<string, SafeTensor>) => void,
): Uint8Array {
  const { tensors, metadata } = readSafetensors(writePackage(HEADED)), changed = new Map(tensors);
  edit?.(changed);
  const config = JSON.stringify({ ...JSON.parse(metadata.get("config")!), ...changes });
  return writeSafetensors(changed, { ...unchecked(metadata), config });
}

const HEAD = { size: 6, activation: "tanh" } as const;
const HEADED: ModelBundle = {
  ...BUNDLE,
  weights: quantizeEncoder(randomWeights({ ...BUNDLE.weights.config, head: HEAD }, 3)).weights,
};

test("a head of two layers is kept, and its absence leaves packages as they were", () => {
  const back = readPackage(headed());
  assert.equal(back.weights, HEADED.weights);
  assert.equal(writePackage(back), writePackage(HEADED));
  assert.not.match(readSafetensors(PACKAGE).metadata.get("config")!, /head"/);
});

test("a head of two layers that is broken is refused, naming what is", () => {
  const fails = (bytes: Uint8Array, code: string, message: RegExp): void =>
    throwsCode(() => readPackage(bytes), code, message);
  for (
    const [head, message] of [
      [null, /head is null/],
      ["tanh", /head is "tanh"/],
      [[], /head is /],
      [{}, /head\.size is undefined/],
      [{ ...HEAD, size: 0 }, /head\.size is 0/],
      [{ ...HEAD, size: "6" }, /head\.size is "6"/],
      [{ ...HEAD, size: 1e9 }, /head\.size is 1000000000/],
      [{ ...HEAD, activation: "relu" }, /activation is "relu"/],
      [{ size: 6 }, /activation is undefined/],
    ] as const
  ) fails(headed({ head }), "model/config", message);
  // Without `head`, its tensors are nobody's; with another size, they do not fit.
  fails(headed({ head: undefined }), "package/tensor", /"classifier\.weight" has shape \[7,6\]/);
  fails(
    headed({ head: { ...HEAD, size: 7 } }),
    "package/tensor",
    /"head\.dense\.weight" has shape \[6,36\]/,
  );
  const gone = (name: string) => headed({}, (tensors) => tensors.delete(name));
  for (const name of ["weight", "weight.scale", "bias"]) {
    fails(
      gone(`head.dense.${name}`),
      "package/tensor",
      new RegExp(`no tensor "head.dense.${name}"`),
    );
  }
  const nan = headed({}, (tensors) => {
    const bias = tensors.get("head.dense.bias")!, data = bias.data.slice();
    new DataView(data.buffer).setFloat32(8, NaN, true);
    tensors.set("head.dense.bias", { ...bias, data });
  });
  fails(nan, "model/weights", /head\.dense\.bias.*element 2 is NaN/);
  const { head: _, ...config } = HEADED.weights.config;
  throwsCode(
    () => writePackage({ ...HEADED, weights: { ...HEADED.weights, config } }),
    "model/weights",
    /a head of two layers, which its configuration does not say/,
  );
});

test("a writer refuses what a reader would", () => {
  const { weights } = BUNDLE;
  const bias = weights.classifier.bias.slice();
  bias[1] = NaN;
  const broken = { ...weights, classifier: { ...weights.classifier, bias } };
  throwsCode(() => writePackage({ ...BUNDLE, weights: broken }), "model/weights", /element 1/);
  const short = { ...weights, layers: weights.layers.slice(1) };
  throwsCode(() => writePackage({ ...BUNDLE, weights: short }), "model/weights", /layers\.1/);
  const config = { ...weights.config, vocabSize: 299 };
  throwsCode(
    () => writePackage({ ...BUNDLE, weights: { ...weights, config } }),
    "model/vocab",
    /ids up to 299/,
  );
  const crf = { ...BUNDLE.crf!, end: new Float32Array(3) };
  throwsCode(() => writePackage({ ...BUNDLE, crf }), "model/weights", /end_transitions/);
});

test("a package cut or damaged anywhere gives a typed error or a model", () => {
  for (let length = 0; length < PACKAGE.length; length += 97) {
    assert.not(returnsOrTyped(() => readPackage(PACKAGE.subarray(0, length))), `cut at ${length}`);
  }
  const header = 8 + new DataView(PACKAGE.buffer).getUint32(0, true);
  // The header is where damage can lead astray, so most of it is done there.
  const at = fc.oneof({ weight: 4, arbitrary: fc.nat(header) }, {
    weight: 1,
    arbitrary: fc.nat(PACKAGE.length - 1),
  });
  fc.assert(
    fc.property(at, fc.integer({ min: 1, max: 255 }), (index, mask) => {
      const damaged = PACKAGE.slice();
      damaged[index]! ^= mask;
      returnsOrTyped(() => readPackage(damaged));
    }),
    { numRuns: 400 },
  );
});

test.run();
