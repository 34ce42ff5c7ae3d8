/**
 * What the fuzzer found, each as small as it can be: these were crashes, hangs or half-built models.
 *
 * @module
 */
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Message, parse as parseMessage, write } from "../../fuzz/wire.ts";
import {
  bundleFromCheckpoint,
  bundleFromExport,
  Ner,
  readPackage,
  writePackage,
} from "../../mod.ts";
import { Crf } from "../../src/crf/crf.ts";
import { parseTags } from "../../src/crf/scheme.ts";
import { show } from "../../src/errors.ts";
import { decodeOnnx } from "../../src/formats/onnx/decode.ts";
import { readHfConfig } from "../../src/formats/hf/config.ts";
import { streamPackage } from "../../src/formats/package/stream.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { shared, textOf, throwsCode } from "../formats/helpers.ts";
import { shipped } from "../support.ts";

const DEEP = "[".repeat(200_000) + "]".repeat(200_000);
const UNPRINTABLE = { toString: 1, valueOf: 1 };
const folder = "tiny-torchscript";
const tokenizerJson = textOf(shared(`${folder}/tokenizer.json`));
const files = {
  model: shared(`${folder}/model.onnx`),
  config: textOf(shared(`${folder}/config.json`)),
  tokenizer: tokenizerJson,
};

/** This process's time on processors, so that a busy machine is no failure. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function header(json: string): Uint8Array {
  const text = new TextEncoder().encode(json), bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

/** The good package with its configuration replaced. */
function packageWith(changes: object): Uint8Array {
  const good = writePackage(bundleFromExport(files));
  const end = 8 + new DataView(good.buffer).getUint32(0, true);
  const json = JSON.parse(textOf(good.subarray(8, end)));
  const config = JSON.parse(json.__metadata__.config);
  delete json.__metadata__.xxh32;
  json.__metadata__.config = JSON.stringify({ ...config, ...changes });
  const front = header(JSON.stringify(json)),
    bytes = new Uint8Array(front.length + good.length - end);
  bytes.set(front);
  bytes.set(good.subarray(end), front.length);
  return bytes;
}

async function* arriving(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1_000_000) {
    yield await Promise.resolve(bytes.subarray(at, at + 1_000_000));
  }
}

function tokenizerWith(changes: object): unknown {
  return { ...JSON.parse(tokenizerJson), ...changes };
}

test("a value that cannot be printed is named, not printed", () => {
  assert.is(show(UNPRINTABLE), "an object");
  assert.is(show(JSON.parse(DEEP)), "an array of 1");
  assert.is(show([1, -2, "x"]), '[1,-2,"x"]');
  assert.is(show(Object.create(null)), "an object");
  throwsCode(() => readPackage(packageWith({ hiddenSize: UNPRINTABLE })), "model/config");
  throwsCode(() => readPackage(packageWith({ activation: JSON.parse("[[]]") })), "model/config");
  for (const [value, code] of [["[[1]]", "tensor"], [DEEP, "header"]]) {
    const shape = `{"a":{"dtype":"U8","shape":${value}}}`, dtype = `{"a":{"dtype":${value}}}`;
    throwsCode(() => readSafetensors(header(shape)), `safetensors/${code}`);
    throwsCode(() => readSafetensors(header(dtype)), `safetensors/${code}`);
  }
  const config = (fields: object): unknown => readHfConfig({ id2label: { 0: "O" }, ...fields });
  throwsCode(() => config({ model_type: UNPRINTABLE }), "config/field");
  throwsCode(() => config({ hidden_size: JSON.parse(DEEP) }), "config/field");
  throwsCode(() => config({ layer_norm_eps: JSON.parse(DEEP) }), "config/field");
  throwsCode(
    () => config({ position_embedding_type: JSON.parse(DEEP) }),
    "config/unsupported",
  );
});

test("a tokenizer that could not be written again is not read", () => {
  for (const part of ["decoder", "post_processor", "padding", "normalizer", "pre_tokenizer"]) {
    const json = JSON.stringify(tokenizerWith({ [part]: null })).replace(
      `"${part}":null`,
      `"${part}":{"type":"x","x":${DEEP}}`,
    );
    throwsCode(() => tokenizerFromJson(json), "tokenizer/invalid", /nested/);
  }
});

test("a normalizer that multiplies a text is stopped, and the tokenizer goes on working", () => {
  const step = { type: "Replace", pattern: { String: "a" }, content: "aa" };
  const normalizer = { type: "Sequence", normalizers: new Array(100).fill(step) };
  const bomb = tokenizerFromJson(tokenizerWith({ normalizer }));
  const before = [...bomb.encode("b [SEP] b").ids];
  throwsCode(() => bomb.encode("b a"), "tokenizer/growth");
  assert.equal([...bomb.encode("b [SEP] b").ids], before);
});

test("white space that added tokens take is looked at once", () => {
  const { added_tokens, model } = JSON.parse(tokenizerJson);
  const id = Object.keys(model.vocab).length, flags = { single_word: false, lstrip: false };
  const space = { id, content: " ", ...flags, rstrip: true, normalized: true, special: false };
  const json = tokenizerWith({ added_tokens: [...added_tokens, space] });
  const tokenizer = tokenizerFromJson(json, { allowStripAccents: true });
  const start = processorMs();
  assert.is(tokenizer.encode(" ".repeat(300_000)).ids.length, 300_000);
  assert.ok(processorMs() - start < 10_000, "it took a minute");
});

function node(op: string, output: string, ...inputs: string[]): Message {
  const made = new Message("Node");
  for (const input of inputs) made.add(1, input);
  made.add(2, output);
  made.add(4, op);
  return made;
}

/** The good model with nodes put in front of one that reads `at`; they return what it reads instead. */
function obstructed(op: string, make: (at: string) => [Message[], string]): Uint8Array {
  const model = parseMessage(files.model), graph = model.messages(7)[0]!;
  const reader = graph.messages(1).find((node) => node.text(4) === op)!;
  const [made, end] = make(reader.text(1));
  reader.field(1)!.value = new TextEncoder().encode(end);
  const index = graph.fields.findIndex(({ value }) => value === reader);
  graph.fields.splice(index, 0, ...made.map((value) => ({ number: 1, wire: 2, value })));
  return write(model);
}

test("sums of a value with itself are not followed twice", () => {
  const model = obstructed("Softmax", (at) => {
    const made = [node("Sigmoid", "s", at)];
    for (let i = 0; i < 20_000; i++) {
      made.push(node("Identity", `i${i}`, i > 0 ? `i${i - 1}` : "s"));
    }
    for (let i = 0; i < 12; i++) {
      const before = i > 0 ? `a${i - 1}` : "i19999";
      made.push(node("Add", `a${i}`, before, before));
    }
    return [made, "a11"];
  });
  const start = processorMs();
  throwsCode(() => bundleFromExport({ ...files, model }), "onnx/unsupported");
  assert.ok(processorMs() - start < 4000, "4096 paths of 20000 nodes were followed");
});

test("a chain of Where over IsNaN does not exhaust the stack", () => {
  const model = parseMessage(files.model), graph = model.messages(7)[0]!;
  const probabilities = graph.messages(1).find((node) => node.text(4) === "Softmax")!.text(2);
  const reader = graph.messages(1).find((node) => node.text(1) === probabilities)!;
  const made = [node("IsNaN", "n", probabilities)];
  for (let i = 0; i < 30_000; i++) {
    made.push(node("Where", `w${i}`, "n", "n", i > 0 ? `w${i - 1}` : probabilities));
  }
  reader.field(1)!.value = new TextEncoder().encode("w29999");
  const index = graph.fields.findIndex(({ value }) => value === reader);
  graph.fields.splice(index, 0, ...made.map((value) => ({ number: 1, wire: 2, value })));
  // It chooses between truth values and numbers, which no graph can.
  throwsCode(
    () => bundleFromExport({ ...files, model: write(model) }),
    "onnx/unsupported",
    /chooses between bool and float/,
  );
});

test("empty messages by the million are refused before they are made", () => {
  const graph = new Uint8Array(2_000_000);
  for (let i = 0; i < graph.length; i += 2) graph[i] = 0x0a;
  const model = new Message("Model");
  model.add(7, graph);
  throwsCode(() => decodeOnnx(write(model)), "onnx/protobuf", /more than 131072 messages/);
});

test("an ALBERT of no groups of layers is refused", () => {
  const name = "zoo/albert-safetensors";
  const config = { ...JSON.parse(textOf(shared(`${name}/config.json`))), num_hidden_groups: 0 };
  const checkpoint = {
    model: shared(`${name}/model.safetensors`),
    config: JSON.stringify(config),
    tokenizer: shared(`${name}/tokenizer.json`),
  };
  throwsCode(() => bundleFromCheckpoint(checkpoint), "config/field", /num_hidden_groups/);
});

test("a span's score is a probability, however large a CRF's numbers are", async () => {
  const kernels = await chooseKernels([await shipped("baseline")]);
  for (const size of [1e30, 3e38, 800]) {
    const weights = {
      start: Float32Array.of(-size, size / 2),
      end: Float32Array.of(size / 3, -size),
      transitions: Float32Array.of(size, -size / 7, size / 5, size),
    };
    const crf = await Crf.create(kernels, parseTags(["O", "I-A"]), weights, false);
    const emissions = Float32Array.of(-1e4, 3e3, 7e3, -5e3, 1e3, 2e3);
    const lattice = crf.lattice(emissions), path = Int32Array.of(1, 1, 1);
    for (const span of [{ first: 0, last: 0 }, { first: 0, last: 2 }, { first: 1, last: 1 }]) {
      const score = crf.spanProbability(emissions, path, span, 1, lattice);
      assert.ok(score >= 0 && score <= 1, `${score} at ${size}`);
    }
  }
});

test("room is made for what has arrived, not for what a server claims", async () => {
  for (const size of [2 ** 28, 2 ** 33, 2 ** 45]) {
    const kind = `"__metadata__":{"format":"edge-ner","version":"1"}`;
    const bytes = header(
      `{${kind},"x":{"dtype":"F32","shape":[${size}],"data_offsets":[0,${4 * size}]}}`,
    );
    const source = { size: bytes.length + 4 * size, chunks: arriving(bytes) };
    let code = "nothing was thrown";
    try {
      await streamPackage(source);
    } catch (error) {
      code = (error as { code: string }).code;
    }
    assert.is(code, "safetensors/truncated");
  }
});

test("a sparse array is an array of no texts", async () => {
  const ner = await Ner.fromBundle(bundleFromExport(files));
  for (const texts of [new Array(3), ["a", undefined]] as string[][]) {
    let code = "nothing was thrown";
    try {
      await ner.extractBatch(texts);
    } catch (error) {
      code = (error as { code: string }).code;
    }
    assert.is(code, "input/type");
  }
  assert.equal(await ner.extractBatch([]), []);
  ner.close();
});

test.run();
