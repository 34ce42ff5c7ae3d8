/**
 * Workers with a watchdog.
 *
 * Each worker is a process that runs chunks of cases. A case that takes {@link LIMIT_MS} of processor time
 * hangs, and so does one that is not back after {@link PATIENCE} times as long, whatever it does meanwhile: on
 * a machine that is busy elsewhere the first is late, and no failure. Its worker is ended, and the case is
 * tried again in a fresh one, alone, before it is believed. A worker that dies (its heap is bounded) is
 * reported with the first lines that it wrote.
 *
 * Weak: where there is no /proc, only the longer wait tells a hang.
 *
 * @module
 */
import type { Outcome } from "./case.ts";
import type { Said, Work } from "./worker.ts";

/** A case that takes more processor time hangs. */
export const LIMIT_MS = 2000;
/** A worker's heap, in megabytes; buffers are counted apart from it. */
const HEAP_MB = 1024;
/** Starting takes a few hundred milliseconds on a quiet machine. */
const START_MS = 60_000;
/** How much longer it may take by the clock. */
const PATIENCE = 10;

/** Receives what becomes of each case. */
export type Listener = (work: Work, outcome: Outcome) => void;

/** One worker process at a time, replaced when it has to be ended. */
export class Worker {
  readonly #injected: string | undefined;
  readonly #listener: Listener;
  #child: Deno.ChildProcess | undefined;
  #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #output: AsyncIterator<Said> | undefined;
  #waiting: Promise<IteratorResult<Said>> | undefined;
  #errors = "";
  /** Called with what a case says about itself, where it was asked to. */
  onNote: (text: string) => void = () => {};
  /** Names of the targets, once the worker has been started. */
  targets: readonly string[] = [];

  /** `injected` is a module with further targets. */
  constructor(injected: string | undefined, listener: Listener) {
    this.#injected = injected;
    this.#listener = listener;
  }

  /** Starts the process, if it does not run. Throws when it cannot say that it is ready. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const flags = `--v8-flags=--expose-gc,--max-old-space-size=${HEAP_MB}`;
    const entry = new URL("./worker.ts", import.meta.url).href;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--cached-only", flags, entry]
        .concat(this.#injected ?? []),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = said(child.stdout);
    this.#errors = "";
    void this.#collect(child);
    const first = await this.#next(START_MS);
    if (first === "late" || first === "dead" || first.kind !== "ready") {
      await this.end();
      throw new Error(`A worker did not start:\n${this.#errors}`);
    }
    this.targets = first.targets;
  }

  async #collect(child: Deno.ChildProcess): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of child.stderr) {
      this.#errors = (this.#errors + decoder.decode(bytes)).slice(-4000);
    }
  }

  async #next(limit: number): Promise<Said | "late" | "dead"> {
    const timer = Promise.withResolvers<"late">();
    const id = setTimeout(() => timer.resolve("late"), limit);
    this.#waiting ??= this.#output!.next();
    const result = await Promise.race([this.#waiting, timer.promise]);
    clearTimeout(id);
    if (result === "late") return "late";
    this.#waiting = undefined;
    return result.done ? "dead" : result.value;
  }

  /** Ends the process, whatever it does. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    this.#waiting = undefined;
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#input?.abort().catch(() => {});
    await child.status;
  }

  /** Runs a chunk; every case of it is heard of exactly once. */
  async run(work: Work): Promise<void> {
    const end = work.from + work.count;
    for (let next = work.from; next < end;) {
      const rest = { ...work, from: next, count: end - next };
      const stopped = await this.#chunk(rest, this.#listener);
      if (stopped === undefined) return;
      this.#listener(work, await this.#again(work, stopped));
      next = stopped.index + 1;
    }
  }

  /** Runs cases until the last or until one that does not come back; returns that one. */
  async #chunk(work: Work, hear: Listener): Promise<Outcome | undefined> {
    await this.start();
    await this.#input!.write(new TextEncoder().encode(JSON.stringify(work) + "\n"));
    const { pid } = this.#child!;
    let index = work.from, used = processorMs(pid), waited = 0, preparing = false;
    const stopped = async (what: string): Promise<Outcome> => {
      await this.end();
      const numbers = { ms: waited, size: 0, reading: 0, using: 0 };
      return { index, verdict: "failed", what, ...numbers };
    };
    for (;;) {
      const heard = await this.#next(preparing ? START_MS : LIMIT_MS / 4);
      preparing = heard !== "late" && heard !== "dead" && heard.kind === "preparing";
      if (heard === "late") {
        waited += LIMIT_MS / 4;
        const took = processorMs(pid) - used;
        if (took < LIMIT_MS && waited < PATIENCE * LIMIT_MS) continue;
        return await stopped(`hangs: no answer within ${LIMIT_MS} ms`);
      }
      if (heard === "dead") {
        // The rest of what it wrote is on its way.
        await new Promise((resolve) => setTimeout(resolve, 100));
        const lines = this.#errors.trim().split("\n").slice(0, 6);
        return await stopped(`ended its process: ${lines.join(" | ")}`);
      }
      if (heard.kind === "start") {
        [index, used, waited] = [heard.index, processorMs(pid), 0];
      } else if (heard.kind === "outcome") hear(work, heard.outcome);
      else if (heard.kind === "note") this.onNote(heard.text);
      else if (heard.kind === "done") return undefined;
    }
  }

  /** Tries a case alone that did not come back; believes it if it hangs or dies again. */
  async #again(work: Work, stopped: Outcome): Promise<Outcome> {
    const heard: Outcome[] = [];
    const alone = { ...work, from: stopped.index, count: 1 };
    const still = await this.#chunk(alone, (_, outcome) => void heard.push(outcome));
    return still ?? heard[0]!;
  }
}

/** Milliseconds that a process has spent on processors; 0 where the system does not say. */
function processorMs(pid: number): number {
  try {
    // Fields 14 and 15 after the name in parentheses, in hundredths of a second: proc_pid_stat(5).
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").pop()!.split(" ");
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return 0;
  }
}

async function* said(stream: ReadableStream<Uint8Array>): AsyncGenerator<Said> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const part of parts) yield JSON.parse(part) as Said;
  }
}
