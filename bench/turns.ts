/**
 * What it costs to let others have their turn: the recogniser as it is, over the same parts without a pause.
 *
 * `deno run -A bench/turns.ts [--seconds N] [--threads N]`. Pairs of short passes, one of each, in turned order from pair to
 * pair; a pair's ratio is what both have in common taken out. Printed is the median of all ratios with the interval in which
 * the true median lies in 95 of 100 runs (of the order statistics, which asks nothing of how ratios are spread): whoever
 * wants .98 told from .95 runs it until the interval holds one of them only.
 *
 * Time is the processor's own, this process's on all its threads, so that other programs take no part of it; with
 * more threads than one, whose waiting would count as work, it is the clock's. The longest time that the event loop was kept,
 * as a timer sees it, is measured apart, since a timer that ticks is work: on a busy machine it is the machine's.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { defaultKernels, Ner, readPackage, withoutLexicons } from "../mod.ts";
import { parseTags } from "../src/crf/scheme.ts";
import { assemble } from "../src/ner/assemble.ts";
import { entitiesOf, type Entity } from "../src/ner/entities.ts";
import { emissionsOf } from "../src/ner/passes.ts";
import { Queue } from "../src/ner/turns.ts";
import { threadsOf } from "../src/runtime/threading.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    threads: { type: "string", default: "1" },
  },
});
const limit = Number(values.seconds) * 1000, threads = Number(values.threads);
const path = new URL("../models/meder/meder-int8.safetensors", import.meta.url);
const bytes = await Deno.readFile(path);
const SENTENCE = "রোগীর তিন দিন ধরে জ্বর ও মাথাব্যথা, তাকে প্যারাসিটামল ৫০০ মিলিগ্রাম দেওয়া হয়েছে। ";
const long = SENTENCE.repeat(Math.ceil(50_000 / SENTENCE.length)).slice(0, 50_000);

// Terms are looked for in either way, and take no turns.
const bundle = withoutLexicons(readPackage(bytes)), ner = await Ner.fromBundle(bundle, { threads });
const threading = threadsOf(threads);
const parts = await assemble(bundle, {
  kernels: await defaultKernels({ shared: threads > 1 }),
  threading,
});
const tags = parseTags(parts.engine.config.labels), queue = new Queue();

/** What the recogniser does, with nobody else in mind. */
async function straight(texts: readonly string[]): Promise<Entity[][]> {
  const encodings = texts.map((text) => parts.tokenizer.encode(text));
  const emissions = await emissionsOf(parts.engine, encodings, parts.tokenizer, {
    pause: () => undefined,
    queue,
    check: () => {},
    passed: () => {},
  });
  return texts.map((text, i) => entitiesOf(text, encodings[i], emissions[i], parts.crf, tags));
}

/** Milliseconds of processor or clock until now. */
function now(): number {
  if (threads > 1) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The longest that a timer had to wait while `work` ran, in milliseconds. */
async function longestWait(work: () => Promise<unknown>): Promise<number> {
  let last = performance.now(), longest = 0, going = true;
  const tick = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (going) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  going = false;
  await new Promise((resolve) => setImmediate(resolve));
  return longest;
}

/** The median, and the two values between which the true one lies in 95 of 100 runs. */
function medianOf(values: readonly number[]): { median: number; low: number; high: number } {
  const sorted = values.toSorted((a, b) => a - b), n = sorted.length;
  // Ranks of a binomial distribution of n throws, by the normal one: n is above ten.
  const half = 0.98 * Math.sqrt(n);
  return {
    median: (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2,
    low: sorted[Math.max(0, Math.floor(n / 2 - half))],
    high: sorted[Math.min(n - 1, Math.ceil(n / 2 + half))],
  };
}

const LEAST = 12;
const mixes: Readonly<Record<string, { short: readonly string[]; whole: readonly string[] }>> = {
  "one sentence": { short: Array(8).fill(SENTENCE), whole: [SENTENCE] },
  "batches": { short: Array(16).fill(SENTENCE), whole: Array(400).fill(SENTENCE) },
  "long texts": { short: [long.slice(0, 2000)], whole: [long] },
};
for (const [name, { short, whole }] of Object.entries(mixes)) {
  const single = whole.length === 1 && whole[0] === SENTENCE;
  /** Texts one by one where one sentence is asked for, else all in a call. */
  const over = (one: (texts: readonly string[]) => Promise<unknown>) => async () => {
    if (!single) await one(short);
    else for (const text of short) await one([text]);
  };
  const ways = [over(straight), over((texts) => ner.extractBatch(texts))];
  const ratios: number[] = [];
  const measure = async (pair: number): Promise<number> => {
    const taken = [0, 0];
    for (const way of pair % 2 === 0 ? [0, 1] : [1, 0]) {
      const start = now();
      await ways[way]();
      taken[way] = now() - start;
    }
    return taken[0] / taken[1];
  };
  // Engines make code faster that has run for a while.
  for (let pair = 0; pair < 4; pair++) await measure(pair);
  const end = performance.now() + limit;
  while (ratios.length < LEAST || performance.now() < end) {
    ratios.push(await measure(ratios.length));
  }
  const { median, low, high } = medianOf(ratios);
  const kept = await longestWait(() => ner.extractBatch(whole));
  const before = await longestWait(() => straight(whole));
  console.log(
    `${name}: throughput ${median.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}) of that ` +
      `without turns, by ${
        threads > 1 ? "the clock" : "processor time"
      }, ${ratios.length} pairs; ` +
      `${whole.length} of ${whole[0].length} characters keep the loop ${kept.toFixed(1)} ms at ` +
      `most, without turns ${before.toFixed(1)} ms`,
  );
}
ner.close();
parts.engine.close();
