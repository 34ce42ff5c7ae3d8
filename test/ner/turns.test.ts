/**
 * Work that gives the event loop its turns.
 *
 * No test asks the machine's clock, which a crowded machine stretches as it likes: a clock that is handed in advances
 * with every look at it, and what is counted is how often work pauses, and how much it does between two pauses.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner } from "../../mod.ts";
import { encode } from "../../src/backend/encoder.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { InputError } from "../../src/errors.ts";
import { PIECE_WORK } from "../../src/kernels/cut.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { Queue, SLICE_MS, Turns } from "../../src/ner/turns.ts";
import { batchOf, bits, configOf, randomWeights, shipped } from "../support.ts";

const folder = new URL("../fixtures/tiny-torchscript/", import.meta.url).pathname;
const kernels = [await shipped("baseline")];
const load = () => Ner.load(folder, { kernels });
const SENTENCE = "Metformin 500mg twice a day, পেটে ব্যথা হলে ডাক্তারকে জানান। ";
const LONG = SENTENCE.repeat(Math.ceil(50_000 / SENTENCE.length)).slice(0, 50_000);

/** The last that a clock said. */
let latest = 0;

/** Runs `work` with a clock that advances by `step` ms at every look; counts its looks and the loop's turns. */
async function counted<T>(
  step: number,
  work: () => Promise<T>,
): Promise<{ result: T; looks: number; turns: number }> {
  const { now } = performance;
  let looks = 0, turns = 0, going = true;
  // Not backwards: the event loop's last turn may have been by the machine's clock, or by an earlier one of these.
  latest = Math.max(latest, now.call(performance));
  performance.now = (): number => {
    looks++;
    return latest += step;
  };
  const count = (): void => {
    turns++;
    if (going) setImmediate(count);
  };
  setImmediate(count);
  try {
    return { result: await work(), looks, turns };
  } finally {
    going = false;
    performance.now = now;
  }
}

test("a slice of work, then a turn of the loop", async () => {
  let time = 0, taken = 0;
  const turns = new Turns({
    now: () => time,
    turn: () => {
      taken++;
      return new Promise((resolve) => setImmediate(resolve));
    },
  });
  assert.is(turns.pause(), undefined);
  time += SLICE_MS - 1;
  assert.is(turns.pause(), undefined);
  time += 1;
  const turn = turns.pause();
  assert.ok(turn instanceof Promise);
  await turn;
  // The loop had its turn: the slice begins anew, however late it is.
  time += 1000;
  assert.is(turns.pause(), undefined);
  assert.is(
    taken,
    3,
    "one asked for at the beginning of each slice, and the one that was waited for",
  );
});

test("a turn calls setImmediate where it is; a getter, which makes all of Node's timers, is asked by who goes on", async () => {
  const name = "setImmediate", own = Object.getOwnPropertyDescriptor(globalThis, name)!;
  let called = 0, asked = 0;
  const immediate = (callback: () => void): void => {
    called++;
    queueMicrotask(callback);
  };
  const getter = (): typeof immediate => {
    asked++;
    return immediate;
  };
  // A module of its own: the turns of other tests do not count.
  const { systemClock: { turn } } = await import("../../src/ner/turns.ts?alone");
  try {
    Object.defineProperty(globalThis, name, { value: immediate, configurable: true });
    await turn();
    assert.equal({ called, asked }, { called: 1, asked: 0 });
    Object.defineProperty(globalThis, name, { get: getter, configurable: true });
    for (let i = 0; i < 8; i++) await turn();
    assert.equal({ called, asked }, { called: 1, asked: 0 }, "eight turns by a channel");
    await turn();
    assert.is(called, 2);
    assert.ok(asked > 0);
  } finally {
    Object.defineProperty(globalThis, name, own);
  }
});

test("a pass is cut into pieces of bounded work, and the cuts change no bit", async () => {
  const config = configOf({
    hiddenSize: 256,
    heads: 2,
    layers: 1,
    feedForwardSize: 512,
    maxPositions: 600,
  });
  const weights = randomWeights(config, 1), batch = batchOf(config, [500, 9, 80], 2);
  const [chosen] = [await chooseKernels(kernels)];
  const backend = await WasmBackend.create(chosen, weights, { precision: "fp32", maxTokens: 600 });
  let pauses = 0;
  const cut = await encode(backend, batch, () => {
    pauses++;
    return Promise.resolve();
  });
  // Products and attention alone, multiplications: what lies between two pauses is at most PIECE_WORK.
  const work = 589 * (4 * 256 * 256 + 2 * 256 * 512) + 2 * 256 * (500 ** 2 + 80 ** 2);
  assert.ok(pauses >= work / PIECE_WORK - 1, `${pauses} pauses in ${work} multiplications`);
  for (const [first, length] of [[0, 500], [500, 9], [509, 80]]) {
    const ids = batch.ids.slice(first, first + length);
    const alone = await encode(backend, { ids, offsets: Int32Array.of(0, length) });
    const labels = config.labels.length;
    assert.equal(bits(cut.slice(first * labels, (first + length) * labels)), bits(alone));
  }
  backend.close();
});

test("a long text, a batch and many calls in a row let the loop in every few pauses", async () => {
  using ner = await load();
  const want = await ner.extract(LONG);
  // Two looks make a slice of 8 ms; a turn takes a look itself.
  const text = await counted(4, () => ner.extract(LONG));
  assert.equal(text.result, want);
  assert.ok(text.looks > 100, `${text.looks} looks`);
  assert.ok(text.turns >= text.looks / 5, `${text.turns} turns in ${text.looks} looks`);
  const batch = await counted(4, () => ner.extractBatch(Array(400).fill(SENTENCE)));
  assert.ok(batch.turns >= 400 / 5, `${batch.turns} turns in 400 texts`);
  const row = await counted(4, async () => {
    for (let i = 0; i < 100; i++) await ner.extract(SENTENCE);
  });
  assert.ok(row.turns >= 100 / 5, `${row.turns} turns in 100 calls`);
});

test("a clock that stands still gives no turns and stops nothing", async () => {
  using ner = await load();
  const { result, turns } = await counted(0, () => ner.extract(SENTENCE));
  assert.equal(result, await ner.extract(SENTENCE));
  assert.ok(turns <= 1, `${turns} turns`);
});

test("calls that overlap give what they give alone", async () => {
  using ner = await load();
  const texts = [LONG.slice(0, 3000), SENTENCE, LONG.slice(500, 2500), "x", ""];
  const alone = [];
  for (const text of texts) alone.push(await ner.extract(text));
  const { result } = await counted(4, () => Promise.all(texts.map((text) => ner.extract(text))));
  assert.equal(result, alone);
});

test("an aborted signal ends a call with its reason, before and in the middle; the recogniser works on", async () => {
  using ner = await load();
  const reason = new Error("enough");
  const failure = async (signal: AbortSignal): Promise<unknown> => {
    try {
      await ner.extract(LONG, { signal });
    } catch (error) {
      return error;
    }
  };
  assert.is(await failure(AbortSignal.abort(reason)), reason);
  const controller = new AbortController();
  let told = 0;
  const middle = ner.extract(LONG, {
    signal: controller.signal,
    onProgress: () => {
      if (++told === 3) controller.abort(reason);
    },
  }).catch((error) => error);
  assert.is(await middle, reason);
  assert.is(told, 3);
  assert.ok(Array.isArray(await ner.extract(SENTENCE)));
});

test("progress counts all tokens once and ends with all of them", async () => {
  using ner = await load();
  const seen: { done: number; total: number }[] = [];
  await ner.extractBatch([LONG, SENTENCE, ""], { onProgress: (now) => seen.push(now) });
  const total = ner.tokenize(LONG).length + ner.tokenize(SENTENCE).length;
  assert.ok(seen.every((now) => now.total === total));
  assert.ok(seen.every(({ done }, i) => done > (seen[i - 1]?.done ?? 0)));
  assert.is(seen.at(-1)!.done, total);
});

test("closing in the middle of a call ends it with an error, and using closes", async () => {
  const ner = await load();
  const code = await counted(4, async () => {
    const call = ner.extract(LONG).catch((error: InputError) => error.code);
    await new Promise((resolve) => setImmediate(resolve));
    ner.close();
    return await call;
  });
  assert.is(code.result, "input/closed");
  let kept: Ner;
  {
    using another = await load();
    kept = another;
  }
  const closed = await kept.extract("x").catch((error: InputError) => error);
  assert.instance(closed, InputError);
  assert.match((closed as InputError).message, /^extract: /);
});

test("unknown options are refused, with the name that was probably meant and the method", async () => {
  using ner = await load();
  const message = async (call: () => Promise<unknown>): Promise<string> => {
    const error = await call().catch((error: unknown) => error) as InputError;
    assert.instance(error, InputError);
    assert.is(error.code, "input/option");
    return error.message;
  };
  // deno-lint-ignore no-explicit-any
  const odd = (options: any) => options;
  assert.match(await message(() => ner.extract("x", odd({ Signal: 1 }))), /^extract: .*signal was/);
  assert.match(await message(() => ner.extractBatch([], odd(null))), /^extractBatch: options are/);
  assert.match(
    await message(() => ner.extract("x", odd({ signal: {} }))),
    /signal is an object; expected an AbortSignal/,
  );
  assert.match(await message(() => Ner.load(folder, odd({ backends: "int8" }))), /backend was/);
  assert.match(
    await message(() => Ner.load(folder, odd({ thread: 2 }))),
    /^Ner.load: .*threads was/,
  );
  assert.match(await message(() => Ner.load(folder, odd({ zzz: 2 }))), /there are backend, /);
});

test("a queue does one thing after the other, also after one that failed", async () => {
  const queue = new Queue(), order: number[] = [];
  const work = (n: number, fails = false) =>
    queue.run(async () => {
      order.push(n);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(-n);
      if (fails) throw new Error(String(n));
      return n;
    });
  const all = await Promise.allSettled([work(1), work(2, true), work(3)]);
  assert.equal(order, [1, -1, 2, -2, 3, -3]);
  assert.equal(all.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
});

test.run();
