/**
 * Models with lexicons, as packages and as checkpoints: read back bit for bit, and refused where anything does not fit.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { writeCheckpoint } from "../../src/formats/hf/write_checkpoint.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { collectModel, streamPackage } from "../../src/formats/package/stream.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors, type SafeTensor } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { writeExport } from "../../src/formats/write_export.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { featureCount, type Lexicons } from "../../src/model/lexicon.ts";
import { withoutFeatures, withoutLexicons } from "../../src/model/without_lexicons.ts";
import { Ner } from "../../src/runtime/ner.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { configOf, randomWeights } from "../support.ts";
import { throwsCode, unchecked } from "./helpers.ts";

const tokenizer = tokenizerFromVocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n");
const terms = fingerprintsOf(["napa", "fever", "high blood pressure"]);
const lexicons: Lexicons = {
  types: ["A", "B", "C"],
  inflected: true,
  longest: terms.longest,
  lists: [
    { type: "A", fingerprints: terms.words, rates: undefined },
    {
      type: undefined,
      fingerprints: terms.words.slice(2),
      rates: Uint8Array.from({ length: 10 }, (_, i) => 25 * i + 5),
    },
    { type: "B", fingerprints: new Int32Array(0), rates: undefined },
  ],
};
const features = featureCount(lexicons);
assert.is(features, 2 + 11 + 2);
const sizes = { hiddenSize: 16, embeddingSize: 12, layerNormEpsilon: Math.fround(1e-12) };
const full: ModelBundle = {
  weights: randomWeights(configOf({ ...sizes, features }), 1),
  crf: undefined,
  tokenizer,
  lexicons,
};
const int8: ModelBundle = { ...full, weights: quantizeEncoder(full.weights).weights };

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

test("a package gives back tables and lexicons bit for bit, and never quantizes them", async () => {
  for (const bundle of [full, int8]) {
    const bytes = writePackage(bundle), back = readPackage(bytes);
    assert.equal(back.weights, bundle.weights);
    assert.equal(back.lexicons, lexicons);
    assert.equal(writePackage(back), bytes);
    assert.is(back.weights.features!.input.type, "f32");
    // As it arrives: lexicons are there with the bundle, before the first of the quantized matrices.
    const streamed = await streamPackage({ size: bytes.length, chunks: chunksOf(bytes) });
    assert.equal(streamed.bundle.lexicons, lexicons);
    assert.equal((await collectModel(streamed)).weights, bundle.weights);
  }
});

test("a model without lexicons is written as ever", () => {
  const weights = withoutFeatures(full.weights);
  const { tensors, metadata } = readSafetensors(
    writePackage({ weights, crf: undefined, tokenizer }),
  );
  assert.not([...tensors.keys()].some((name) => /lexicon|features/.test(name)));
  assert.not(/features/.test(metadata.get("config")!) || metadata.has("lexicons"));
});

const PACKAGE = readSafetensors(writePackage(int8));

/** The package with its tensors, its description and its number of features changed. */
function changed(
  edit: (tensors: Map<string, SafeTensor>, described: Record<string, unknown>) => void,
  count: number | undefined = features,
): Uint8Array {
  const tensors = new Map(PACKAGE.tensors), metadata = unchecked(PACKAGE.metadata);
  const described = JSON.parse(metadata.lexicons!), config = JSON.parse(metadata.config!);
  edit(tensors, described);
  const own: Record<string, string> = {
    ...metadata,
    config: JSON.stringify({ ...config, features: count }),
  };
  const { lexicons: _, ...without } = own;
  const kept = Object.keys(described).length === 0
    ? without
    : { ...own, lexicons: JSON.stringify(described) };
  return writeSafetensors(tensors, kept);
}

test("a damaged package is refused by what is wrong with it", () => {
  type Edit = Parameters<typeof changed>[0];
  const cases: readonly (readonly [string, RegExp, Edit, number?])[] = [
    ["package/tensor", /no tensor "lexicons\.1\.rates"/, (t) => t.delete("lexicons.1.rates")],
    ["package/tensor", /no tensor "lexicons\.2\.terms"/, (t) => {
      t.delete("lexicons.2.terms");
    }],
    ["package/tensor", /lexicons\.1\.rates" is I32 \[3,2\], expected I32 \[2,2\]/, (t) => {
      t.set("lexicons.1.rates", { dtype: "I32", shape: [3, 2], data: new Uint8Array(24) });
    }],
    ["package/tensor", /is F32 \[2,2\], expected I32/, (t) => {
      t.set("lexicons.1.rates", { dtype: "F32", shape: [2, 2], data: new Uint8Array(16) });
    }],
    ["package/tensor", /"lexicons\.3\.terms", which its configuration does not ask for/, (t) => {
      t.set("lexicons.3.terms", { dtype: "I32", shape: [0, 2], data: new Uint8Array(0) });
    }],
    ["model/lexicon", /the longest term has 129 code units/, (_, d) => d.longest = 129],
    ["model/lexicon", /inflected is "yes"/, (_, d) => d.inflected = "yes"],
    ["model/lexicon", /no list of types/, (_, d) => d.types = 3],
    ["model/lexicon", /the types are \["A","A","C"\]/, (_, d) => d.types = ["A", "A", "C"]],
    ["model/lexicon", /list 0 is of the type 7/, (_, d) => d.lists = [7, null, "B"]],
    ["package/tensor", /expected I32 \[2,3\]/, (_, d) => d.types = [..."ABCDEFG"]],
    [
      "model/lexicon",
      /13 features of a token, the encoder takes 15/,
      (_, d) => d.lists = ["A", null],
    ],
    ["package/tensor", /shape \[15,12\], expected \[16,12\]/, () => {}, 16],
    ["package/metadata", /no lexicons in its metadata/, (_, d) => {
      for (const key of Object.keys(d)) delete d[key];
    }],
    ["model/config", /features is 4097/, () => {}, 4097],
    ["model/config", /features is "15"/, () => {}, "15" as unknown as number],
  ];
  for (const [code, message, edit, count] of cases) {
    throwsCode(() => readPackage(changed(edit, count)), code, message);
  }
  const nan = new Uint8Array(new Float32Array(45 * 3).fill(NaN).buffer);
  throwsCode(
    () =>
      readPackage(changed((t) => {
        t.set("features.window.weight", { dtype: "F32", shape: [45, 3], data: nan });
      })),
    "model/weights",
    /features\.window\.weight.*NaN/,
  );
  throwsCode(() => writePackage({ ...int8, lexicons: undefined }), "model/lexicon", /no lexicons/);
  throwsCode(
    () => writePackage({ ...int8, lexicons: { ...lexicons, lists: lexicons.lists.slice(1) } }),
    "model/lexicon",
    /13 features of a token, the encoder takes 15/,
  );
});

test("a checkpoint has a file of its own for them", () => {
  const files = writeCheckpoint(full);
  const read = (own: ReadonlyMap<string, Uint8Array>) =>
    bundleFromCheckpoint({
      model: own.get("model.safetensors")!,
      config: own.get("config.json")!,
      tokenizer: own.get("tokenizer.json")!,
      features: own.get("features.safetensors")!,
    });
  const back = read(files);
  assert.equal(back.weights, full.weights);
  assert.equal(back.lexicons, lexicons);
  assert.equal(writeCheckpoint(back), files);
  const { tensors, metadata } = readSafetensors(files.get("features.safetensors")!);
  const without = (name: string) => {
    const kept = new Map([...tensors].filter(([own]) => own !== name));
    return new Map(files).set(
      "features.safetensors",
      writeSafetensors(kept, Object.fromEntries(metadata)),
    );
  };
  for (const name of tensors.keys()) {
    throwsCode(() => read(without(name)), "checkpoint/tensor", new RegExp(`no tensor "?${name}`));
  }
  const more = new Map(tensors).set("more", { dtype: "I32", shape: [0], data: new Uint8Array(0) });
  const extra = new Map(files).set(
    "features.safetensors",
    writeSafetensors(more, Object.fromEntries(metadata)),
  );
  throwsCode(() => read(extra), "checkpoint/tensor", /7 tensors, expected 6/);
});

test("ONNX has no place for them, and says so; without them the model is as where it sees no term", async () => {
  throwsCode(() => writeExport(full), "model/lexicon", /lexicon features.*pack it \(convert\)/);
  const bare = withoutLexicons(full), files = writeExport(bare);
  const [model, config, tokens] = ["model.onnx", "config.json", "tokenizer.json"]
    .map((name) => files.get(name)!);
  const back = bundleFromExport({ model, config, tokenizer: tokens });
  for (const [text, same] of [["a b b", true], ["a napa b", false]] as const) {
    const of = async (bundle: ModelBundle) => {
      using ner = await Ner.fromBundle(bundle, { backend: "fp32", threads: 1 });
      return (await ner.emissions(text)).data;
    };
    const want = await of(full), got = await of(bare);
    assert.equal(got, await of(back));
    assert.is(got.every((x, i) => x === want[i]), same, text);
  }
  assert.is(withoutLexicons(bare), bare);
});

test.run();
