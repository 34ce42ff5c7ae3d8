/**
 * Choosing between WebAssembly and a GPU, and going on when the GPU is gone, without either: backends of this file's own,
 * which compute what the reference backend does, say who they are by a constant that they add, take the time of a clock
 * that stands still otherwise, and fail when they are told to.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  accelerate,
  type EngineRequest,
  type Gpu,
  type GpuBackendOptions,
} from "../../src/backend/accelerate.ts";
import type { Backend, PackedBatch } from "../../src/backend/backend.ts";
import { encode } from "../../src/backend/encoder.ts";
import { encodeInParts, PlainEngine } from "../../src/backend/engine.ts";
import { expectedBatch } from "../../src/backend/race.ts";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { InputError, type NerErrorCode, RuntimeError } from "../../src/errors.ts";
import type { Adapter } from "../../src/model/adapter.ts";
import type { EncoderWeights } from "../../src/model/weights.ts";
import { batchOf, configOf, randomWeights } from "../support.ts";

const config = configOf({ maxPositions: 32 });
const weights = randomWeights(config, 1);
const batch = batchOf(config, [5, 1, 9], 2);
const want = await encode(new ReferenceBackend(weights, 64), batch);

/** What the GPU of this file adds to each emission. */
const MARK = 1000;
const onGpu = want.map((value) => value + MARK);

/** Beside the encoder, an adapter that changes the head alone. */
const adapter: Adapter = {
  rank: 1,
  alpha: 1,
  parts: [],
  labels: ["O", "B-Z", "I-Z"],
  classifier: randomWeights(config, 3).classifier,
  crf: undefined,
};
const adapted = await encode(new ReferenceBackend(weights, 64).adapt(adapter), batch);

/** A world with a clock, a WebAssembly and a GPU. */
class World implements Gpu {
  time = 0;
  /** Milliseconds of a batch. */
  wasmTime = 5;
  gpuTime = 2;
  description = "A real GPU";
  software = false;
  /** What asking for an adapter ends with. */
  absent: RuntimeError | undefined;
  /** What making a backend ends with. */
  refused: RuntimeError | undefined;
  /** What reading ends with, each once, in turn. */
  readonly failures: (Error | undefined)[] = [];
  /** Adapters that were asked for. */
  adapters = 0;
  /** Backends that are open: who made them, and their shares. */
  readonly open = new Map<string, number>();
  /** Sizes of the batches that were run, by who ran them. */
  readonly runs: string[] = [];
  /** What the GPU's backends were made with. */
  readonly made: GpuBackendOptions[] = [];
  readonly lost: RuntimeError[] = [];

  readonly now = (): number => this.time;

  adapter() {
    this.adapters++;
    if (this.absent) return Promise.reject(this.absent);
    const { description, software } = this;
    return Promise.resolve({
      description,
      software,
      backend: (own: EncoderWeights, options: GpuBackendOptions): Promise<Backend> => {
        this.made.push(options);
        if (this.refused) return Promise.reject(this.refused);
        const backend = new ReferenceBackend(own, options.maxTokens);
        return Promise.resolve(this.#watched(backend, `gpu ${this.adapters}`));
      },
    });
  }

  /** A backend that costs time and may fail. */
  #watched(backend: Backend, who: string): Backend {
    const isGpu = who.startsWith("gpu");
    this.open.set(who, (this.open.get(who) ?? 0) + 1);
    let tokens = 0, closed = false;
    const own: Partial<Backend> = {
      name: who,
      begin: (batch: PackedBatch): void => {
        if (closed) throw new InputError("input/closed", "closed");
        tokens = batch.ids.length;
        backend.begin(batch);
      },
      read: async (x): Promise<Float32Array> => {
        const rows = await backend.read(x);
        this.time += isGpu ? this.gpuTime : this.wasmTime;
        this.runs.push(`${who}: ${tokens}`);
        const failure = isGpu ? this.failures.shift() : undefined;
        if (failure) throw failure;
        return isGpu ? rows.map((value) => value + MARK) : rows;
      },
      share: () => this.#watched(backend.share(), who),
      adapt: (adapter) => this.#watched(backend.adapt(adapter), who),
      close: () => {
        if (!closed) this.open.set(who, this.open.get(who)! - 1);
        closed = true;
      },
    };
    return new Proxy(backend, {
      get: (target, name): unknown => {
        if (Object.hasOwn(own, name)) return own[name as keyof Backend];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** An engine that somebody asks for here. */
  engine(kind: "webgpu" | "auto", more: Partial<EngineRequest> = {}) {
    return accelerate(this, {
      kind,
      weights: () => weights,
      maxTokens: undefined,
      maxSequence: 16,
      maxMemoryBytes: undefined,
      wasm: () => Promise.resolve(this.#watched(new ReferenceBackend(weights, 16), "wasm")),
      onGpuLost: (reason) => this.lost.push(reason),
      ...more,
    }, this.now);
  }

  /** Nothing is open. */
  get isEmpty(): boolean {
    return [...this.open.values()].every((count) => count === 0);
  }
}

const error = (code: NerErrorCode & `runtime/${string}`): RuntimeError =>
  new RuntimeError(code, `${code} of this test`);

const isCode = (code: NerErrorCode) => (error: { code?: string }): boolean => error.code === code;

/** What a promise is rejected with. */
async function failure(work: Promise<unknown>): Promise<{ code?: string }> {
  try {
    await work;
  } catch (error) {
    return error as { code?: string };
  }
  throw new Error("it was not rejected");
}

test("auto takes the GPU where it wins, and tells both times", async () => {
  const world = new World(),
    engine = await world.engine("auto", {
      expect: { tokens: 40, sequences: 4 },
    });
  // 40 tokens are three batches of 16 at most in WebAssembly, and one on the GPU.
  assert.equal(engine.gpu, {
    choice: "webgpu",
    reason: "a batch of 40 tokens took 20.0 ms in WebAssembly and 2.00 ms on the GPU",
    adapter: "A real GPU",
    software: false,
    race: { tokens: 40, sequences: 4, wasm: 20, webgpu: 2 },
  });
  assert.equal(await engine.encode(batch), onGpu);
  assert.is(engine.keepsThread, false);
  assert.is(engine.name, "gpu 1");
  engine.close();
  assert.ok(world.isEmpty);
});

test("auto stays with WebAssembly where that wins, and closes the GPU's backend", async () => {
  const world = new World();
  world.gpuTime = 6;
  const engine = await world.engine("auto", { expect: { tokens: 12, sequences: 1 } });
  assert.is(engine.gpu?.choice, "wasm");
  assert.equal(engine.gpu?.race, { tokens: 12, sequences: 1, wasm: 5, webgpu: 6 });
  assert.is(world.open.get("gpu 1"), 0);
  assert.equal(await engine.encode(batch), want);
  assert.is(engine.keepsThread, true);
  engine.close();
  assert.ok(world.isEmpty);
});

test("the size of the batch decides: what is expected is what is run", async () => {
  const world = new World();
  world.gpuTime = 11;
  const one = await world.engine("auto", { expect: { tokens: 16, sequences: 1 } });
  assert.is(one.gpu?.choice, "wasm");
  const many = await world.engine("auto", { expect: { tokens: 48, sequences: 3 } });
  assert.is(many.gpu?.choice, "webgpu");
  assert.ok(world.runs.includes("gpu 2: 48"));
});

test("auto never takes a program on the processor, and does not even race it", async () => {
  const world = new World();
  Object.assign(world, { software: true, description: "llvmpipe", gpuTime: 0 });
  const engine = await world.engine("auto");
  assert.is(engine.gpu?.choice, "wasm");
  assert.match(String(engine.gpu?.reason), /llvmpipe is a program on the processor/);
  assert.is(engine.gpu?.race, undefined);
  assert.equal(world.made, []);
});

test("a choice that is handed in skips the race", async () => {
  const world = new World();
  world.gpuTime = 50;
  const gpu = await world.engine("auto", { choice: "webgpu" });
  assert.is(gpu.gpu?.choice, "webgpu");
  assert.equal(world.runs, []);
  const wasm = await world.engine("auto", { choice: "wasm" });
  assert.is(wasm.gpu?.choice, "wasm");
  assert.is(world.adapters, 1, "no adapter is asked for in vain");
});

test("auto stays with WebAssembly where there is no adapter, no device, no room, or a loss in the race", async () => {
  for (
    const change of [
      { absent: error("runtime/no-gpu") },
      { refused: error("runtime/gpu") },
      { refused: error("runtime/memory") },
      { failures: [error("runtime/gpu-lost")] },
    ]
  ) {
    const world = Object.assign(new World(), change), engine = await world.engine("auto");
    assert.is(engine.gpu?.choice, "wasm");
    assert.match(String(engine.gpu?.reason), /of this test/);
    assert.equal(await engine.encode(batch), want);
    engine.close();
    assert.ok(world.isEmpty);
    assert.equal(world.lost, [], "a loss before the first call is no news");
  }
});

test("what is no fault of a GPU ends loading, and leaves nothing open", async () => {
  const world = new World();
  world.failures.push(new TypeError("a fault of this library"));
  assert.is((await failure(world.engine("auto"))).constructor, TypeError);
  assert.ok(world.isEmpty);
});

for (const code of ["runtime/gpu-lost", "runtime/gpu", "runtime/memory"] as const) {
  test(`auto finishes the call on WebAssembly (${code}), says so once, and stays there`, async () => {
    const world = new World(), engine = await world.engine("auto", { choice: "webgpu" });
    assert.equal(await engine.encode(batch), onGpu);
    world.failures.push(error(code));
    assert.equal(await engine.encode(batch), want);
    assert.equal(world.lost.map(({ code }) => code), [code]);
    assert.is(engine.gpu?.choice, "wasm");
    assert.match(String(engine.gpu?.lost), /of this test/);
    assert.is(engine.name, "wasm");
    assert.equal(await engine.encode(batch), want);
    assert.is(world.lost.length, 1);
    assert.is(world.open.get("gpu 1"), 0, "the GPU's memory is given back");
    engine.close();
    assert.ok(world.isEmpty);
  });
}

test("a loss that two calls meet at once is told once", async () => {
  const world = new World(), engine = await world.engine("auto", { choice: "webgpu" });
  const share = engine.share();
  world.failures.push(error("runtime/gpu-lost"), error("runtime/gpu-lost"));
  const found = await Promise.all([engine.encode(batch), share.encode(batch)]);
  assert.equal(found, [want, want]);
  assert.is(world.lost.length, 1);
});

test("a batch that was cut for the GPU is finished in as many as WebAssembly takes", async () => {
  const world = new World(), engine = await world.engine("auto", { choice: "webgpu" });
  const large = batchOf(config, [16, 3, 10, 16, 1], 7);
  world.failures.push(error("runtime/gpu-lost"));
  const rows = await engine.encode(large);
  assert.equal(rows, await encode(new ReferenceBackend(weights, 64), large));
  assert.equal(world.runs, ["gpu 1: 46", "wasm: 16", "wasm: 13", "wasm: 16", "wasm: 1"]);
});

test("who shares an encoder changes over with it, adapters included; each is closed by itself", async () => {
  const world = new World(), engine = await world.engine("auto", { choice: "webgpu" });
  const share = engine.share(), other = await engine.adapt(adapter);
  assert.equal(await share.encode(batch), onGpu);
  assert.equal(await other.encode(batch), adapted.map((value) => value + MARK));
  assert.equal(other.config.labels, adapter.labels);
  world.failures.push(error("runtime/gpu-lost"));
  assert.equal(await share.encode(batch), want);
  assert.equal(await other.encode(batch), adapted);
  assert.equal(await engine.encode(batch), want);
  assert.is(world.lost.length, 1);
  const late = await engine.adapt(adapter);
  assert.equal(await late.encode(batch), adapted);
  engine.close();
  assert.equal(await share.encode(batch), want);
  for (const open of [share, other, late]) open.close();
  assert.ok(world.isEmpty);
});

test("a caller's mistake and an aborted call change nothing over", async () => {
  const world = new World(), engine = await world.engine("auto", { choice: "webgpu" });
  assert.ok(isCode("input/batch")(await failure(engine.encode(batchOf(config, [40], 1)))));
  world.failures.push(new DOMException("no more", "AbortError"));
  assert.is((await failure(engine.encode(batch)) as Error).name, "AbortError");
  assert.equal(await engine.encode(batch), onGpu);
  assert.equal(world.lost, []);
});

test("webgpu throws what was lost, and the next call has another device", async () => {
  const world = new World(), engine = await world.engine("webgpu");
  assert.equal(engine.gpu, {
    choice: "webgpu",
    reason: "it was asked for",
    adapter: "A real GPU",
    software: false,
  });
  assert.equal(await engine.encode(batch), onGpu);
  assert.is(world.adapters, 1);
  const share = engine.share(), other = await engine.adapt(adapter);
  world.failures.push(error("runtime/gpu-lost"));
  assert.ok(isCode("runtime/gpu-lost")(await failure(engine.encode(batch))));
  assert.equal(await engine.encode(batch), onGpu);
  assert.is(world.adapters, 2);
  assert.is(engine.name, "gpu 2");
  // Those who share it have the new one as well, and not a third.
  assert.equal(await share.encode(batch), onGpu);
  assert.equal(await other.encode(batch), adapted.map((value) => value + MARK));
  assert.is(world.adapters, 2);
  assert.is(world.open.get("gpu 1"), 0);
  for (const open of [engine, share, other]) open.close();
  assert.ok(world.isEmpty);
});

test("calls that overlap after a loss open one device between them", async () => {
  const world = new World(), engine = await world.engine("webgpu"), share = engine.share();
  world.failures.push(error("runtime/gpu-lost"));
  await failure(engine.encode(batch));
  // One at a time is for encoders; opening a device comes before.
  const [one, two] = await Promise.all([engine.encode(batch), share.encode(batch)]);
  assert.equal(one, onGpu);
  assert.equal(two, onGpu);
  assert.is(world.adapters, 2);
});

test("webgpu without a GPU is refused, then and when a lost one cannot be had again", async () => {
  const world = new World();
  world.absent = error("runtime/no-gpu");
  assert.ok(isCode("runtime/no-gpu")(await failure(world.engine("webgpu"))));
  world.absent = undefined;
  const engine = await world.engine("webgpu");
  world.failures.push(error("runtime/gpu-lost"));
  await failure(engine.encode(batch));
  world.absent = error("runtime/no-gpu");
  assert.ok(isCode("runtime/no-gpu")(await failure(engine.encode(batch))));
  world.absent = undefined;
  assert.equal(await engine.encode(batch), onGpu);
  engine.close();
  assert.ok(isCode("input/closed")(await failure(engine.encode(batch))));
  assert.ok(world.isEmpty);
});

test("what webgpu refuses without being lost stays a refusal of that call", async () => {
  const world = new World(), engine = await world.engine("webgpu");
  world.failures.push(error("runtime/memory"));
  assert.ok(isCode("runtime/memory")(await failure(engine.encode(batch))));
  assert.equal(await engine.encode(batch), onGpu);
  assert.is(world.adapters, 1);
});

test("the limit of memory counts both backends", async () => {
  const world = new World(), wasm = new ReferenceBackend(weights, 16).memoryBytes;
  await world.engine("auto", { choice: "webgpu", maxMemoryBytes: wasm + 1000 });
  await world.engine("webgpu", { maxMemoryBytes: 2000 });
  assert.equal(world.made.map(({ maxMemoryBytes }) => maxMemoryBytes), [1000, 2000]);
  const engine = await world.engine("auto", { choice: "webgpu" });
  assert.ok(engine.memoryBytes > wasm);
});

test("a GPU has room for what is expected, within bounds, or for what the caller says", async () => {
  const world = new World();
  for (
    const more of [
      {},
      { expect: { tokens: 6000, sequences: 400 } },
      { expect: { tokens: 1 << 20, sequences: 1 << 16 } },
      { maxTokens: 100 },
    ]
  ) await world.engine("webgpu", more);
  assert.equal(world.made.map(({ maxTokens }) => maxTokens), [4096, 6000, 8192, 100]);
});

test("the batch of a race has the tokens and the sequences that are expected", () => {
  const wide = { config: { ...config, features: 3 }, maxSequence: 16 };
  const { ids, offsets, features } = expectedBatch({ tokens: 50, sequences: 4 }, wide);
  assert.equal([...offsets], [0, 13, 25, 38, 50]);
  assert.is(features?.length, 150);
  assert.ok(ids.every((id) => id >= 0 && id < config.vocabSize));
  // What is too long for the model goes through it in several windows.
  const long = expectedBatch({ tokens: 50, sequences: 1 }, wide);
  assert.equal([...long.offsets], [0, 16, 32, 48, 50]);
});

test("a batch in parts gives what it gives as a whole, features included", async () => {
  const own = configOf({ features: 2 }), backend = new ReferenceBackend(randomWeights(own, 5), 128);
  const large = batchOf(own, [7, 7, 2, 30, 1, 12], 4);
  const whole = await encode(backend, large);
  for (const maxTokens of [30, 31, 47, 59]) {
    const engine = new PlainEngine(backend), runs: number[] = [];
    const limited = Object.create(engine, {
      maxTokens: { value: maxTokens },
      config: { value: own },
      encode: {
        value: (part: PackedBatch) => {
          runs.push(part.ids.length);
          return engine.encode(part);
        },
      },
    }) as PlainEngine;
    assert.equal(await encodeInParts(limited, large), whole);
    assert.ok(runs.every((tokens) => tokens <= maxTokens), `${runs} at ${maxTokens}`);
  }
});

test.run();
