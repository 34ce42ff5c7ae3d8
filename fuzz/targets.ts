/**
 * The targets: which entry point reads which mutants, and what is done with those that it accepts.
 *
 * @module
 */
import {
  bundleFromCheckpoint,
  bundleFromExport,
  type CheckpointFiles,
  type ModelBundle,
  Ner,
  readPackage,
  writePackage,
} from "../mod.ts";
import { cpuUsage } from "node:process";
import { InputError, NerError } from "../src/errors.ts";
import { crfFromSafetensors } from "../src/formats/hf/crf.ts";
import { collectModel, streamPackage } from "../src/formats/package/stream.ts";
import { readSafetensors, type SafeTensors } from "../src/formats/safetensors/read.ts";
import { tokenizerFromJson, tokenizerFromVocab } from "../src/tokenizer/load.ts";
import type { Tokenizer, VocabConfig } from "../src/tokenizer/types.ts";
import { type Case, MEMORY_FACTOR, type Target } from "./case.ts";
import { checkEncoding, checkEntities, must, TEXTS, tryBundle } from "./promises.ts";
import { mutateJson } from "./json.ts";
import { mutateOnnx } from "./onnx.ts";
import { claim, mutateSafetensors, oddPackage } from "./package.ts";
import { EDGES, type Random } from "./random.ts";
import { TINY_VOCAB } from "./seeds.ts";
import { graphChange } from "./twin.ts";
import { mixed, NOT_TEXTS, repeated } from "./text.ts";
import { TRAINING } from "./training.ts";
import { mutateCheckpointConfig, mutateConfig, mutateTokenizer, mutateVocab } from "./tokenizer.ts";

const encoder = new TextEncoder();

/** Writes what was read as a package and reads that: the two must be one model. */
function roundTrip(bundle: ModelBundle): void {
  const bytes = writePackage(bundle);
  const again = writePackage(readPackage(bytes, { allowStripAccents: true }));
  must(bytes.length === again.length, "a package is written otherwise after it was read");
  must(bytes.every((byte, i) => byte === again[i]), "a package is written otherwise when read");
}

async function useBundle(value: unknown, random: Random): Promise<number> {
  const bundle = value as ModelBundle, { layers, config } = bundle.weights;
  must(layers.length === config.layers && Array.from(layers).every(Boolean), "a layer is missing");
  if (!random.once(4)) return await tryBundle(bundle, random);
  roundTrip(bundle);
  return await tryBundle(bundle, random);
}

const onnx: Target = {
  name: "onnx",
  make(random, seeds): Case {
    if (random.once(3)) {
      const { model: seed, config } = random.pick(seeds.graphs);
      const { model, external } = mutateOnnx(random, seed);
      return {
        files: { "model.onnx": model, ...Object.fromEntries(external) },
        read: () => bundleFromExport({ model, external, config, vocab: TINY_VOCAB }),
        use: (value) => useBundle(value, random),
      };
    }
    const files = random.pick(random.once(2) ? seeds.exports : seeds.zoo);
    const { model, external } = mutateOnnx(random, files.model);
    // What a zoo's model keeps outside stays there.
    for (const [name, bytes] of files.external ?? []) external.set(name, bytes);
    return {
      files: { "model.onnx": model, ...Object.fromEntries(external) },
      read: () => bundleFromExport({ ...files, model, external }),
      use: (value) => useBundle(value, random),
    };
  },
};

const checkpoint: Target = {
  name: "checkpoint",
  make(random, seeds): Case {
    const seed = random.pick(seeds.checkpoints), decoder = new TextDecoder();
    const files = { ...seed } as { -readonly [K in keyof CheckpointFiles]: CheckpointFiles[K] };
    const config = typeof seed.config === "string" ? seed.config : decoder.decode(seed.config);
    const model = seed.model as Uint8Array;
    if (random.once(3)) files.config = mutateCheckpointConfig(random, config);
    else files.model = mutateSafetensors(random, model);
    if (random.once(6)) {
      const shard = "model-00001-of-00001.safetensors", header = decoder.decode(model.subarray(8));
      const names = [...header.matchAll(/"([\w.]+)":\{"dtype"/g)].map((match) => match[1]!);
      const weight_map = Object.fromEntries(names.map((name) => [name, shard]));
      files.model = new Map([[shard, files.model as Uint8Array]]);
      files.index = mutateJson(random, JSON.stringify({ metadata: { total_size: 1 }, weight_map }));
    }
    const bytes = files.model instanceof Uint8Array ? files.model : model;
    return {
      files: { "model.safetensors": bytes, "config.json": encoder.encode(config) },
      read: () => bundleFromCheckpoint(files, { allowStripAccents: true }),
      use: (value) => useBundle(value, random),
    };
  },
};

const safetensors: Target = {
  name: "safetensors",
  make(random, seeds): Case {
    const bytes = mutateSafetensors(random, random.pick([...seeds.tensors, seeds.packages[0]!]));
    const labels = random.pick([4, 5, 7]);
    return {
      files: { "model.safetensors": bytes },
      read: () => readSafetensors(bytes),
      use(value): Promise<number> {
        let total = 0;
        for (const { data, shape } of (value as SafeTensors).tensors.values()) {
          must(data.buffer === bytes.buffer, "a tensor is no view of the file");
          must(shape.every((n) => Number.isSafeInteger(n) && n >= 0), "a dimension is no size");
          total += data.length;
        }
        must(total <= bytes.length, "tensors overlap");
        crfFromSafetensors(bytes, labels);
        return Promise.resolve(0);
      },
    };
  },
};

const packages: Target = {
  name: "package",
  make(random, seeds): Case {
    const odd = random.once(3);
    const bytes = odd
      ? oddPackage(random, random.pick(seeds.tokenizers))
      : mutateSafetensors(random, random.pick(seeds.packages));
    const final = odd && random.once(4) ? mutateSafetensors(random, bytes) : bytes;
    return {
      files: { "model.safetensors": final },
      read: () => readPackage(final, { allowStripAccents: true }),
      use: (value) => useBundle(value, random),
    };
  },
};

/** A file as it arrives: pieces of any size, in a buffer that is used again. */
async function* arriving(bytes: Uint8Array, most: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(most);
  for (let at = 0; at < bytes.length; at += most) {
    const part = bytes.subarray(at, at + most);
    buffer.set(part);
    yield await Promise.resolve(buffer.subarray(0, part.length));
  }
}

/** What a reader makes of a file: the model, or undefined for a typed error. */
async function attempt(read: () => unknown): Promise<ModelBundle | undefined> {
  try {
    return await read() as ModelBundle;
  } catch (error) {
    if (isTyped(error)) return undefined;
    throw error;
  }
}

const stream: Target = {
  name: "stream",
  // The file is read twice, and the good ones are copied once more.
  factor: 2 * MEMORY_FACTOR,
  make(random, seeds): Case {
    const seed = random.once(4)
      ? oddPackage(random, random.pick(seeds.tokenizers))
      : random.pick(seeds.packages);
    const spoilt = random.once(8) ? seed : mutateSafetensors(random, seed);
    const { bytes, size } = random.once(16)
      ? claim(random)
      : { bytes: spoilt, size: random.once(8) ? Number(random.pick(EDGES)) : spoilt.length };
    const piece = random.pick([1 << 16, 4096, 1000, 77]), options = { allowStripAccents: true };
    return {
      files: { "model.safetensors": bytes },
      async read(): Promise<unknown> {
        const streamed = async (): Promise<ModelBundle> => {
          const model = await streamPackage({ size, chunks: arriving(bytes, piece) }, options);
          return await collectModel(model);
        };
        if (size !== bytes.length) return await streamed();
        const whole = await attempt(() => readPackage(bytes, options));
        const parts = await attempt(streamed);
        must((whole === undefined) === (parts === undefined), "as a stream it is read otherwise");
        return parts ?? await streamed();
      },
      async use(value): Promise<number> {
        const again = writePackage(value as ModelBundle);
        const whole = writePackage(readPackage(bytes, options));
        must(again.every((byte, i) => byte === whole[i]), "as a stream it is another model");
        const chunks = arriving(bytes, piece);
        const ner = await Ner.fromStream({ size: bytes.length, chunks }, options);
        try {
          for (const text of TEXTS) checkEntities(text, await ner.extract(text));
          return ner.info().memoryBytes + 4 * bytes.length;
        } finally {
          ner.close();
        }
      },
    };
  },
};

/** Encodes texts, and the same again with the tokenizer that it says it is. */
function useTokenizer(tokenizer: Tokenizer, random: Random): Promise<number> {
  const again = tokenizerFromJson(JSON.stringify(tokenizer.toJSON()), { allowStripAccents: true });
  for (const text of [...TEXTS, mixed(random, 300)]) {
    checkEncoding(tokenizer, text);
    const [a, b] = [tokenizer.encode(text).ids, again.encode(text).ids];
    must(
      a.length === b.length && a.every((id, i) => id === b[i]),
      "written down, it is another one",
    );
  }
  return Promise.resolve(0);
}

const tokenizers: Target = {
  name: "tokenizer",
  make(random, seeds): Case {
    const seed = random.pick(seeds.exports), other = random.pick(seeds.vocabularies);
    const use = (value: unknown): Promise<number> => useTokenizer(value as Tokenizer, random);
    const options = { allowStripAccents: random.once(2) };
    const decoder = new TextDecoder();
    if (random.once(4)) {
      const vocab = mutateVocab(random, seed.vocab);
      const config = JSON.parse(seed.tokenizerConfig) as VocabConfig;
      return {
        files: { "vocab.txt": vocab },
        read: () => tokenizerFromVocab(decoder.decode(vocab), config, options),
        use,
      };
    }
    const json = mutateTokenizer(random, random.once(2) ? seed.tokenizer : other);
    return {
      files: { "tokenizer.json": json },
      read: () => tokenizerFromJson(decoder.decode(json), options),
      use,
    };
  },
};

const configs: Target = {
  name: "config",
  make(random, seeds): Case {
    const seed = random.pick(seeds.exports);
    const config = random.once(4) ? encoder.encode(seed.config) : mutateConfig(random, seed.config);
    const tokenizerConfig = mutateJson(random, seed.tokenizerConfig);
    const crf = random.once(4)
      ? undefined
      : random.once(3)
      ? random.pick(seeds.exports).crf
      : seed.crf;
    const parts = random.once(2)
      ? { vocab: seed.vocab, tokenizerConfig }
      : { tokenizer: random.once(3) ? mutateTokenizer(random, seed.tokenizer) : seed.tokenizer };
    return {
      files: {
        "model.onnx": seed.model,
        "config.json": config,
        "tokenizer_config.json": tokenizerConfig,
      },
      read: () =>
        bundleFromExport({ model: seed.model, config, crf, ...parts }, { allowStripAccents: true }),
      use: (value) => useBundle(value, random),
    };
  },
};

/** Shorter times than this are too coarse to compare. */
const MEASURABLE_MS = 50;

/** Milliseconds of processor time: a clock would count the machine's other work, most of it in what takes long. */
function timeOf(action: () => unknown): number {
  const start = cpuUsage();
  action();
  const { user, system } = cpuUsage(start);
  return (user + system) / 1000;
}

/** Eight times the text must not take much more than eight times the time, in the best of some tries. */
function checkLinear(tokenizer: Tokenizer, text: string): void {
  const short = text.slice(0, text.length >> 3);
  let long = timeOf(() => tokenizer.encode(text)), ratio = 0;
  for (let i = 0; i < 4; i++) {
    if (long < MEASURABLE_MS) return;
    ratio = long / timeOf(() => tokenizer.encode(short));
    if (ratio < 32) return;
    long = Math.min(long, timeOf(() => tokenizer.encode(text)));
  }
  must(false, `8 times the text takes ${Math.round(ratio)} times as long`);
}

const texts: Target = {
  name: "text",
  // One unit of U+FDFA is three bytes, and 18 units in compatibility form, with two places each, twice.
  factor: 512,
  make(random, seeds): Case {
    const { good } = seeds, kind = random.int(6);
    if (kind === 0) {
      const wrong = random.pick(NOT_TEXTS), valid = mixed(random, 50);
      const list = random.pick([wrong, [wrong], [valid, wrong], new Array(3)]);
      // Array.from sees the holes of a sparse array, which every() skips.
      const fine = Array.isArray(list) && Array.from(list).every((x) => typeof x === "string");
      return {
        files: {},
        read: () => undefined,
        async use(): Promise<number> {
          try {
            if (Array.isArray(list)) await good.extractBatch(list as string[]);
            else await good.extract(list as string);
          } catch (error) {
            if (error instanceof InputError) return 0;
            throw error;
          }
          must(fine, "what is no text was read as one");
          return 0;
        },
      };
    }
    const tokenizer = random.pick(seeds.tokenizers);
    const text = kind < 4 ? mixed(random, 3000) : repeated(random, random.size(200_000));
    return {
      files: { "text.txt": encoder.encode(text) },
      read: () => checkEncoding(tokenizer, text),
      async use(): Promise<number> {
        if (kind >= 4) checkLinear(tokenizer, text);
        const tokens = checkEncoding(seeds.tokenizers[0]!, text);
        const part = tokens > 4000 ? text.slice(0, 2000) : text;
        const alone = await good.extract(part);
        checkEntities(part, alone);
        const others = [mixed(random, 200), part, mixed(random, 20)];
        const batch = await good.extractBatch(others);
        others.forEach((other, i) => checkEntities(other, batch[i]!));
        must(JSON.stringify(batch[1]) === JSON.stringify(alone), "a batch gives another result");
        // Read several times over.
        return 4096 * text.length;
      },
    };
  },
};

/** All targets by name. */
export const TARGETS: readonly Target[] = [
  onnx,
  checkpoint,
  safetensors,
  packages,
  stream,
  tokenizers,
  configs,
  texts,
  graphChange,
  ...TRAINING,
];

/** Whether an error is one that a caller was promised. */
export function isTyped(error: unknown): error is NerError {
  return error instanceof NerError;
}
