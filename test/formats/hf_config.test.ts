import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readHfConfig } from "../../src/formats/hf/config.ts";
import { duplicateKey } from "../../src/formats/json.ts";
import { local, returnsOrTyped, shared, textOf, throwsCode } from "./helpers.ts";

const labels = { id2label: { 0: "O", 1: "B-X" } };

test("BERT's and DistilBERT's config.json", () => {
  const bert = readHfConfig(textOf(shared("tiny-torchscript/config.json")));
  assert.equal(bert, {
    modelType: "bert",
    labels: ["O", "B-MED", "I-MED", "B-ORG", "I-ORG", "B-DIS", "I-DIS"],
    hiddenSize: 36,
    layers: 2,
    heads: 3,
    feedForwardSize: 52,
    vocabSize: 300,
    maxPositions: 64,
    typeVocabSize: 2,
    hiddenAct: "gelu",
    layerNormEpsilon: 1e-12,
    embeddingSize: undefined,
    paddingId: 0,
    layerGroups: undefined,
    innerGroups: undefined,
    wholeText: undefined,
    headActivation: undefined,
  });
  const distil = readHfConfig(textOf(local("distilbert.json")));
  assert.equal([distil.hiddenSize, distil.layers, distil.heads], [12, 1, 3]);
  assert.equal([distil.feedForwardSize, distil.hiddenAct], [20, "gelu"]);
  assert.is(distil.layerNormEpsilon, undefined);
});

test("labels may come in any order, as text or as an object", () => {
  const ids = fc.shuffledSubarray([...Array(12).keys()], { minLength: 12 });
  fc.assert(
    fc.property(ids, (order) => {
      const entries = order.map((id) => `"${id}":"L${id}"`).join();
      const expected = [...order].sort((a, b) => a - b).map((id) => `L${id}`);
      const json = `{"id2label":{${entries}}}`;
      assert.equal(readHfConfig(json).labels, expected);
      assert.equal(readHfConfig(JSON.parse(json)).labels, expected);
    }),
  );
});

test("labels that are not ids 0 to L - 1, each once", () => {
  const fails = (id2label: unknown, message: RegExp): void =>
    throwsCode(() => readHfConfig({ id2label }), "config/field", message);
  fails(undefined, /no id2label/);
  fails(null, /no id2label/);
  fails([], /not an object/);
  fails({}, /empty/);
  fails({ 0: "O", 2: "B" }, /id "2"; expected 0 to 1/);
  fails({ 1: "B" }, /id "1"/);
  fails({ "0": "O", "01": "B" }, /id "01"/);
  fails({ "-1": "O" }, /id "-1"/);
  fails({ a: "O" }, /id "a"/);
  fails({ 0: "O", 1: 7 }, /id2label\[1\]/);
  fails({ 0: "" }, /id2label\[0\]/);
  fails({ 0: "O", 1: "O" }, /"O" twice/);
  throwsCode(() => readHfConfig('{"id2label":{"0":"O","0":"B"}}'), "config/json", /"0" twice/);
});

test("fields of the wrong kind", () => {
  const fails = (fields: Record<string, unknown>, code: string, message?: RegExp): void =>
    throwsCode(() => readHfConfig({ ...labels, ...fields }), code, message);
  fails({ hidden_size: "36" }, "config/field", /hidden_size is "36"/);
  fails({ num_attention_heads: 1.5 }, "config/field");
  fails({ vocab_size: -1 }, "config/field");
  fails({ hidden_act: 3 }, "config/field");
  fails({ layer_norm_eps: "x" }, "config/field");
  fails({ layer_norm_eps: 2 }, "config/field");
  fails({ is_decoder: true }, "config/unsupported", /is_decoder/);
  fails({ position_embedding_type: "relative_key" }, "config/unsupported", /relative_key/);
  fails({ model_type: "deberta-v2" }, "config/unsupported", /"deberta-v2".*disentangled attention/);
  fails({ model_type: "modernbert" }, "config/unsupported", /rotary positions, gated/);
  fails({ model_type: "gpt2" }, "config/unsupported", /causal/);
  for (const json of ["", "[]", "null", "7", "{", '"x"', "\ufeff{}"]) {
    throwsCode(() => readHfConfig(json), "config/json");
  }
  throwsCode(() => readHfConfig(null as unknown as string), "config/json");
});

test("an architecture for whole texts is told from one for tokens", () => {
  const of = (...architectures: unknown[]): string | undefined =>
    readHfConfig({ ...labels, architectures }).wholeText;
  assert.is(of("BertForSequenceClassification"), "BertForSequenceClassification");
  assert.is(of("BertForTokenClassification"), undefined);
  assert.is(of("BertForMaskedLM"), undefined);
  assert.is(of(7), undefined);
  assert.is(of(), undefined);
});

test("any JSON gives a configuration or a typed error", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      returnsOrTyped(() => readHfConfig(json));
    }),
    { numRuns: 300 },
  );
});

test("a JSON text that came from objects has no repeated key", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
      assert.is(duplicateKey(JSON.stringify(value, null, indent)), undefined);
    }),
    { numRuns: 500 },
  );
});

test("a repeated key is found wherever it is", () => {
  assert.is(duplicateKey('{"a":1,"b":[{"c":1},{"c":2}],"a":2}'), "a");
  assert.is(duplicateKey('{"a":{"\\"":1,"x":["\\"",{"y":1,"y":2}]}}'), "y");
  assert.is(duplicateKey('{"a":"{\\"k\\":1,\\"k\\":2}","k":"k"}'), undefined);
  assert.is(duplicateKey('["a","a",{"a":"a","b":"a"}]'), undefined);
  assert.is(duplicateKey('{"x\\\\":1,"x\\\\":2}'), "x\\");
});

test("what nests deeper than files do is refused, however deep it is", () => {
  const nested = (depth: number) => {
    const deep = "[".repeat(depth) + '"\\"]"' + "]".repeat(depth);
    return `{"id2label": {"0": "O"}, "a": "[[[", "b": ${deep}}`;
  };
  assert.equal(readHfConfig(nested(199)).labels, ["O"]);
  for (const depth of [200, 10_000, 1_000_000]) {
    throwsCode(() => readHfConfig(nested(depth)), "config/json", /nests values deeper than 200\./);
  }
});

test.run();
