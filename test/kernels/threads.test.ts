/**
 * Threads: the same bits with any number of them, and every way in which there are none.
 *
 * No tolerance. Real threads of the runtime that runs this, over shared memory; how many chunks each took is
 * read from the kernels' own counters, so that a test in which the others slept cannot pass.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseKernels, type ChosenKernels } from "../../src/kernels/module.ts";
import { COMMANDS, CONTROL_TAKEN } from "../../src/kernels/contract.ts";
import { cutProduct, cutRows, rowsF32, rowsInt8, scratchF32 } from "../../src/kernels/cut.ts";
import { Program } from "../../src/kernels/program.ts";
import type { Thread, Threading, ThreadTask } from "../../src/kernels/threads.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { type InputError, RuntimeError } from "../../src/errors.ts";
import { encode } from "../../src/backend/encoder.ts";
import { ADAPTED, type Adapter } from "../../src/model/adapter.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { importSharedMemory, threadBody } from "../../src/runtime/threads.ts";
import { platform } from "../../src/runtime/platform_default.ts";
import { defaultKernels, Ner } from "../../src/runtime/ner.ts";
import { compileKernel, MODULES } from "../../tools/build/assemblyscript.ts";
import { batchOf, bits, configOf, normal, random, randomWeights, shipped } from "../support.ts";

type Starter = Threading["start"];
const start: Starter = (platform.threads as { start: Starter }).start;

const bytes = await compileKernel(MODULES.baseline);
const shared = await chooseKernels([await WebAssembly.compile(importSharedMemory(bytes))]);
const pairsBytes = await compileKernel({ ...MODULES.pairs, dot: "saturating" });
const sharedPairs = await chooseKernels(
  [await WebAssembly.compile(importSharedMemory(pairsBytes))],
  { lanes: true },
);
const alone = await chooseKernels([await shipped("baseline")]);

const config = configOf({
  features: 9,
  hiddenSize: 96,
  heads: 3,
  layers: 3,
  feedForwardSize: 200,
  labels: Array.from({ length: 7 }, (_, i) => `L${i}`),
  vocabSize: 500,
  maxPositions: 256,
});
const weights = randomWeights(config, 11), int8 = quantizeEncoder(weights).weights;
const lanes = quantizeEncoder(weights, { lanes: { levels: 181, depth: 4 } }).weights;
const batches = [[1], [2], [7, 1, 3], [200, 56], [5, 5, 5, 5, 90, 33, 2]].map((sizes, i) =>
  batchOf(config, sizes, i)
);

function make(chosen: ChosenKernels, kind: boolean | "lanes", threading?: Threading) {
  const own = kind === "lanes" ? lanes : kind ? int8 : weights;
  return WasmBackend.create(chosen, own, {
    precision: kind ? "int8" : "fp32",
    maxTokens: 256,
    threading,
  });
}

/** Runs until the backend has started its threads and each of them has taken part. */
async function warm(backend: WasmBackend): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (backend.threads.chunks.slice(1).some((taken) => taken === 0)) {
    assert.ok(performance.now() < deadline, `chunks: ${backend.threads.chunks}`);
    await encode(backend, batches[3]);
    // A worker's first message may wait for the event loop.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Whether an object is gone soon. What a collector does, and when, is its own business: it is asked, and given time. */
async function collected(reference: WeakRef<object>): Promise<boolean> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let i = 0; i < 100; i++) {
    // deref() keeps the object alive for the rest of its turn.
    if (reference.deref() === undefined) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc();
  }
  return false;
}

for (const quantized of [true, false, "lanes"] as const) {
  for (const threads of [2, 3]) {
    const name = quantized === "lanes" ? "int8 in lanes" : quantized ? "int8" : "fp32";
    test(`${name}, ${threads} threads: the bits of one thread`, async () => {
      const one = await make(alone, quantized);
      const many = await make(quantized === "lanes" ? sharedPairs : shared, quantized, {
        threads,
        maySleep: true,
        start,
      });
      assert.equal(many.threads, { threads, chunks: Array(threads).fill(0) });
      try {
        await warm(many);
        const before = many.threads.chunks, deadline = performance.now() + 20_000;
        let idle: boolean;
        do {
          for (const batch of batches) {
            assert.equal(bits(await encode(many, batch)), bits(await encode(one, batch)));
          }
          idle = many.threads.chunks.some((taken, t) => taken - before[t] < 100);
        } while (idle && performance.now() < deadline);
        assert.not(idle, `chunks: ${before} before, ${many.threads.chunks} after`);
      } finally {
        one.close();
        many.close();
      }
    });
  }
}

test("an adapter that comes when threads are at work: the bits of one thread", async () => {
  const next = random(3), rank = 8, { labels } = config;
  const matrix = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: normal(next, rows * columns, 0.1),
  });
  const inputs = (map: string) => map === "down" ? 200 : 96;
  const outputs = (map: string) => map === "up" ? 200 : 96;
  const adapter: Adapter = {
    rank,
    alpha: 16,
    labels,
    crf: undefined,
    parts: [0, 1, 2].flatMap((layer) =>
      ADAPTED.map((map) => ({
        layer,
        map,
        a: matrix(rank, inputs(map)),
        b: matrix(outputs(map), rank),
      }))
    ),
    classifier: { weight: matrix(labels.length, 96), bias: normal(next, labels.length, 1) },
  };
  for (const quantized of [true, false]) {
    const one = await make(alone, quantized);
    const many = await make(shared, quantized, { threads: 3, maySleep: true, start });
    const own = one.adapt(adapter);
    try {
      await warm(many);
      // Memory grows under threads that run.
      const adapted = many.adapt(adapter), before = adapted.threads.chunks;
      const deadline = performance.now() + 20_000;
      let idle: boolean;
      do {
        for (const batch of batches) {
          assert.equal(bits(await encode(adapted, batch)), bits(await encode(own, batch)));
          assert.equal(bits(await encode(many, batch)), bits(await encode(one, batch)));
        }
        idle = adapted.threads.chunks.some((taken, t) => taken - before[t] < 100);
      } while (idle && performance.now() < deadline);
      assert.not(idle, `chunks: ${before} before, ${adapted.threads.chunks} after`);
      many.close();
      assert.equal(bits(await encode(adapted, batches[4])), bits(await encode(own, batches[4])));
      adapted.close();
    } finally {
      one.close();
      own.close();
    }
  }
});

test("nothing is started before there was some work, and everything is ended by close", async () => {
  const tasks: ThreadTask[] = [];
  let ended = 0;
  const lazy: Starter = (task) => {
    tasks.push(task);
    return { terminate: () => void ended++ };
  };
  const backend = await make(shared, true, { threads: 4, maySleep: true, start: lazy });
  await encode(backend, batches[0]);
  assert.is(tasks.length, 0);
  const want = bits(await encode(backend, batches[4]));
  for (let i = 0; i < 100_000 && tasks.length === 0; i++) await encode(backend, batches[3]);
  assert.equal(tasks.map((task) => task.thread), [1, 2, 3]);
  // They never come, and the run does not wait for them.
  assert.equal(bits(await encode(backend, batches[4])), want);
  assert.is(backend.threads.threads, 4);
  assert.equal(backend.threads.chunks.slice(1), [0, 0, 0]);
  backend.close();
  backend.close();
  assert.is(ended, 3);
});

test("of several threads those that run go on, and info says why there are fewer", async () => {
  for (const late of [true, false]) {
    const ended: number[] = [];
    const some: Starter = (task, failed): Thread => {
      if (task.thread === 2 && !late) throw new Error("no more threads");
      if (task.thread === 2) setTimeout(() => failed("no more threads"));
      return { terminate: () => void ended.push(task.thread) };
    };
    const backend = await make(shared, true, {
      threads: late ? 4 : 3,
      maySleep: true,
      start: some,
    });
    for (let i = 0; i < 100_000 && backend.threads.reason === undefined; i++) {
      await encode(backend, batches[3]);
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const { threads, reason } = backend.threads;
    assert.equal([threads, reason], [late ? 3 : 2, "no more threads"]);
    backend.close();
    assert.equal(ended, late ? [1, 3] : [1]);
  }
});

test("a backend that is dropped without close gives its memory and its threads back", async () => {
  let ended = 0, memory: WeakRef<WebAssembly.Memory> | undefined;
  const counted: Starter = (task) => {
    memory = new WeakRef(task.memory);
    return { terminate: () => void ended++ };
  };
  await (async () => {
    const backend = await make(shared, true, { threads: 3, maySleep: true, start: counted });
    for (let i = 0; i < 100_000 && !memory; i++) await encode(backend, batches[3]);
  })();
  assert.ok(await collected(memory!));
  assert.is(ended, 2);
});

test("close gives the memory back while the backend is still referred to", async () => {
  let memory: WeakRef<WebAssembly.Memory> | undefined;
  const seen: Starter = (task) => {
    memory = new WeakRef(task.memory);
    return { terminate: () => {} };
  };
  const backend = await make(shared, true, { threads: 2, maySleep: true, start: seen });
  for (let i = 0; i < 100_000 && !memory; i++) await encode(backend, batches[3]);
  backend.close();
  assert.ok(await collected(memory!));
  assert.is(backend.threads.threads, 2);
});

test("a batch of nothing has no emissions, and operations may come in any order", async () => {
  for (const quantized of [true, false]) {
    const one = await make(alone, quantized), nothing = batchOf(config, [], 1);
    assert.is((await encode(one, nothing)).length, 0);
    // What waits must be done before its tensors are written again.
    const { hidden, update } = one.workspace, [layer] = one.layers;
    const results: Uint32Array[] = [];
    for (const early of [true, false]) {
      one.begin(batches[2]);
      one.embed(hidden);
      one.linear(hidden, layer.attentionOutput, update);
      one.addNorm(hidden, update, layer.attentionNorm);
      if (early) results.push(bits(await one.read(hidden)));
      else {
        one.embed(update);
        results.push(bits(await one.read(hidden)));
      }
    }
    assert.equal(results[1], results[0]);
    one.close();
  }
});

test("a thread that cannot run leaves one, and says why", async () => {
  for (const late of [true, false]) {
    const broken: Starter = (_, failed): Thread => {
      if (!late) throw new Error("no threads today");
      failed("no threads today");
      return { terminate: () => {} };
    };
    const backend = await make(shared, true, { threads: 2, maySleep: false, start: broken });
    for (let i = 0; i < 100_000 && backend.threads.threads > 1; i++) {
      await encode(backend, batches[3]);
    }
    assert.is(backend.threads.threads, 1);
    assert.is(backend.threads.reason, "no threads today");
    const one = await make(alone, true);
    assert.equal(bits(await encode(backend, batches[4])), bits(await encode(one, batches[4])));
    backend.close();
    one.close();
  }
});

test("a thread that comes late to a run that is over takes nothing of it", async () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  const { exports } = await WebAssembly.instantiate(shared.module, {
    env: { memory },
  }) as unknown as {
    exports: import("../../src/kernels/exports.ts").Kernels;
  };
  const control = 65536, program = 65536 + 1024, words = new Int32Array(memory.buffer);
  // One command that adds 0 to a row of 16: LayerNorm of zeros with beta 1 gives 1.
  const x = 2 * 65536, beta = x + 512, floats = new Float32Array(memory.buffer);
  floats.fill(1, beta >> 2, (beta >> 2) + 16);
  new Program(COMMANDS, { memory, address: program, capacity: 1 }).add("add_norm", 1, {
    x,
    update: x + 1024,
    n: 16,
    gamma: x + 2048,
    beta,
    epsilon: 1e-6,
    rows: 1,
    chunkRows: 1,
  });
  exports.run(control, program, 1);
  assert.equal([...floats.subarray(x >> 2, (x >> 2) + 16)], Array(16).fill(1));
  assert.is(words[(control + CONTROL_TAKEN) >> 2], 1, "this thread took the one chunk");
  // Generations wrap around past 0, which means "before the first run", and -1, "ended".
  for (const [last, next] of [[0x7ffffffe, 0x7fffffff], [0x7fffffff, 1], [1, 2]]) {
    words[control >> 2] = last;
    exports.run(control, program, 1);
    assert.is(words[control >> 2], next);
  }
  const taken = words[(control + CONTROL_TAKEN) >> 2];
  assert.is(taken, 4);
  // Another thread saw run 1 begin, and gets to it when the commands are already those of run 5.
  words.set([3, 5, 3, 5], program >> 2);
  words[control >> 2] = 1;
  const worker = start(
    { module: shared.module, memory, signed: 0, control, program, thread: 1 },
    assert.unreachable,
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.is(words[((control + CONTROL_TAKEN) >> 2) + 1], 0);
  exports.stop(control);
  worker.terminate();
});

test("cuts cover everything, in whole blocks up to the last rows", () => {
  for (const block of [1, 4, 5]) {
    for (const threads of [1, 2, 5, 64]) {
      for (let m = 1; m < 2000; m += 1 + (m >> 4)) {
        const cut = cutRows(m, block, threads);
        const last = m - (cut.chunks - 1) * cut.rows;
        assert.ok(cut.rows % block === 0 && last > 0, `${m} rows: ${JSON.stringify(cut)}`);
        assert.ok(cut.chunks === 1 || (last >= 8 && last < cut.rows + 8));
      }
    }
  }
  for (const threads of [1, 2, 5, 64]) {
    for (let m = 1; m < 2000; m += 1 + (m >> 4)) {
      for (const [k, panels] of [[16, 2], [768, 288], [3072, 96], [256, 6], [4096, 512]]) {
        for (const shape of [rowsInt8(k), rowsInt8(2 * k), rowsF32(k)]) {
          const product = cutProduct({ m, k, panels, ...shape }, threads);
          const groups = Math.ceil(panels / product.panels), blocks = product.chunks / groups;
          const rest = m - (blocks - 1) * product.rows, most = Math.max(rest, product.rows);
          assert.ok(product.rows % shape.block === 0 && Number.isInteger(blocks) && rest > 0);
          assert.is(product.panels % 2, 0);
          assert.ok(blocks === 1 || (rest >= 8 && rest < product.rows + 8));
          if (shape.block === 4) {
            const packed = Math.ceil(Math.min(m, most) / 4) * 4 * shape.rowBytes;
            assert.ok(packed <= scratchF32(m), `${most} of ${m} rows`);
          }
        }
      }
    }
  }
});

const model = new URL("../../models/meder/meder-int8.safetensors", import.meta.url).pathname;

test("Ner: the option, the default, and what info says", async () => {
  for (const threads of [0, 65, 1.5, NaN]) {
    try {
      await Ner.load(model, { threads });
      assert.unreachable();
    } catch (error) {
      assert.is((error as InputError).code, "input/option");
    }
  }
  const one = await Ner.load(model, { threads: 1 }), two = await Ner.load(model, { threads: 2 });
  assert.is(one.info().threads, 1);
  assert.is(one.info().threadsReason, undefined);
  assert.is(two.info().threads, 2);
  const texts = Array.from(
    { length: 40 },
    (_, i) => "জ্বরে প্যারাসিটামল ৫০০ মিগ্রা খাওয়া যায়। ".repeat(1 + i % 7),
  );
  for (let round = 0; round < 3; round++) {
    assert.equal(await two.extractBatch(texts), await one.extractBatch(texts));
  }
  two.close();
  one.close();
  for (const threads of [1, 2]) {
    const kernels = await defaultKernels({ shared: true });
    const ner = await Ner.load(model, { threads, kernels });
    assert.is(ner.info().threads, threads);
    assert.is(ner.info().threadsReason, undefined);
    ner.close();
  }
  const reference = await Ner.load(model, { threads: 2, backend: "reference" });
  assert.match(reference.info().threadsReason!, /reference/);
  assert.is(reference.info().threads, 1);
  const given = await Ner.load(model, { threads: 2, kernels: [await shipped("baseline")] });
  assert.is(given.info().threads, 1);
  assert.match(given.info().threadsReason!, /kernels that were given do not import shared memory/);
  given.close();
});

test("Ner: a model that takes more memory than allowed is refused before its weights are read", async () => {
  let read = 0;
  const file = await Deno.readFile(model);
  const source = {
    size: file.length,
    chunks: (async function* () {
      for (let at = 0; at < file.length; at += 4096) {
        read += 4096;
        yield file.subarray(at, at + 4096);
      }
    })(),
  };
  try {
    await Ner.fromStream(source, { maxMemoryBytes: 4e6 });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RuntimeError);
    assert.is((error as RuntimeError).code, "runtime/memory");
    assert.match(
      (error as Error).message,
      /would take \d+ bytes of memory, and maxMemoryBytes leaves it \d+: allow more/,
    );
  }
  assert.ok(read < file.length / 4, `${read} of ${file.length} bytes were read`);
  for (const maxMemoryBytes of [0, -1, NaN]) {
    try {
      await Ner.load(model, { maxMemoryBytes });
      assert.unreachable();
    } catch (error) {
      assert.is((error as InputError).code, "input/option");
    }
  }
});

test("a thread's program is what the kernels export", () => {
  for (const name of ["int8_set_signed", "work"]) {
    assert.match(threadBody, new RegExp(`exports\\.${name}(\\?\\.)?\\(`));
    assert.ok(WebAssembly.Module.exports(shared.module).some((e) => e.name === name));
  }
});

test.run();
