/**
 * How large the student of arXiv 2605.25463 becomes here, and how much memory it takes to run.
 *
 * `deno run -A bench/paper_student.ts [--sampled] [--vocab vocab.txt]`
 *
 * The student's shapes (102,025 pieces, 4 layers, hidden size 768, 13 labels and a CRF) with random weights,
 * through the functions that `edge-ner convert` uses: float32, int8, and int8 with an int4 word embedding.
 * What lane budgets cost is printed beside it; with --sampled also what rounding by sample text wins back, which takes
 * minutes. Memory is measured in a fresh process for each package, which loads it and runs one sentence; the peak is
 * the operating system's (`getrusage`), the runtime's own memory included, and a process that loads nothing
 * is measured beside it. A process of its own builds the packages, because a child starts with its
 * parent's peak. Nothing is kept: files are written to a temporary folder and removed.
 *
 * Without --vocab the pieces are made up, of Bengali syllables, about as long as those of the vocabulary
 * that the paper's teacher has (21 bytes); it is the one thing in a package whose size depends on content.
 *
 * Weights are as BERT's are before training: normal with a deviation of 0.02, LayerNorms 1 and 0, no biases.
 *
 * Weak: random weights have no outliers and their emissions no structure, so relative errors are only
 * roughly those of a trained model, and entities say nothing. The larger weights are, the larger the part of
 * the residual stream that has gone through int8: with a deviation of 1 / sqrt(inputs), 0.036, the error of
 * int8 is about half as large again.
 *
 * @module
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { SHAPES } from "./models.ts";
import {
  DifferenceMeter,
  LANE_DEPTH,
  Ner,
  quantizeEncoder,
  sampleInputs,
  writePackage,
} from "../mod.ts";
import type {
  EncoderWeights,
  F32Matrix,
  LinearWeights,
  ModelBundle,
  ModelConfig,
  NormWeights,
  QuantizeOptions,
} from "../mod.ts";
import { tokenizerFromVocab } from "../src/tokenizer/load.ts";

/** `initializer_range` of BERT (arXiv 1810.04805 and its released configurations). */
const INITIALIZER_RANGE = 0.02;

const SENTENCE = "ডায়াবেটিস রোগীর মেটফরমিন শুরুর আগে কিডনির কার্যক্ষমতা পরীক্ষা করা হয়।";

/** 32-bit numbers from a seed (xorshift, Marsaglia 2003), fast enough for a hundred million weights. */
function xorshift(seed: number): () => number {
  return () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed;
  };
}

const next = xorshift(20260523);

/** Roughly normal: the sum of the four bytes of a number. */
function normal(size: number, deviation: number): Float32Array {
  const factor = deviation / Math.sqrt((256 * 256 - 1) / 3);
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const bits = next();
    const sum = (bits & 255) + (bits >>> 8 & 255) + (bits >>> 16 & 255) + (bits >>> 24) - 510;
    out[i] = factor * sum;
  }
  return out;
}

/** Float32 weights of a shape. */
function randomWeights(config: ModelConfig): EncoderWeights {
  const { hiddenSize: h, feedForwardSize: f } = config;
  const matrix = (rows: number, columns: number): F32Matrix => ({
    type: "f32",
    rows,
    columns,
    data: normal(rows * columns, INITIALIZER_RANGE),
  });
  const linear = (rows: number, columns: number): LinearWeights => ({
    weight: matrix(rows, columns),
    bias: new Float32Array(rows),
  });
  const norm = (): NormWeights => ({
    gamma: new Float32Array(h).fill(1),
    beta: new Float32Array(h),
  });
  return {
    config,
    wordEmbedding: matrix(config.vocabSize, h),
    positionEmbedding: matrix(config.maxPositions, h),
    typeEmbedding: matrix(config.typeVocabSize, h),
    embeddingNorm: norm(),
    embeddingProjection: undefined,
    layers: Array.from({ length: config.layers }, () => ({
      qkv: linear(3 * h, h),
      attentionOutput: linear(h, h),
      attentionNorm: norm(),
      up: linear(f, h),
      down: linear(h, f),
      feedForwardNorm: norm(),
    })),
    classifier: linear(config.labels.length, h),
  };
}

const range = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i));
const CONSONANTS = [...range(0x995, 0x9a8), ...range(0x9aa, 0x9b0), "ল", ...range(0x9b6, 0x9b9)];
const SIGNS = ["", "", "", ...range(0x9be, 0x9c3), "ে", "ো", "্"];

/** Made-up pieces: special tokens, single characters in both places, then syllables. */
function syntheticVocab(size: number): string {
  const pieces = new Set(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
  for (const c of [...range(0x21, 0x40), ...range(0x5b, 0x7e), ...range(0x980, 0x9fe), "।"]) {
    pieces.add(c).add(`##${c}`);
  }
  const pick = <T>(list: readonly T[]): T => list[(next() >>> 0) % list.length];
  while (pieces.size < size) {
    let piece = next() % 6 === 0 ? "##" : "";
    for (let n = 2 + (next() >>> 0) % 5; n > 0; n--) piece += pick(CONSONANTS) + pick(SIGNS);
    pieces.add(piece);
  }
  return [...pieces].join("\n");
}

function paperStudent(vocab: string | undefined): ModelBundle {
  const config = SHAPES.paper, labels = config.labels.length;
  const text = vocab === undefined ? syntheticVocab(config.vocabSize) : readFileSync(vocab, "utf8");
  return {
    weights: randomWeights(config),
    crf: {
      start: normal(labels, 0.5),
      end: normal(labels, 0.5),
      transitions: normal(labels * labels, 0.5),
    },
    tokenizer: tokenizerFromVocab(text, { do_lower_case: false, strip_accents: false }),
  };
}

const EMBEDDINGS = ["int8", "int4"] as const;

/** Levels of the lane budgets whose cost is measured. */
const LEVELS = [127, 181, 204, 255] as const;

const MB = (bytes: number): string =>
  `${(bytes / 1e6).toFixed(1)} MB (${(bytes / 2 ** 20).toFixed(1)} MiB)`;

/** What one process measures of itself. */
interface Usage {
  /** Of `ner.info()`; 0 without a model. */
  readonly memoryBytes: number;
  readonly peakBytes: number;
  /** Resident when all is loaded and has run. */
  readonly residentBytes: number;
}

/** The measured process: loads a package, if one is named, and runs a sentence. */
async function measured(file: string | undefined, maxTokens: number): Promise<Usage> {
  let memoryBytes = 0;
  const ner = file === undefined ? undefined : await Ner.load(file, { maxTokens });
  if (ner) {
    await ner.extract(SENTENCE);
    memoryBytes = ner.info().memoryBytes;
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 200));
    (globalThis as { gc?: () => void }).gc?.();
  }
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const residentBytes = process.memoryUsage().rss;
  ner?.close();
  return { memoryBytes, peakBytes, residentBytes };
}

/** Runs this program with other arguments in a process of its own; what it prints, if that is wanted. */
async function self(args: readonly string[], stdout: "piped" | "inherit"): Promise<string> {
  const result = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--cached-only", "--v8-flags=--expose-gc"],
      ...[fileURLToPath(import.meta.url), ...args],
    ],
    stdout,
    stderr: "inherit",
  }).output();
  if (!result.success) throw new Error(`failed: ${args.join(" ")}`);
  return stdout === "piped" ? new TextDecoder().decode(result.stdout) : "";
}

/** Writes the packages to a folder and prints their sizes and errors. */
async function build(folder: string, vocab: string | undefined, sampled: boolean): Promise<void> {
  const student = paperStudent(vocab), { tokenizer } = student;
  console.log(`${vocab ?? "made-up vocabulary"}, ${tokenizer.vocabSize} ids\n`);
  const randomText = (): string => {
    const ids = Array.from({ length: 48 }, () => (next() >>> 0) % tokenizer.vocabSize);
    return ids.map((id) => tokenizer.idToToken(id)?.replace("##", "") ?? "").join(" ");
  };
  const texts = Array.from({ length: 8 }, randomText);
  const exact = await Ner.fromBundle(student, { backend: "fp32" });
  const wanted: Float32Array[] = [];
  for (const text of texts) wanted.push((await exact.emissions(text)).data);
  exact.close();
  const errorOf = async (options: QuantizeOptions): Promise<string> => {
    const { weights } = quantizeEncoder(student.weights, options);
    const ner = await Ner.fromBundle({ ...student, weights });
    const meter = new DifferenceMeter();
    for (const [i, text] of texts.entries()) {
      meter.add((await ner.emissions(text)).data, wanted[i]);
    }
    const { kernel } = ner.info();
    ner.close();
    return `rel. L2 against float32 ${meter.value.relativeL2.toFixed(4)} (${kernel} kernels)`;
  };
  for (const embeddings of EMBEDDINGS) {
    const { weights } = quantizeEncoder(student.weights, { embeddings });
    const bytes = writePackage({ ...student, weights });
    writeFileSync(join(folder, embeddings), bytes);
    const error = await errorOf({ embeddings });
    console.log(`embeddings ${embeddings}: package ${MB(bytes.length)}, ${error}`);
  }
  for (const levels of LEVELS) {
    const lanes = { levels, depth: LANE_DEPTH };
    console.log(`lane budget of ${levels} levels: ${await errorOf({ lanes })}`);
  }
  if (!sampled) return;
  const samples = await sampleInputs(student, Array.from({ length: 48 }, randomText));
  for (const levels of LEVELS) {
    const lanes = { levels, depth: LANE_DEPTH };
    console.log(
      `the same, rounded by sample text: ${levels} levels: ${await errorOf({ lanes, samples })}`,
    );
  }
}

async function main(vocab: string | undefined, sampled: boolean): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "paper-student-"));
  try {
    const flags = sampled ? ["--build-sampled", folder] : ["--build", folder];
    await self([...flags, ...(vocab ? [vocab] : [])], "inherit");
    const measure = async (...args: string[]): Promise<Usage> =>
      JSON.parse(await self(["--measure", ...args], "piped"));
    const idle = await measure("0");
    console.log(`\na process without a model: peak ${MB(idle.peakBytes)}`);
    for (const embeddings of EMBEDDINGS) {
      for (const maxTokens of ["128", "512"]) {
        const { memoryBytes, peakBytes, residentBytes } = await measure(
          maxTokens,
          join(folder, embeddings),
        );
        console.log(
          `embeddings ${embeddings}, maxTokens ${maxTokens}: memoryBytes ${MB(memoryBytes)}; ` +
            `above a process without a model: peak ${MB(peakBytes - idle.peakBytes)}, ` +
            `afterwards ${MB(residentBytes - idle.residentBytes)}`,
        );
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2), sampled = wanted.includes("--sampled");
const [flag, value, file] = wanted.filter((argument) => argument !== "--sampled");
if (flag === "--build" || flag === "--build-sampled") {
  await build(value, file, flag === "--build-sampled");
} else if (flag === "--measure") console.log(JSON.stringify(await measured(file, Number(value))));
else if (flag === undefined || (flag === "--vocab" && value !== undefined)) {
  await main(value, sampled);
} else {
  console.error("usage: paper_student.ts [--sampled] [--vocab vocab.txt]");
  process.exit(2);
}
