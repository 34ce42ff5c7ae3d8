/**
 * The training section: a step of forward pass, backward pass, clipping and AdamW, beside PyTorch's in the same run.
 *
 * Each side is a process of its own that takes a step when it is told to; they take turns, step by step, so that
 * a busy moment of the machine meets both. PyTorch is what `--torch` names a Python for; without it our own times
 * stand alone. The loss of the last step is printed, as a sign that both learn.
 *
 * Weak: each side has its own random numbers, so the losses are alike and not equal; that both compute the same is
 * what test/train/gradients.test.ts holds.
 *
 * @module
 */
import type { Budget } from "./measure.ts";
import type { Options } from "./options.ts";

/** What is trained. */
export interface TrainingShape {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly feedForwardSize: number;
  readonly vocabSize: number;
  readonly labels: number;
  /** Sequences, and tokens of each. */
  readonly batch: number;
  readonly length: number;
  readonly dropout: number;
}

/** One side's steps. */
export interface StepTiming {
  readonly name: string;
  readonly version: string;
  /** Milliseconds. */
  readonly min: number;
  readonly median: number;
  /** The least of the processor's time, of all threads: what another program's work changes least. */
  readonly cpu: number;
  readonly steps: number;
  /** The process's memory at its most. */
  readonly bytes: number;
  readonly loss: number;
}

/** A shape on a number of threads. */
export interface TrainingReport {
  readonly name: string;
  readonly tokens: number;
  readonly ours: StepTiming;
  /** Milliseconds of each operation in its fastest step, on one thread; if a profile was asked for. */
  readonly operations?: Readonly<Record<string, number>>;
  readonly torch?: StepTiming;
  /** Why PyTorch is not there. */
  readonly absent?: string;
}

const BASE = {
  hiddenSize: 256,
  heads: 4,
  feedForwardSize: 1024,
  vocabSize: 16_000,
  labels: 13,
  batch: 16,
  length: 64,
};

/** Shapes by name; the smoke test's is the smallest that has everything. */
function shapes(smoke: boolean): Readonly<Record<string, TrainingShape>> {
  if (smoke) {
    const small = { hiddenSize: 32, feedForwardSize: 64, vocabSize: 100, batch: 2, length: 8 };
    return { "smoke dropout 0.1": { ...BASE, ...small, layers: 1, dropout: 0.1 } };
  }
  return Object.fromEntries(
    [4, 12].flatMap((layers) =>
      [0, 0.1].map((
        dropout,
      ) => [`${layers} layers dropout ${dropout}`, { ...BASE, layers, dropout }])
    ),
  );
}

/** What a side says of a step. */
interface Step {
  readonly ms: number;
  readonly cpu: number;
  readonly bytes: number;
  readonly loss: number;
  readonly operations?: Readonly<Record<string, number>>;
}

/** A process that takes a step for each line. */
class Side {
  readonly name: string;
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    this.#child = new Deno.Command(program, {
      args: [...args],
      cwd: new URL("../", import.meta.url),
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.#child.stdin.getWriter();
  }

  /** The next line of JSON; throws when the process ends instead. */
  async read<T>(): Promise<T> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line);
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`${this.name} ended with code ${(await this.#child.status).code}`);
      this.#rest += value;
    }
  }

  async step(): Promise<Step> {
    await this.#input.write(new TextEncoder().encode("\n"));
    return await this.read();
  }

  async close(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#child.status;
  }
}

/** Steps that are not counted: engines compile, memory is touched, threads begin. */
const WARM_UP = 3;

async function timings(
  sides: readonly Side[],
  { seconds, minRounds }: Budget,
): Promise<StepTiming[]> {
  const versions = new Map<Side, string>();
  for (const side of sides) versions.set(side, (await side.read<{ version: string }>()).version);
  for (let i = 0; i < WARM_UP; i++) for (const side of sides) await side.step();
  const found = new Map(sides.map((side) => [side, [] as Step[]]));
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < minRounds || performance.now() < end; round++) {
    for (const side of sides) found.get(side)!.push(await side.step());
  }
  return sides.map((side) => {
    const steps = found.get(side)!, last = steps[steps.length - 1];
    const ms = steps.map((step) => step.ms).sort((a, b) => a - b);
    return {
      name: side.name,
      version: versions.get(side)!,
      min: ms[0],
      median: ms[ms.length >> 1],
      cpu: Math.min(...steps.map((step) => step.cpu)),
      steps: ms.length,
      bytes: Math.max(...steps.map(({ bytes }) => bytes)),
      loss: last.loss,
    };
  });
}

/** Profiles a step in a process of its own: timing each operation would disturb the other times. */
async function operationsOf(
  args: readonly string[],
  { minRounds }: Budget,
): Promise<Record<string, number>> {
  const side = new Side("edge-ner", Deno.execPath(), [...args, "profile"]);
  const fastest: Record<string, number> = {};
  try {
    await side.read();
    for (let i = 0; i < WARM_UP + 3 * minRounds; i++) {
      for (const [name, ms] of Object.entries((await side.step()).operations!)) {
        if (i >= WARM_UP) fastest[name] = Math.min(ms, fastest[name] ?? Infinity);
      }
    }
  } finally {
    await side.close();
  }
  return Object.fromEntries(Object.entries(fastest).sort(([, a], [, b]) => b - a));
}

/** Times a step of every shape whose name has `filter` in it, on one thread and on two. */
export async function benchTraining(
  filter: string,
  { torch: python, profile }: Pick<Options, "torch" | "profile">,
  budget: Budget,
  smoke: boolean,
  note: (what: string) => void,
): Promise<TrainingReport[]> {
  const reports: TrainingReport[] = [];
  for (const [shapeName, shape] of Object.entries(shapes(smoke))) {
    for (const threads of [1, 2]) {
      const name = `train/${shapeName}/${threads}t`;
      if (!name.includes(filter)) continue;
      note(name);
      const args = [JSON.stringify(shape), String(threads)];
      const ours = ["run", "-A", "--no-check", "--cached-only", "bench/training_step.ts", ...args];
      const sides = [new Side("edge-ner", Deno.execPath(), ours)];
      if (python) {
        sides.push(new Side("PyTorch", python, ["tools/peers/training_step.py", ...args]));
      }
      try {
        const [own, torch] = await timings(sides, budget);
        const absent = python ? undefined : "--torch names no Python";
        const operations = profile && threads === 1 ? await operationsOf(ours, budget) : undefined;
        const tokens = shape.batch * shape.length;
        reports.push({ name, tokens, ours: own, operations, torch, absent });
      } finally {
        for (const side of sides) await side.close();
      }
    }
  }
  return reports;
}

/** A table for people. */
export function trainingText(reports: readonly TrainingReport[]): string {
  const lines = reports.flatMap(({ name, tokens, ours, operations, torch, absent }) => {
    const line = (timing: StepTiming): string =>
      `  ${timing.name.padEnd(10)} ${timing.min.toFixed(1).padStart(9)} ${
        timing.median.toFixed(1).padStart(9)
      } ms  ` +
      `${timing.cpu.toFixed(1).padStart(9)} ms of the processor  ` +
      `${(tokens / timing.median * 1000).toFixed(0).padStart(6)} tokens/s  ` +
      `${(timing.bytes / 1e6).toFixed(0).padStart(5)} MB  loss ${timing.loss.toFixed(3)}  ` +
      `(${timing.steps} steps; ${timing.version})`;
    const ratio = torch
      ? `  over PyTorch: ${(ours.min / torch.min).toFixed(2)} by the fastest, ` +
        `${(ours.median / torch.median).toFixed(2)} by the median step, ` +
        `${(ours.cpu / torch.cpu).toFixed(2)} by the processor's time`
      : `  PyTorch: left out (${absent})`;
    const all = Object.values(operations ?? {}).reduce((sum, ms) => sum + ms, 0);
    const parts = Object.entries(operations ?? {}).map(([operation, ms]) =>
      `    ${operation.padEnd(20)} ${ms.toFixed(1).padStart(8)} ms ${
        (100 * ms / all).toFixed(1).padStart(5)
      } %`
    );
    return [name, line(ours), ...torch ? [line(torch)] : [], ratio, ...parts];
  });
  return ["              fastest    median", ...lines].join("\n");
}
