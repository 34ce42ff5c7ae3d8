/**
 * The cases that every runtime runs, over bytes alone: no file, no network, nothing that a runtime may lack.
 *
 * The central one is the fingerprint: the SHA-256 of all emissions of a fixed list of texts, which must be
 * the one committed in `expected.json` on every runtime and with every kernel that the runtime accepts. A
 * runtime may refuse a kernel; it may not be a bit off. Scores pass through `Math.exp`, which engines round
 * as they like, so they are compared to 1e-6 only.
 *
 * @module
 */
import type * as library from "../../mod.ts";
import type { Recogniser } from "../../mod.ts";

/** What `mod.ts` exports, whichever build of it is under test. */
export type Library = typeof library;

/** An entity as `expected.json` holds it. */
export interface ExpectedEntity {
  readonly type: string;
  /** For people; lone surrogates are replaced, because JSON files are UTF-8. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** `expected.json`, written by `deno task test:deno --write`. */
export interface Expected {
  /** File name under models/. */
  readonly model: string;
  /** SHA-256 of the model's bytes, so that a new model is not mistaken for a wrong kernel. */
  readonly modelSha256: string;
  /** SHA-256 of the emissions' bytes, text after text, little-endian float32, by backend. */
  readonly emissionsSha256: {
    readonly int8: string;
    readonly fp32: string;
    /** Of {@link laneModel}. */
    readonly lanes: string;
  };
  /** The same of {@link headsSha256}. */
  readonly headsSha256: string;
  /** The same of {@link featuresSha256}. */
  readonly featuresSha256: string;
  /** The same, with the adapter of {@link adapterBytes} beside the model. */
  readonly adaptedSha256: { readonly int8: string; readonly fp32: string };
  /** SHA-256 of the parameters after the steps of training.ts. */
  readonly parametersSha256: string;
  /** The same after steps with a loss on attention weights. */
  readonly attentionSha256: string;
  readonly entities: readonly (readonly ExpectedEntity[])[];
  /** The models beside the default one, by name. */
  readonly others: Readonly<Record<string, ExpectedModel>>;
}

/** A model beside the default one. */
export interface ExpectedModel {
  readonly modelSha256: string;
  /** Its examples; what is hashed is made of them, see {@link textsOf} and {@link fingerprintTextsOf}. */
  readonly sentences: readonly string[];
  readonly emissionsSha256: { readonly int8: string; readonly fp32: string };
  /** Of {@link textsOf} the sentences. */
  readonly entities: readonly (readonly ExpectedEntity[])[];
}

/** What a case gets to work with. */
export interface Subject {
  readonly library: Library;
  /** The packed default model. */
  readonly model: Uint8Array;
  readonly expected: Expected;
}

/** One test: throws when it fails; may return a note to print. */
export interface Case {
  readonly name: string;
  run(subject: Subject): Promise<string | void>;
}

/** How a case ended. */
export interface Result {
  readonly name: string;
  readonly ok: boolean;
  /** Whether it was not run, for want of what the note says; then it counts neither as passed nor as failed. */
  readonly skipped?: boolean;
  readonly note: string;
}

const SENTENCES = [
  "রোগীর তিন দিন ধরে জ্বর ও মাথাব্যথা, তাকে প্যারাসিটামল ৫০০ মিলিগ্রাম দেওয়া হয়েছে।",
  "ডায়াবেটিস ও উচ্চ রক্তচাপের জন্য মেটফরমিন এবং অ্যামলোডিপিন খেতে বলা হয়েছে।",
  "ডেঙ্গু জ্বরে অ্যাসপিরিন খাওয়া উচিত নয়।",
];

/** What breaks offsets. */
const ODD: readonly string[] = [
  "",
  " \n\t",
  "।",
  // Astral characters count two UTF-16 units; the joined family is eleven.
  "🤒 শিশুটির কাশি 👩‍👩‍👧‍👦 এবং শ্বাসকষ্ট 🩺 হয়েছে।",
  // Scripts mixed, and the same letter composed (U+09DC) and decomposed (U+09A1 U+09BC).
  "Paracetamol 500 mg, Napa Extra ও ওমিপ্রাজল; বড়ি ব\u09dc\u09bf ব\u09a1\u09bc\u09bf।",
  // A lone surrogate is not a character, but a string may hold one.
  "জ্বর \ud83d কাশি",
];

/** Texts whose entities are in `expected.json`: a model's sentences, what breaks offsets, and one longer than any window. */
export function textsOf(sentences: readonly string[]): readonly string[] {
  const long = Array.from({ length: 40 }, (_, i) => sentences[i % sentences.length]).join(" ");
  return [...sentences, ...ODD, long];
}

/** The default model's. */
export const TEXTS: readonly string[] = textsOf(SENTENCES);

/** How many texts stand behind the fingerprint. */
const FINGERPRINTED = 200;

/**
 * The texts behind the fingerprint: {@link textsOf} the sentences, then words of theirs in any order, from one word to more
 * than a hundred, by a generator that is the same everywhere (Numerical Recipes' LCG, exact in doubles).
 */
export function fingerprintTextsOf(sentences: readonly string[]): readonly string[] {
  const texts = [...textsOf(sentences)];
  const words = texts.slice(0, -1).flatMap((text) => text.split(/\s+/)).filter(Boolean);
  let state = 1;
  const next = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
  while (texts.length < FINGERPRINTED) {
    const length = 1 + next(texts.length % 20 === 0 ? 120 : 24);
    texts.push(Array.from({ length }, () => words[next(words.length)]).join(" "));
  }
  return texts;
}

/** The default model's. */
export const FINGERPRINT_TEXTS: readonly string[] = fingerprintTextsOf(SENTENCES);

/** Memory that workerd grants an isolate in production; kept to everywhere. */
export const MEMORY_BUDGET: number = 128 * 1024 * 1024;

function assert(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

/** Throws unless both are the same in JSON. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  assert(a === e, `${what}: got ${a}, expected ${e}`);
}

/** Lower-case hexadecimal SHA-256. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The fingerprint of all emissions of the texts: each alone, or all in batches of 64.
 * The event loop gets a turn after each call, as a program's other work would take it.
 */
export async function fingerprint(
  ner: Recogniser,
  batched: boolean = false,
  texts: readonly string[] = FINGERPRINT_TEXTS,
): Promise<string> {
  const parts: Float32Array[] = [], step = batched ? 64 : 1;
  for (let i = 0; i < texts.length; i += step) {
    const found = await ner.emissionsBatch(texts.slice(i, i + step));
    parts.push(...found.map(({ data }) => data));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const bytes = new DataView(
    new ArrayBuffer(parts.reduce((sum, part) => sum + 4 * part.length, 0)),
  );
  let at = 0;
  for (const part of parts) {
    for (const value of part) {
      bytes.setFloat32(at, value, true);
      at += 4;
    }
  }
  return await sha256(new Uint8Array(bytes.buffer));
}

/** SHA-256 of the emissions of a few texts under heads of two layers: each activation, in int8 and in float32. */
export async function headsSha256(library: Library, model: Uint8Array): Promise<string> {
  const { weights, ...rest } = library.readPackage(model), { config } = weights, size = 40;
  let state = 1;
  const numbers = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return ((state >>> 20) - 2048) / 16384;
    });
  const linear = (rows: number, columns: number) => ({
    weight: { type: "f32" as const, rows, columns, data: numbers(rows * columns) },
    bias: numbers(rows),
  });
  const headDense = linear(size, config.hiddenSize),
    classifier = linear(config.labels.length, size);
  const hashes: string[] = [];
  for (const activation of ["gelu", "gelu_tanh", "tanh"] as const) {
    const headed = {
      ...weights,
      headDense,
      classifier,
      config: { ...config, head: { size, activation } },
    };
    for (const backend of ["int8", "fp32"] as const) {
      const ner = await library.Ner.fromBundle({ ...rest, weights: headed }, { backend });
      for (const { data } of await ner.emissionsBatch(TEXTS.slice(0, 9))) {
        const bytes = new DataView(new ArrayBuffer(4 * data.length));
        data.forEach((value, i) => bytes.setFloat32(4 * i, value, true));
        hashes.push(await sha256(new Uint8Array(bytes.buffer)));
      }
      ner.close();
    }
  }
  return await sha256(new TextEncoder().encode(hashes.join()));
}

/**
 * SHA-256 of the emissions of {@link TEXTS} under a model that takes lexicon features, with a caller's terms beside lists
 * that know no word: packed and read, in int8 and in float32.
 */
export async function featuresSha256(
  library: Library,
  model: Uint8Array,
  threads: number,
): Promise<string> {
  const { weights, ...rest } = library.readPackage(model), { config } = weights;
  let state = 5;
  const next = (): number => state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  const table = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: Float32Array.from({ length: rows * columns }, () => ((next() >>> 20) - 2048) / 4096),
  });
  const types = ["MED", "DIS", "ORG"], columns = types.length + 2, terms = 6;
  const fingerprints = () => Int32Array.from({ length: 2 * terms }, () => next() | 0);
  const lists = [
    {
      type: undefined,
      fingerprints: fingerprints(),
      rates: Uint8Array.from({ length: terms * columns }, () => next() >>> 24),
    },
    { type: "MED", fingerprints: fingerprints(), rates: undefined },
  ];
  const features = 2 * columns + 1 + 2;
  const packed = library.writePackage(library.addTerms({
    ...rest,
    weights: {
      ...weights,
      config: { ...config, features },
      features: {
        input: table(features, config.embeddingSize),
        window: table(3 * features, config.labels.length),
      },
    },
    lexicons: { types, inflected: true, longest: 12, lists },
  }, { lexicon: [{ type: "MED", terms: ["প্যারাসিটামল", "মেটফরমিন", "napa extra"] }] }));
  const hashes: string[] = [];
  for (const backend of ["int8", "fp32"] as const) {
    const ner = await library.Ner.fromBytes(packed, { backend, threads });
    const lexicon = [{ type: "DIS", terms: ["জ্বর", "ডায়াবেটিস", "উচ্চ রক্তচাপ"] }];
    const own = await ner.withLexicon({ lexicon });
    for (const recogniser of [ner, own]) {
      for (const { data } of await recogniser.emissionsBatch(TEXTS)) {
        const bytes = new DataView(new ArrayBuffer(4 * data.length));
        data.forEach((value, i) => bytes.setFloat32(4 * i, value, true));
        hashes.push(await sha256(new Uint8Array(bytes.buffer)));
      }
      recogniser.close();
    }
  }
  return await sha256(new TextEncoder().encode(hashes.join()));
}

/**
 * An adapter for the model, of rank 6, on every linear map, with labels of its own. Its numbers are multiples of 2^-12
 * by the generator of {@link FINGERPRINT_TEXTS}, so that no runtime brings its own.
 */
export function adapterBytes(library: Library, model: Uint8Array): Uint8Array {
  const { config } = library.readPackage(model).weights, rank = 6;
  const { hiddenSize: h, feedForwardSize: f } = config;
  const labels = ["O", "B-DRUG", "I-DRUG", "B-SIGN", "I-SIGN"];
  let state = 7;
  const numbers = (size: number): Float32Array =>
    Float32Array.from({ length: size }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return ((state >>> 23) - 256) / 4096;
    });
  const matrix = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: numbers(rows * columns),
  });
  const parts = Array.from({ length: config.layers }, (_, layer) =>
    library.ADAPTED.map((map) => ({
      layer,
      map,
      a: matrix(rank, map === "down" ? f : h),
      b: matrix(map === "up" ? f : h, rank),
    }))).flat();
  const crf = { start: numbers(5), end: numbers(5), transitions: numbers(25) };
  const classifier = { weight: matrix(labels.length, h), bias: numbers(labels.length) };
  const adapter = { rank, alpha: 12, parts, labels, classifier, crf };
  return library.writeAdapter(adapter, config).get("adapter_model.safetensors")!;
}

/** The model quantized again, to keep a lane budget. */
export function laneModel(library: Library, model: Uint8Array): Uint8Array {
  const bundle = library.readPackage(model);
  const { weights } = library.quantizeEncoder(bundle.weights, { lanes: { levels: 181, depth: 4 } });
  return library.writePackage({ ...bundle, weights });
}

/** Runs `action`, which must throw one of the library's errors; returns its code. */
export async function codeOf(library: Library, action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    assert(error instanceof library.NerError, `threw ${String(error)}, which is not a NerError`);
    const { code, message } = error as InstanceType<Library["NerError"]>;
    assert(/^[a-z0-9]+\/[a-z0-9-]+$/.test(code), `the error's code is ${code}`);
    assert(message.length > 10, `the error's message is ${JSON.stringify(message)}`);
    return code;
  }
  throw new Error("nothing was thrown");
}

/** Fingerprints of the model with each of `modules` that this engine does not refuse. */
export async function everyKernel(
  library: Library,
  model: Uint8Array,
  modules: readonly WebAssembly.Module[],
  threads: number,
  expected: string,
  texts: readonly string[] = FINGERPRINT_TEXTS,
): Promise<string> {
  const notes: string[] = [];
  let accepted = 0;
  for (const module of modules) {
    let ner;
    try {
      ner = await library.Ner.fromBytes(model, { kernels: [module], threads });
    } catch (error) {
      if ((error as { code?: string }).code !== "runtime/kernels") throw error;
      notes.push("refused");
      continue;
    }
    const { kernel } = ner.info();
    for (const batched of [false, true]) {
      const what = `SHA-256 with the ${kernel} kernel, ${batched ? "batched" : "alone"}`;
      equal(await fingerprint(ner, batched, texts), expected, what);
    }
    const { threads: used, threadsReason, threadChunks } = ner.info();
    equal(used, threads, `threads (${threadsReason})`);
    const idle = threadChunks.findIndex((chunks) => chunks === 0);
    assert(idle < 0, `thread ${idle} did nothing: ${threadChunks}`);
    ner.close();
    notes.push(`${kernel}${threads > 1 ? ` (chunks: ${threadChunks.join(", ")})` : ""}`);
    accepted++;
  }
  assert(accepted > 0, "every kernel was refused");
  return notes.join(", ");
}

/** Finds the entities of texts and compares them with what is expected, a list for each text. */
export async function sameEntities(
  ner: Recogniser,
  texts: readonly string[],
  expected: Expected["entities"],
): Promise<void> {
  for (const [i, text] of texts.entries()) {
    const entities = await ner.extract(text);
    for (const { start, end, text: slice } of entities) {
      equal(text.slice(start, end), slice, `text ${i}, slice(${start}, ${end})`);
    }
    const strip = (list: readonly ExpectedEntity[]): unknown[] =>
      list.map(({ type, start, end }) => [type, start, end]);
    equal(strip(entities), strip(expected[i]), `entities of text ${i}`);
    for (const [j, { score }] of entities.entries()) {
      const gap = Math.abs(score - expected[i][j].score);
      assert(gap < 1e-6, `score ${j} of text ${i} is ${score}, off by ${gap}`);
    }
  }
}

/** The cases, in order. */
export const CASES: readonly Case[] = [
  {
    name: "the model is the one that expected.json was made with",
    async run({ model, expected }): Promise<void> {
      equal(
        await sha256(model),
        expected.modelSha256,
        "SHA-256 of the model (renew with `deno task test:deno --write`)",
      );
    },
  },
  {
    name: "a model in bytes loads and finds its kernel by itself",
    async run({ library, model }): Promise<string> {
      const ner = await library.Ner.fromBytes(model);
      const info = ner.info();
      assert(ner instanceof library.Ner, "it is no instance of the exported class");
      ner.close();
      return `${info.backend}, ${info.kernel} kernel, ${info.memoryBytes} bytes`;
    },
  },
  {
    name: "entities are the expected ones, and slice to their text",
    async run({ library, model, expected }): Promise<void> {
      const ner = await library.Ner.fromBytes(model);
      await sameEntities(ner, TEXTS, expected.entities);
      ner.close();
    },
  },
  {
    name: "nothing is found in empty text",
    async run({ library, model }): Promise<void> {
      const ner = await library.Ner.fromBytes(model);
      equal(await ner.extract(""), [], "entities of the empty text");
      equal(await ner.extract(" \n\t"), [], "entities of white space");
      equal(await ner.extractBatch([]), [], "entities of no text");
      ner.close();
    },
  },
  {
    name: "the emissions' fingerprint is the committed one",
    async run({ library, model, expected }): Promise<string> {
      const ner = await library.Ner.fromBytes(model);
      equal(await fingerprint(ner), expected.emissionsSha256.int8, "SHA-256 of the emissions");
      const { kernel } = ner.info();
      ner.close();
      return `kernel: ${kernel}`;
    },
  },
  {
    name: "every kernel gives that fingerprint or is refused, alone and batched; one is not",
    async run({ library, model, expected }): Promise<string> {
      const modules = await library.defaultKernels();
      return await everyKernel(library, model, modules, 1, expected.emissionsSha256.int8);
    },
  },
  {
    name:
      "every kernel gives one fingerprint of a model with a lane budget, too, and one is the fastest",
    async run({ library, model, expected }): Promise<string> {
      const lanes = laneModel(library, model), ner = await library.Ner.fromBytes(lanes);
      const { kernel } = ner.info();
      ner.close();
      const modules = await library.defaultKernels();
      const all = await everyKernel(library, lanes, modules, 1, expected.emissionsSha256.lanes);
      return `${kernel} of ${all}`;
    },
  },
  {
    name: "so does every kernel on two threads, or it is said why there is one",
    async run({ library, model, expected }): Promise<string> {
      const ner = await library.Ner.fromBytes(model, { threads: 2 });
      const { threads, threadsReason } = ner.info();
      ner.close();
      if (threads === 1) {
        assert(threadsReason !== undefined, "no reason is given");
        equal(
          await codeOf(library, () => library.defaultKernels({ shared: true })),
          "runtime/unsupported",
          "code",
        );
        return `one thread: ${threadsReason}`;
      }
      const modules = await library.defaultKernels({ shared: true });
      const lanes = laneModel(library, model), { emissionsSha256 } = expected;
      return await everyKernel(library, model, modules, 2, emissionsSha256.int8) +
        "; with a lane budget: " +
        await everyKernel(library, lanes, modules, 2, emissionsSha256.lanes);
    },
  },
  {
    name: "so is that of the fp32 backend",
    async run({ library, model, expected }): Promise<void> {
      const ner = await library.Ner.fromBytes(model, { backend: "fp32" });
      equal(await fingerprint(ner), expected.emissionsSha256.fp32, "SHA-256 of the emissions");
      ner.close();
    },
  },
  ...(["int8", "fp32"] as const).map((backend): Case => ({
    name:
      `an adapter beside the model: its own fingerprint, ${backend}, and the model keeps its own`,
    async run({ library, model, expected }): Promise<string> {
      const ner = await library.Ner.fromBytes(model, { backend });
      const before = ner.info().memoryBytes, bytes = adapterBytes(library, model);
      const adapted = await ner.withAdapter(bytes), other = await ner.withAdapter(bytes);
      const hash = expected.adaptedSha256[backend];
      equal(await fingerprint(adapted), hash, "SHA-256 of the emissions, alone");
      equal(await fingerprint(other, true), hash, "SHA-256 of the emissions, batched");
      equal(await fingerprint(ner), expected.emissionsSha256[backend], "SHA-256 of the model's");
      const { memoryBytes, adapterBytes: own } = ner.info(), { adapterBytes: its } = other.info();
      equal(own, undefined, "the model's own adapter");
      ner.close();
      adapted.close();
      equal(
        (await other.extract(TEXTS[0])).every(({ type }) => /DRUG|SIGN/.test(type)),
        true,
        "types",
      );
      other.close();
      return `${its} bytes each, and ${memoryBytes - before} where the one in use lies`;
    },
  })),
  {
    name: "so is that of heads of two layers",
    async run({ library, model, expected }): Promise<void> {
      equal(await headsSha256(library, model), expected.headsSha256, "SHA-256 of the emissions");
    },
  },
  ...[1, 2].map((threads): Case => ({
    name: `a caller's terms beside a model's lexicons give the committed bits, threads: ${threads}`,
    async run({ library, model, expected }): Promise<void> {
      const found = await featuresSha256(library, model, threads);
      equal(found, expected.featuresSha256, "SHA-256 of the emissions");
    },
  })),
  {
    name: "a batch gives the same as each text alone",
    async run({ library, model }): Promise<void> {
      const ner = await library.Ner.fromBytes(model);
      const alone = [];
      for (const text of TEXTS) alone.push(await ner.extract(text));
      equal(await ner.extractBatch(TEXTS), alone, "entities of the batch");
      ner.close();
    },
  },
  {
    name: "damaged models give typed errors",
    async run({ library, model }): Promise<string> {
      const codes = new Set<string>();
      const damaged = model.slice();
      // Inside the header: the tensors no longer fit what it says.
      damaged.fill(0x7d, 16, 64);
      for (
        const bytes of [
          new Uint8Array(0),
          model.subarray(0, 7),
          model.subarray(0, model.length >> 1),
          model.subarray(0, model.length - 1),
          new TextEncoder().encode("<!doctype html><title>404</title>"),
          damaged,
        ]
      ) codes.add(await codeOf(library, () => library.Ner.fromBytes(bytes)));
      return [...codes].join(", ");
    },
  },
  {
    name: "wrong arguments give typed errors, and the instance works on",
    async run({ library, model, expected }): Promise<void> {
      const ner = await library.Ner.fromBytes(model);
      const before = await ner.extract(TEXTS[0]);
      equal(before.length, expected.entities[0].length, "entities before the errors");
      await codeOf(library, () => ner.extract(undefined as unknown as string));
      await codeOf(library, () => ner.extract(42 as unknown as string));
      await codeOf(library, () => ner.extractBatch(["a", null] as unknown as string[]));
      await codeOf(library, () => library.Ner.fromBytes("model" as unknown as Uint8Array));
      await codeOf(library, () => library.Ner.fromBytes(model, { kernels: [] }));
      equal(await ner.extract(TEXTS[0]), before, "entities after the errors");
      ner.close();
      await codeOf(library, () => ner.extract(TEXTS[0]));
      ner.close();
    },
  },
  {
    name: "a foreign kernel module gives a typed error",
    async run({ library, model }): Promise<string> {
      // The smallest module there is; runtimes that cannot compile from bytes have nothing to test.
      const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
      let module: WebAssembly.Module;
      try {
        module = new WebAssembly.Module(empty);
      } catch {
        return "not tested: this runtime compiles nothing from bytes";
      }
      return await codeOf(library, () => library.Ner.fromBytes(model, { kernels: [module] }));
    },
  },
  {
    name: "all memory together stays under a worker's 128 MiB",
    async run({ library, model }): Promise<string> {
      const ner = await library.Ner.fromBytes(model);
      for (const text of TEXTS) await ner.extract(text);
      const { memoryBytes } = ner.info();
      ner.close();
      assert(Number.isSafeInteger(memoryBytes) && memoryBytes > 0, `memoryBytes is ${memoryBytes}`);
      // The package itself may still be in memory while the instance is made from it.
      const total = memoryBytes + model.length;
      assert(total < MEMORY_BUDGET, `${total} bytes; the budget is ${MEMORY_BUDGET}`);
      return `${(total / 2 ** 20).toFixed(1)} MiB`;
    },
  },
];

/** Runs cases one after the other; a failure does not stop the rest. */
export async function runCases(cases: readonly Case[], subject: Subject): Promise<Result[]> {
  const results: Result[] = [];
  for (const { name, run } of cases) {
    try {
      results.push({ name, ok: true, note: await run(subject) ?? "" });
    } catch (error) {
      results.push({
        name,
        ok: false,
        note: error instanceof Error ? `${error.stack}` : String(error),
      });
    }
  }
  return results;
}
