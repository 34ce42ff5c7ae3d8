/**
 * Feeds the library malformed input and holds it to its promises: `deno task fuzz`.
 *
 *     deno task fuzz --seconds 60                      all targets in turn
 *     deno task fuzz --seconds 60 --target onnx --seed 7
 *     deno task fuzz --target onnx --seed 7 --case 123 [--save FOLDER]
 *
 * The target graph-change asks for more, see twin.ts: that what is accepted is what ONNX Runtime computes.
 *
 * Promised is: an input is read, or refused by one of the library's own errors; no other error, no trap, no
 * hang, no memory out of proportion, and afterwards everything still works. What is accepted must run. A case
 * is made from seed, target and number alone, so each failure is printed with the command that repeats it.
 *
 * Exits with 1 when something failed. Where RESULT_FILE is set, the counts are appended to it.
 *
 * Weak: mutation finds what is near to a good file. There is no feedback from coverage, so a branch behind
 * two unlikely conditions is met by chance only.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { report } from "../tools/check/report.ts";
import type { Outcome } from "./case.ts";
import { Worker } from "./pool.ts";
import { TARGETS } from "./targets.ts";
import type { Work } from "./worker.ts";

/** Cases that a worker is given at a time. */
const CHUNK = 25;
/** Failures of a kind that are printed; what is broken fails a thousand times in the same way. */
const SHOWN = 2;

interface Tally {
  cases: number;
  accepted: number;
  failed: number;
  readonly refused: Map<string, number>;
  /** Accepted ones by kind, for targets that tell several. */
  readonly kinds: Map<string, number>;
  slowest: Outcome | undefined;
  /** Of the cases that were no failure. */
  reading: Outcome | undefined;
  using: Outcome | undefined;
}

const HELP =
  `Feeds the library malformed input, and graphs with one change, and holds it to its promises.

  deno task fuzz [--seconds 60] [--cases N] [--target NAME]... [--seed 1] [--jobs 2]
  deno task fuzz --target NAME --seed 7 --case 123 [--save FOLDER]

  --seconds N    how long; each target has one round of cases at least
  --cases N      at most so many of each target, in rounds of ${CHUNK}
  --target NAME  only this target; repeatable: ${TARGETS.map(({ name }) => name).join(", ")}
  --seed N       which cases: the same seed gives the same ones
  --case N       only this case, with all there is to say about it
  --save FOLDER  writes the case's files there
  --jobs N       processes at a time
  --inject PATH  a module with further targets

Exits with 1 when something failed, with 2 for options that cannot be.`;

/** The command line as it is; throws where it cannot be. */
function parse() {
  return parseArgs({
    options: {
      help: { type: "boolean", short: "h" },
      seconds: { type: "string", default: "60" },
      cases: { type: "string" },
      seed: { type: "string", default: "1" },
      target: { type: "string", multiple: true },
      case: { type: "string" },
      save: { type: "string" },
      jobs: { type: "string", default: "2" },
      inject: { type: "string" },
    },
  });
}

/** The command line, or what is wrong with it and what could be right. */
function commandLine(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    Deno.exit(2);
  }
}

const { values } = commandLine();
if (values.help) {
  console.log(HELP);
  Deno.exit(0);
}

function integer(name: "seconds" | "cases" | "seed" | "case" | "jobs", text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} is ${JSON.stringify(text)}; expected an integer of at least 0.`);
  Deno.exit(2);
}

const seed = integer("seed", values.seed);
const injected = values.inject && new URL(values.inject, `file://${Deno.cwd()}/`).href;
const names = values.target ?? TARGETS.map(({ name }) => name);
const tallies = new Map(names.map((name): [string, Tally] => [name, {
  cases: 0,
  accepted: 0,
  failed: 0,
  refused: new Map(),
  kinds: new Map(),
  slowest: undefined,
  reading: undefined,
  using: undefined,
}]));
/** Failures by target and message, numbers left out: how many, and one of them. */
const kinds = new Map<string, { count: number; readonly index: number }>();
let failures = 0;

function most(a: Outcome | undefined, b: Outcome, of: "ms" | "reading" | "using"): Outcome {
  return a !== undefined && a[of] >= b[of] ? a : b;
}

function hear({ target }: Work, outcome: Outcome): void {
  const tally = tallies.get(target)!;
  tally.cases++;
  if (outcome.verdict === "failed") {
    tally.failed++;
    failures++;
    const name = `${target}: ${outcome.what.replace(/\d+/g, "#").slice(0, 160)}`;
    const kind = kinds.get(name) ?? { count: 0, index: outcome.index };
    kinds.set(name, kind);
    if (++kind.count <= SHOWN) show(target, outcome);
    return;
  }
  const count = (counts: Map<string, number>): unknown =>
    counts.set(outcome.what, (counts.get(outcome.what) ?? 0) + 1);
  if (outcome.verdict === "accepted") tally.accepted++;
  if (outcome.verdict === "accepted" && outcome.what !== "") count(tally.kinds);
  if (outcome.verdict === "refused") count(tally.refused);
  tally.slowest = most(tally.slowest, outcome, "ms");
  tally.reading = most(tally.reading, outcome, "reading");
  tally.using = most(tally.using, outcome, "using");
}

function show(target: string, { index, what }: Outcome): void {
  const inject = values.inject === undefined ? "" : ` --inject ${values.inject}`;
  console.log(`FAIL ${target} ${index}: ${what}`);
  console.log(`     deno task fuzz --target ${target} --seed ${seed} --case ${index}${inject}`);
}

function known(worker: Worker): void {
  const unknown = names.find((name) => !worker.targets.includes(name));
  if (unknown === undefined) return;
  console.error(`There is no target ${unknown}; expected ${worker.targets.join(", ")}.`);
  Deno.exit(2);
}

/** Runs one case and says all there is to say about it. */
async function one(index: number): Promise<void> {
  const worker = new Worker(injected, hear);
  worker.onNote = (text) => console.log(text);
  await worker.start();
  known(worker);
  for (const target of names) {
    await worker.run({ target, seed, from: index, count: 1, verbose: true, save: values.save });
  }
  await worker.end();
}

/** Runs chunks of all targets in turn until the time is over, or each has had `cases`. */
async function many(seconds: number, cases: number): Promise<void> {
  const end = performance.now() + seconds * 1000, chunks = names.length * Math.ceil(cases / CHUNK);
  let chunk = 0;
  const draw = (): Work => {
    const target = names[chunk % names.length]!, from = Math.floor(chunk / names.length) * CHUNK;
    chunk++;
    return { target, seed, from, count: CHUNK };
  };
  const jobs = Array.from({ length: Math.max(1, integer("jobs", values.jobs)) }, async () => {
    const worker = new Worker(injected, hear);
    await worker.start();
    known(worker);
    // Once around, however short the time.
    while (chunk < names.length || chunk < chunks && performance.now() < end) {
      await worker.run(draw());
    }
    await worker.end();
  });
  const progress = setInterval(() => {
    const left = Math.max(0, Math.round((end - performance.now()) / 1000));
    const cases = [...tallies].map(([name, { cases }]) => `${name} ${cases}`).join(", ");
    console.log(`${left} s left: ${cases}; ${failures} failures`);
  }, 10_000);
  await Promise.all(jobs);
  clearInterval(progress);
}

const mega = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function summary(): void {
  for (const [name, tally] of tallies) {
    const { cases, accepted, failed, refused, kinds } = tally;
    console.log(`\n${name}: ${cases} cases, ${accepted} accepted, ${failed} failed`);
    for (const [kind, count] of [...kinds].sort((a, b) => b[1] - a[1])) {
      console.log(`  ${String(count).padStart(7)}  accepted: ${kind}`);
    }
    for (const [code, count] of [...refused].sort((a, b) => b[1] - a[1])) {
      console.log(`  ${String(count).padStart(7)}  ${code}`);
    }
    const { slowest, reading, using } = tally;
    if (slowest !== undefined) {
      console.log(`  slowest ${slowest.ms.toFixed(0)} ms (case ${slowest.index})`);
    }
    for (const [what, outcome] of [["reading", reading], ["using", using]] as const) {
      if (outcome === undefined || outcome[what] === 0) continue;
      console.log(
        `  ${what} took at most ${mega(outcome[what])}, ` +
          `of ${mega(outcome.size)} of input (case ${outcome.index})`,
      );
    }
  }
  if (kinds.size > 0) console.log("\nFailures by kind:");
  for (const [kind, { count, index }] of kinds) {
    console.log(`  ${String(count).padStart(5)}  ${kind} (first: case ${index})`);
  }
}

if (values.case !== undefined) {
  await one(integer("case", values.case));
  for (const { cases, failed, accepted } of tallies.values()) {
    if (cases > 0 && failed === 0) console.log(accepted > 0 ? "accepted" : "refused");
  }
} else {
  const cases = values.cases === undefined ? Infinity : integer("cases", values.cases);
  await many(integer("seconds", values.seconds), cases);
  summary();
}
console.log();
const total = [...tallies.values()].reduce((sum, { cases }) => sum + cases, 0);
console.log(`${total} cases, ${failures} failed`);
// A target is one test: thousands of mutants are not thousands of things that were checked by hand.
const ran = [...tallies.values()].filter(({ cases }) => cases > 0);
const broken = ran.filter(({ failed }) => failed > 0).length;
report("fuzz", ran.length - broken, broken);
