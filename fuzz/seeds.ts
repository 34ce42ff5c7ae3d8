/**
 * Good files that mutants are made from, and the model that must still work after every error.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import {
  bundleFromExport,
  type CheckpointFiles,
  type ExportFiles,
  Ner,
  quantizeEncoder,
  type Tokenizer,
  writePackage,
} from "../mod.ts";
import { readFolder } from "../src/formats/folder.ts";
import { fingerprintsOf } from "../src/lexicon/fingerprint.ts";
import type { ModelBundle } from "../src/model/bundle.ts";
import { featureCount, type Lexicons } from "../src/model/lexicon.ts";
import { tokenizerFromJson } from "../src/tokenizer/load.ts";
import { must, TEXTS } from "./promises.ts";

/** An export's files, text as text. */
export interface Export extends ExportFiles {
  readonly config: string;
  readonly tokenizer: string;
  readonly vocab: string;
  readonly tokenizerConfig: string;
  readonly crf: Uint8Array;
}

/** What mutants are made from. */
export interface Seeds {
  /** Exports of tiny models by both of PyTorch's exporters. */
  readonly exports: readonly Export[];
  /** Further graphs with the config.json that goes with them. */
  readonly graphs: readonly { readonly model: Uint8Array; readonly config: string }[];
  /** Exports and checkpoints of many kinds of encoders, some of which must be refused. */
  readonly zoo: readonly ExportFiles[];
  readonly checkpoints: readonly CheckpointFiles[];
  /** Those exports of the zoo that are read, and whose output is emissions. */
  readonly readable: readonly ExportFiles[];
  /** Every kind of tokenizer.json among all of these. */
  readonly vocabularies: readonly string[];
  /** Packages in float32, int8, and int8 with an int4 embedding. */
  readonly packages: readonly Uint8Array[];
  /** Safetensors files that are no packages. */
  readonly tensors: readonly Uint8Array[];
  /** Tokenizers of every kind, for hostile texts. */
  readonly tokenizers: readonly Tokenizer[];
  /** A recogniser for hostile texts; also the one that must go on working. */
  readonly good: Ner;
}

const fixtures = new URL("../test/fixtures/", import.meta.url);
const formats = new URL("../test/formats/fixtures/", import.meta.url);

async function bytes(name: string, base: URL): Promise<Uint8Array> {
  return new Uint8Array(await readFile(new URL(name, base)));
}

async function text(name: string, base: URL): Promise<string> {
  return await readFile(new URL(name, base), "utf8");
}

async function exportOf(folder: string): Promise<Export> {
  const base = new URL(`${folder}/`, fixtures);
  return {
    model: await bytes("model.onnx", base),
    config: await text("config.json", base),
    tokenizer: await text("tokenizer.json", base),
    vocab: await text("vocab.txt", base),
    tokenizerConfig: await text("tokenizer_config.json", base),
    crf: await bytes("crf.safetensors", base),
  };
}

/** All that is in the zoo, in the order of its names; an export's files or a checkpoint's. */
async function readZoo(): Promise<Pick<Seeds, "zoo" | "checkpoints" | "readable">> {
  const zoo: ExportFiles[] = [], checkpoints: CheckpointFiles[] = [], readable: ExportFiles[] = [];
  const entries = await readdir(new URL("zoo/", fixtures), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
  for (const folder of folders) {
    const base = new URL(`zoo/${folder}/`, fixtures), names = (await readdir(base)).sort();
    const read = (name: string): Promise<Uint8Array> => bytes(name, base);
    const content = await readFolder({ location: folder, names, read });
    if (content.kind === "export") {
      zoo.push(content.files);
      const other = folder.startsWith("refused-");
      if (!other && content.files.head === undefined) readable.push(content.files);
    } else if (content.kind === "checkpoint") checkpoints.push(content.files);
  }
  return { zoo, checkpoints, readable };
}

/** The different tokenizer.json files of some models. */
function vocabularies(models: readonly { tokenizer?: Uint8Array | string }[]): string[] {
  const all = models.flatMap(({ tokenizer }) => tokenizer ?? []);
  const decoder = new TextDecoder();
  return [...new Set(all.map((file) => typeof file === "string" ? file : decoder.decode(file)))];
}

const GRAPHS = [
  ["dynamo-18.onnx", "config.json"],
  ["dynamo-attention-op.onnx", "config.json"],
  ["dynamo-sdpa.onnx", "config.json"],
  ["torchscript-12.onnx", "config.json"],
  ["torchscript-computed-scale.onnx", "config.json"],
  ["torchscript-unfolded.onnx", "config.json"],
  ["torchscript-silu.onnx", "config.json"],
  ["distilbert.onnx", "distilbert.json"],
] as const;

/** A vocabulary that fits under any word embedding. */
export const TINY_VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\n";

/** Variations of a tokenizer.json: normalizer, pre-tokenizer, further added tokens. */
const VARIANTS: readonly (readonly [unknown, unknown, readonly string[]])[] = [
  [null, null, []],
  [{ type: "NFD" }, { type: "Whitespace" }, []],
  [{ type: "NFKC" }, { type: "BertPreTokenizer" }, ["ffi", "i\u0307"]],
  [{ type: "Sequence", normalizers: [{ type: "NFKD" }, { type: "Lowercase" }] }, {
    type: "Punctuation",
  }, ["[[", "aa"]],
  [
    {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: true,
      lowercase: true,
    },
    { type: "BertPreTokenizer" },
    ["\u0995\u09cb", " "],
  ],
];

function variant(
  json: string,
  [normalizer, preTokenizer, more]: typeof VARIANTS[number],
): Tokenizer {
  const spec = JSON.parse(json), size = Object.keys(spec.model.vocab).length;
  const added = more.map((content, i) => ({
    id: size + i,
    content,
    single_word: i === 1,
    lstrip: i === 0,
    rstrip: i === 1,
    normalized: true,
    special: false,
  }));
  const added_tokens = [...spec.added_tokens, ...added];
  return tokenizerFromJson(
    { ...spec, normalizer, pre_tokenizer: preTokenizer, added_tokens },
    { allowStripAccents: true },
  );
}

/** The model with a rated and a plain list, whose features do something. */
function withLexicons({ weights, crf, tokenizer }: ModelBundle): ModelBundle {
  const { words: fingerprints, longest } = fingerprintsOf(["জ্বর", "fever", "napa extra"]);
  const lexicons: Lexicons = {
    types: ["MED", "DIS"],
    inflected: true,
    longest,
    lists: [
      { type: undefined, fingerprints, rates: new Uint8Array(12).fill(100) },
      { type: "MED", fingerprints, rates: undefined },
    ],
  };
  const features = featureCount(lexicons), { config } = weights;
  const table = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: new Float32Array(rows * columns).fill(0.1),
  });
  return {
    weights: {
      ...quantizeEncoder(weights).weights,
      config: { ...config, features },
      features: {
        input: table(features, config.embeddingSize),
        window: table(3 * features, config.labels.length),
      },
    },
    crf,
    tokenizer,
    lexicons,
  };
}

/** Reads all seeds; throws when one of them is refused, for then there is nothing to mutate. */
export async function loadSeeds(): Promise<Seeds> {
  const exports = await Promise.all(["tiny-torchscript", "tiny-dynamo", "tiny-tanh"].map(exportOf));
  const zoo = await readZoo();
  const bundles = exports.map((files) => bundleFromExport(files));
  const packages = bundles.flatMap((bundle) => [
    writePackage(bundle),
    writePackage({ ...bundle, weights: quantizeEncoder(bundle.weights).weights }),
    writePackage({
      ...bundle,
      weights: quantizeEncoder(bundle.weights, { embeddings: "int4" }).weights,
    }),
  ]);
  const different = vocabularies([...exports, ...zoo.zoo, ...zoo.checkpoints]);
  const options = { allowStripAccents: true };
  return {
    exports,
    graphs: await Promise.all(GRAPHS.map(async ([model, config]) => ({
      model: await bytes(model, formats),
      config: await text(config, formats),
    }))),
    ...zoo,
    vocabularies: different,
    packages: [...packages, writePackage(withLexicons(bundles[0]!))],
    tensors: [exports[0]!.crf, await bytes("reference.safetensors", formats)],
    tokenizers: [
      bundles[0]!.tokenizer,
      ...VARIANTS.map((parts) => variant(exports[0]!.tokenizer, parts)),
      ...different.slice(1).map((json) => tokenizerFromJson(json, options)),
    ],
    good: await Ner.fromBundle(bundles[0]!),
  };
}

let expected: string | undefined;

/** The good model still says what it said at first, and its files can still be read. */
export async function checkGood({ good, exports, packages, tokenizers }: Seeds): Promise<void> {
  const answers = [await good.extractBatch(TEXTS)];
  const again = await Ner.fromBundle(bundleFromExport(exports[0]!));
  answers.push(await again.extractBatch(TEXTS));
  again.close();
  const packed = await Ner.fromBytes(packages[0]!);
  answers.push(await packed.extractBatch(TEXTS));
  packed.close();
  const ids = tokenizers.map((tokenizer) => TEXTS.map((text) => [...tokenizer.encode(text).ids]));
  const said = JSON.stringify([answers, ids]);
  expected ??= said;
  must(said === expected, "a good model no longer says what it said before");
}
