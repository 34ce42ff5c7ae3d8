/**
 * Mutants of safetensors files and of packages: headers that lie, metadata that do not fit, odd models.
 *
 * Two kinds. A mutant of a good file has a header changed as JSON, a length changed as bytes, or a payload
 * spoilt. A package made from nothing ({@link oddPackage}) is coherent, with sizes, numbers and labels at the
 * edge of what a configuration allows: those are the ones that get as far as the kernels.
 *
 * @module
 */
import { writePackage } from "../src/formats/package/write.ts";
import { fingerprintsOf } from "../src/lexicon/fingerprint.ts";
import { ACTIVATION_NAMES } from "../src/model/activations.ts";
import type { ModelConfig } from "../src/model/config.ts";
import { featureCount, type LexiconList, type Lexicons } from "../src/model/lexicon.ts";
import type { EncoderWeights, LinearWeights, NormWeights } from "../src/model/weights.ts";
import { quantizeEncoder } from "../src/quantize/encoder.ts";
import type { Tokenizer } from "../src/tokenizer/types.ts";
import { concat, mutateBytes } from "./bytes.ts";
import { at, mutateJson, mutateTree, type Node, textOf, treeOf } from "./json.ts";
import { EDGES, type Random } from "./random.ts";

/** A file in its three parts. */
interface Parts {
  header: string;
  payload: Uint8Array;
}

function take(bytes: Uint8Array): Parts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 8 + view.getUint32(0, true);
  return { header: new TextDecoder().decode(bytes.subarray(8, end)), payload: bytes.slice(end) };
}

function join(header: Uint8Array, payload: Uint8Array, length = BigInt(header.length)): Uint8Array {
  const front = new Uint8Array(8);
  new DataView(front.buffer).setBigUint64(0, BigInt.asUintN(64, length), true);
  return concat([front, header, payload]);
}

const encoder = new TextEncoder();

/** One entry's type, shape or offsets; or two entries' at once, which is how bytes are read twice. */
function mutateEntry(random: Random, root: Node): void {
  if (root.kind !== "object") return;
  const entries = root.entries.filter(([key]) => key !== "__metadata__");
  if (entries.length === 0) return;
  const [, entry] = random.pick(entries);
  const text = (value: unknown): Node => ({ kind: "text", text: JSON.stringify(value) });
  const shape = at(entry, "shape"), offsets = at(entry, "data_offsets");
  if (entry.kind !== "object" || shape?.kind !== "array" || offsets?.kind !== "array") return;
  const [start, end] = offsets.items.map((item) => item.kind === "text" ? Number(item.text) : 0);
  const edge: Node = { kind: "text", text: String(random.pick(EDGES)) };
  switch (random.int(9)) {
    case 0:
      entry.entries = entry.entries.map((
        [k, v],
      ) => [k, k === "dtype" ? text(random.pick(TYPES)) : v]);
      return;
    case 1:
      if (shape.items.length > 0) shape.items[random.int(shape.items.length)] = edge;
      return;
    case 2: {
      // A product that comes out right only in arithmetic that wraps.
      const big = random.pick([["4294967296", "4294967296"], ["67108864", "67108864", "4096"]]);
      shape.items.push(...big.map((n): Node => ({ kind: "text", text: n })));
      if (random.once(2)) shape.items.push(text(0));
      return;
    }
    case 3:
      offsets.items[random.int(2)] = edge;
      return;
    case 4:
      offsets.items.reverse();
      return;
    case 5: {
      const shift = random.pick([1, -1, 4, -4]);
      offsets.items = [text(start! + shift), text(end! + shift)];
      return;
    }
    case 6: {
      const other = at(random.pick(entries)[1], "data_offsets");
      if (other?.kind === "array") offsets.items = other.items;
      return;
    }
    case 7:
      shape.items.reverse();
      return;
    default:
      // Many dimensions of one, which change no size.
      for (let n = random.pick([1, 100, 20_000]); n > 0; n--) shape.items.push(text(1));
  }
}

const TYPES = [
  ..."BOOL U8 I8 F8_E5M2 I16 F16 BF16 I32 F32 F64 I64 C64 F4 f32 toString __proto__".split(" "),
  "",
];

/** The JSON texts in a package's metadata, which are files of their own. */
function mutateMetadata(random: Random, root: Node): void {
  const metadata = at(root, "__metadata__");
  if (metadata?.kind !== "object") return;
  const key = random.pick(["config", "config", "tokenizer", "lanes", "lexicons"]);
  const inner = at(metadata, key);
  if (inner?.kind !== "text") return;
  const held: unknown = JSON.parse(inner.text.length < 100_000 ? inner.text : "0");
  if (typeof held !== "string") return;
  const bytes = mutateJson(random, held);
  const text = JSON.stringify(new TextDecoder().decode(bytes));
  metadata.entries = metadata.entries.map(([k, v]) => [k, k === key ? { kind: "text", text } : v]);
}

/** Makes a package one of before there were checksums. */
function dropChecksums(root: Node): void {
  const metadata = at(root, "__metadata__");
  if (metadata?.kind !== "object") return;
  metadata.entries = metadata.entries.filter(([key]) => key !== "xxh32");
}

/** A mutant of a safetensors file that may be a package. */
export function mutateSafetensors(random: Random, seed: Uint8Array): Uint8Array {
  if (random.once(6)) return mutateBytes(random, seed);
  const { header: stated, payload } = take(seed), root = treeOf(JSON.parse(stated));
  // Checksums see nearly every mutant first; what lies behind them is to be met as well.
  if (!random.once(8)) dropChecksums(root);
  const header = textOf(root);
  if (random.once(6)) {
    // Values, not structure: the bits of weights and scales.
    const spoilt = payload.slice(), view = new DataView(spoilt.buffer);
    for (let n = random.size(16); n > 0 && spoilt.length >= 4; n--) {
      const value = random.pick([NaN, Infinity, -Infinity, 3.4e38, 1e-45, -1, -0]);
      view.setFloat32(4 * random.int(spoilt.length >> 2), value, true);
    }
    return join(encoder.encode(header), spoilt);
  }
  for (let n = random.size(3); n > 0; n--) {
    random.pick([mutateEntry, mutateMetadata, mutateMetadata, mutateTree])(random, root);
  }
  const text = encoder.encode(textOf(root));
  if (random.once(8)) return join(text, payload, random.pick(EDGES));
  if (random.once(12)) return join(text, payload.slice(0, random.int(payload.length)));
  if (random.once(12)) return join(text, concat([payload, random.bytes(random.size(64))]));
  return random.once(12) ? mutateBytes(random, join(text, payload)) : join(text, payload);
}

/** A header alone, of a file that claims to be larger than any memory, and that claim. */
export function claim(random: Random): { bytes: Uint8Array; size: number } {
  const dtype = random.pick(["F32", "F32", "I8", "U8", "I64"]), rows = random.pick([1, 2 ** 20]);
  const width = { F32: 4, I8: 1, U8: 1, I64: 8 }[dtype]!;
  const columns = random.pick([2 ** 10, 2 ** 20, 2 ** 28, 2 ** 29]), need = rows * columns * width;
  const entry = { dtype, shape: [rows, columns], data_offsets: [0, need] };
  const header = encoder.encode(JSON.stringify({ "embeddings.word.weight": entry }));
  return { bytes: join(header, random.bytes(random.int(64))), size: 8 + header.length + need };
}

const LABELS = ["O", "B-A", "I-A", "B-", "I-", "b", "B-\ud800", "O ", "I-B", "B-I-A", "__proto__"]
  .concat(
    "E-A S-A L-A U-A E-B [PAD] <s> PAD E- S-".split(" "),
  );

/** Sizes that fill a kernel's tile, or miss it by one. */
const WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 36, 63, 64, 65, 130];

function oddConfig(random: Random, vocabSize: number): ModelConfig {
  const heads = random.pick([1, 1, 2, 3, 4, 5, 16]);
  const hiddenSize = heads * random.pick(random.once(2) ? [1, 2, 3, 4, 5, 8, 9, 16, 17] : [8]);
  const count = random.pick([1, 2, 3, 5, 9, random.size(1024)]);
  const plain = Array.from({ length: count }, (_, i) => `L${i}`);
  const tags = [...new Set(Array.from({ length: count }, () => random.pick(LABELS)))];
  return {
    hiddenSize,
    embeddingSize: random.once(3) ? random.pick(WIDTHS) : hiddenSize,
    layers: random.pick([1, 1, 2, 5]),
    heads,
    feedForwardSize: random.once(8) && hiddenSize < 6 ? 66_000 : random.pick(WIDTHS),
    vocabSize: vocabSize + random.pick([0, 0, 1, 100]),
    maxPositions: random.pick([1, 2, 3, 4, 5, 16, 64, 511, 513, 4096]),
    typeVocabSize: random.pick([0, 1, 2]),
    activation: random.pick(ACTIVATION_NAMES),
    head: random.once(3)
      ? { size: random.pick(WIDTHS), activation: random.pick(ACTIVATION_NAMES) }
      : undefined,
    layerNormEpsilon: random.pick([0, 1e-12, 1e-5, 0.999, 1e-320]),
    labels: random.once(2) ? plain : tags,
  };
}

/** Lexicons of odd words, rates and types. */
function oddLexicons(random: Random): Lexicons {
  const types = [...new Set(Array.from({ length: random.int(4) }, () => random.pick(LABELS)))]
    .filter((type) => type !== "");
  const lists = Array.from({ length: 1 + random.int(4) }, (): LexiconList => {
    const terms = random.once(4) ? 0 : random.size(40);
    const fingerprints = random.once(2)
      ? fingerprintsOf(random.pick([WORDS, WORDS.slice(1), [" "]])).words
      : Int32Array.from({ length: 2 * terms }, () => random.int(2 ** 32));
    const rates = Uint8Array.from(
      { length: fingerprints.length / 2 * (types.length + 2) },
      () => random.int(256),
    );
    return random.once(2)
      ? { type: undefined, fingerprints, rates }
      : { type: random.pick(LABELS) || "x", fingerprints, rates: undefined };
  });
  return { types, inflected: random.once(2), longest: random.pick([1, 2, 9, 128]), lists };
}

const WORDS = ["a", "the", "a b", "জ্বর", "প্যারাসিটামল", "\ud800x", "e\u0301", "1"];

/** Numbers that are all finite, and whose products need not be. */
function fill(random: Random, size: number, wild: boolean): Float32Array {
  const scale = wild ? random.pick([0, 1e-45, 1e-20, 1, 1e4, 1e19, 1e30, 3.4e38]) : 0.3;
  const step = 1 + random.int(7);
  return Float32Array.from({ length: size }, (_, i) => scale * ((i * step % 17) - 8) / 8);
}

function oddWeights(random: Random, config: ModelConfig): EncoderWeights {
  const wild = random.once(2);
  const numbers = (size: number): Float32Array => fill(random, size, wild && random.once(3));
  const matrix = (rows: number, columns: number) =>
    ({ type: "f32", rows, columns, data: numbers(rows * columns) }) as const;
  const linear = (rows: number, columns: number): LinearWeights => ({
    weight: matrix(rows, columns),
    bias: numbers(rows),
  });
  const norm = (n: number): NormWeights => ({ gamma: numbers(n), beta: numbers(n) });
  const { hiddenSize: h, embeddingSize: e, feedForwardSize: f } = config;
  return {
    config,
    wordEmbedding: matrix(config.vocabSize, e),
    positionEmbedding: matrix(config.maxPositions, e),
    typeEmbedding: config.typeVocabSize > 0 ? matrix(config.typeVocabSize, e) : undefined,
    embeddingNorm: norm(e),
    embeddingProjection: e === h ? undefined : linear(h, e),
    layers: Array.from({ length: config.layers }, () => ({
      qkv: linear(3 * h, h),
      attentionOutput: linear(h, h),
      attentionNorm: norm(h),
      up: linear(f, h),
      down: linear(h, f),
      feedForwardNorm: norm(h),
    })),
    ...(config.head && { headDense: linear(config.head.size, h) }),
    classifier: linear(config.labels.length, config.head?.size ?? h),
    ...(config.features !== undefined && {
      features: {
        input: matrix(config.features, e),
        window: matrix(3 * config.features, config.labels.length),
      },
    }),
  };
}

/**
 * Another budget than the one that a package's weights were made for, which they may keep or not: written without a
 * look at them.
 */
function otherBudget(random: Random, bytes: Uint8Array): Uint8Array {
  const { header, payload } = take(bytes), root = JSON.parse(header);
  const levels = random.pick([1, 2, 127, 128, 181, 200, 254, 255]);
  root.__metadata__.lanes = JSON.stringify({ levels, depth: 4 });
  return join(encoder.encode(JSON.stringify(root)), payload);
}

/** A coherent package of an odd model, float32, int8 or int8 with an int4 embedding; its lane budget may be a lie. */
export function oddPackage(random: Random, tokenizer: Tokenizer): Uint8Array {
  const lexicons = random.once(3) ? oddLexicons(random) : undefined;
  const config: ModelConfig = {
    ...oddConfig(random, tokenizer.vocabSize),
    ...(lexicons && { features: featureCount(lexicons) }),
  };
  const labels = config.labels.length;
  const full = oddWeights(random, config), kind = random.int(3);
  const lanes = random.once(2) ? { levels: random.pick([63, 127, 181, 255]), depth: 4 } : undefined;
  const weights = kind === 0
    ? full
    : quantizeEncoder(full, { embeddings: kind === 1 ? "int8" : "int4", lanes }).weights;
  const crf = random.once(2) ? undefined : {
    start: fill(random, labels, random.once(3)),
    end: fill(random, labels, random.once(3)),
    transitions: fill(random, labels * labels, random.once(3)),
  };
  const bytes = writePackage({ weights, crf, tokenizer, lexicons });
  return kind > 0 && random.once(2) ? otherBudget(random, bytes) : bytes;
}
