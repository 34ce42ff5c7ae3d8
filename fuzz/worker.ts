/**
 * The process in which cases run: reads chunks of work from standard input, answers in lines of JSON.
 *
 * A process and not a thread, since a hostile input may exhaust the heap or the stack for good; the parent
 * has a watchdog and the worker a bounded heap. A line is written before each case, so that the
 * parent knows which one never came back.
 *
 * @module
 */
import process from "node:process";
import { type Case, MEMORY_CONSTANT, MEMORY_FACTOR, type Outcome, type Target } from "./case.ts";
import { Violation } from "./promises.ts";
import * as memory from "./memory.ts";
import { Random } from "./random.ts";
import { checkGood, loadSeeds, type Seeds } from "./seeds.ts";
import { isTyped, TARGETS } from "./targets.ts";

/** A run of consecutive cases. */
export interface Work {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** Also say, for each case, what the error was; for reproducing one. */
  readonly verbose?: boolean;
  /** Folder to write the input's files to. */
  readonly save?: string;
}

/** What the worker says. */
export type Said =
  | { readonly kind: "ready"; readonly targets: readonly string[] }
  | { readonly kind: "preparing" }
  | { readonly kind: "start"; readonly index: number }
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "done" };

/** The good model is tried after every failure, and after this many cases anyway. */
const CHECK_EVERY = 50;
/** What may be held after the good model was tried, beyond what was held at first. */
const HELD = 96 * 2 ** 20;

const encoder = new TextEncoder();

function say(said: Said): void {
  const line = encoder.encode(JSON.stringify(said) + "\n");
  for (let at = 0; at < line.length;) at += Deno.stdout.writeSync(line.subarray(at));
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  // Where it was thrown; paths below the repository only.
  const places = frames.slice(0, 4).map((line) =>
    line.replace(/^.*\/((?:src|fuzz|test|node_modules)\/)/, "$1")
  )
    .map((line) => line.trim().replace(/\)$/, ""));
  return `${error.name}: ${error.message.slice(0, 300)} [${places.join(" < ")}]`;
}

/** This process's time on processors: what it takes, however many others run. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function runCase(
  target: Target,
  work: Work,
  index: number,
  seeds: Seeds,
): Promise<Outcome> {
  const result = (verdict: Outcome["verdict"], what: string): Outcome => ({
    index,
    verdict,
    what,
    ms: processorMs() - begun,
    size,
    reading,
    using,
  });
  let begun = processorMs(), size = 0, reading = 0, using = 0, allowed = 0;
  let stage: "make" | "read" | "use" = "make";
  const share = (): number => (target.factor ?? MEMORY_FACTOR) * size + MEMORY_CONSTANT;
  const over = (bytes: number, limit: number): void => {
    if (bytes <= limit) return;
    throw new Violation(
      `${stage === "read" ? "reading" : "using"} ${size} bytes took ${bytes} bytes of memory, ` +
        `${limit} are allowed`,
    );
  };
  try {
    const made: Case = target.make(new Random(work.seed, target.name, index), seeds);
    for (const bytes of Object.values(made.files)) size += bytes.length;
    if (work.save !== undefined) {
      for (const [name, bytes] of Object.entries(made.files)) {
        Deno.mkdirSync(work.save, { recursive: true });
        Deno.writeFileSync(`${work.save}/${name.replace(/[^\w.]/g, "_")}`, bytes);
      }
    }
    if (work.verbose && made.what) say({ kind: "note", text: made.what() });
    begun = processorMs();
    stage = "read";
    memory.start();
    const value = await made.read();
    reading = memory.taken();
    over(reading, share());
    stage = "use";
    memory.start();
    allowed = await made.use(value);
    using = memory.taken();
    over(using, 2 * allowed + share());
    return result("accepted", made.kind?.() ?? "");
  } catch (error) {
    if (stage === "read") reading = memory.taken();
    if (!isTyped(error)) return result("failed", describe(error));
    if (work.verbose) say({ kind: "note", text: `${error.name} ${error.code}: ${error.message}` });
    try {
      if (stage === "read") over(reading, share());
    } catch (violation) {
      return result("failed", describe(violation));
    }
    return result("refused", error.code);
  }
}

async function* lines(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

/** Answers work until standard input ends. `injected`: a module with further targets, for tests. */
async function main(injected: string | undefined): Promise<void> {
  const further: { targets: readonly Target[] } = injected === undefined
    ? { targets: [] }
    : await import(injected);
  const targets = [...TARGETS, ...further.targets];
  const seeds = await loadSeeds();
  await checkGood(seeds);
  memory.install();
  const held = await memory.held();
  say({ kind: "ready", targets: targets.map(({ name }) => name) });
  const prepared = new Set<Target>();
  let since = 0;
  for await (const line of lines()) {
    const work = JSON.parse(line) as Work;
    const target = targets.find(({ name }) => name === work.target)!;
    if (target.prepare && !prepared.has(target)) {
      say({ kind: "preparing" });
      await target.prepare(seeds);
      prepared.add(target);
    }
    for (let index = work.from; index < work.from + work.count; index++) {
      say({ kind: "start", index });
      let outcome = await runCase(target, work, index, seeds);
      if (++since >= CHECK_EVERY || outcome.verdict === "failed") {
        since = 0;
        try {
          await checkGood(seeds);
          const more = await memory.held() - held;
          if (more > HELD) throw new Violation(`${more} bytes are held that were not before`);
        } catch (error) {
          const what = `${outcome.what}; and after it: ${describe(error)}`;
          outcome = { ...outcome, verdict: "failed", what };
        }
      }
      say({ kind: "outcome", outcome });
    }
    say({ kind: "done" });
  }
}

if (import.meta.main) await main(Deno.args[0]);
