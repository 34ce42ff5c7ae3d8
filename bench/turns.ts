/**
 * What it costs to let others have their turn: the recogniser as it is, over the same parts without a pause.
 *
 * `deno run -A bench/turns.ts [--seconds N] [--threads N]`. Both take turns within one run; the ratio of the best
 * rounds is printed, and beside it the longest time that the event loop was kept, as a timer sees it: on a machine that
 * does something else as well, that is the machine's.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { defaultKernels, Ner, readPackage } from "../mod.ts";
import { parseTags } from "../src/crf/scheme.ts";
import { assemble } from "../src/ner/assemble.ts";
import { entitiesOf, type Entity } from "../src/ner/entities.ts";
import { emissionsOf } from "../src/ner/passes.ts";
import { Queue } from "../src/ner/turns.ts";
import { threadsOf } from "../src/runtime/threading.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "4" }, threads: { type: "string", default: "1" } },
});
const limit = Number(values.seconds) * 1000, threads = Number(values.threads);
const path = new URL("../models/meder/meder-int8.safetensors", import.meta.url);
const bytes = await Deno.readFile(path);
const SENTENCE = "রোগীর তিন দিন ধরে জ্বর ও মাথাব্যথা, তাকে প্যারাসিটামল ৫০০ মিলিগ্রাম দেওয়া হয়েছে। ";
const long = SENTENCE.repeat(Math.ceil(50_000 / SENTENCE.length)).slice(0, 50_000);

const ner = await Ner.fromBytes(bytes, { threads });
const threading = threadsOf(threads);
const parts = await assemble(readPackage(bytes), {
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

/** Milliseconds that `work` took, and the longest that a timer had to wait meanwhile. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; gap: number }> {
  let last = performance.now(), gap = 0, going = true;
  const start = last;
  const tick = (): void => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
    if (going) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  const ms = performance.now() - start;
  going = false;
  await new Promise((resolve) => setImmediate(resolve));
  return { ms, gap };
}

const mixes: Readonly<Record<string, readonly string[]>> = {
  "one sentence": [SENTENCE],
  "batch of 400": Array(400).fill(SENTENCE),
  "50,000 characters": [long],
};
for (const [name, texts] of Object.entries(mixes)) {
  const rounds = {
    straight: { ms: Infinity, gap: Infinity },
    turns: { ms: Infinity, gap: Infinity },
  };
  const repeat = texts.length === 1 && texts[0] === SENTENCE ? 200 : 1;
  const ways = {
    straight: () => straight(texts),
    turns: () => ner.extractBatch(texts),
  };
  const end = performance.now() + limit;
  for (let i = 0; i < 3 || performance.now() < end; i++) {
    for (const way of ["straight", "turns"] as const) {
      const { ms, gap } = await timed(async () => {
        for (let k = 0; k < repeat; k++) await ways[way]();
      });
      rounds[way] = { ms: Math.min(rounds[way].ms, ms), gap: Math.min(rounds[way].gap, gap) };
    }
  }
  const ratio = rounds.straight.ms / rounds.turns.ms;
  console.log(
    `${name}: throughput ${ratio.toFixed(3)} of that without turns ` +
      `(${(rounds.turns.ms / repeat).toFixed(2)} and ${
        (rounds.straight.ms / repeat).toFixed(2)
      } ms); ` +
      `the loop was kept ${rounds.turns.gap.toFixed(1)} ms at most, ` +
      `without turns ${rounds.straight.gap.toFixed(1)} ms`,
  );
}
ner.close();
parts.engine.close();
