/**
 * Running stages: each a line of `edge-ner`, which is printed before it runs, so that each can be run by hand as well.
 *
 * A stage that is done is passed over; one that was killed goes on from its last checkpoint (`--resume`) and gives the
 * bits that it would have had. So the same command goes on with everything, at any time; `plan.json` in its folder sees
 * to it that it is the same command.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { run } from "../../src/cli/program.ts";
import { type ModelRecord, readRecords } from "../../train.ts";
import { Refusal } from "./files.ts";

/** A line of `edge-ner`. */
export interface Stage {
  readonly name: string;
  readonly args: readonly string[];
  /** A path that is there when the stage is done; of `eval`, the record's role, name and seed. */
  readonly done: { readonly path: string } | Pick<ModelRecord, "role" | "name" | "seed">;
  /** A folder that may go when the stage is done. */
  readonly remove?: string;
}

/** How stages are run. */
export interface RunOptions {
  /** File of the records that `eval` appends. */
  readonly results: string;
  /** Stages whose name has this part; the others are passed over. */
  readonly only?: string | undefined;
  /** Threads of training; undefined: one for each core. */
  readonly threads?: number | undefined;
}

/** Refuses to go on in a folder with another plan than the one that it was begun with. */
export function keepPlan(folder: string, plan: unknown): void {
  const content = JSON.stringify(plan, undefined, 2) + "\n", path = join(folder, "plan.json");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(path)) writeFileSync(path, content);
  else if (readFileSync(path, "utf8") !== content) {
    throw new Refusal(
      `${folder}: was begun with other sizes or data (plan.json); name another folder`,
    );
  }
}

/** The records of a file; none where there is no file yet. */
export function recordsOf(path: string): readonly ModelRecord[] {
  return existsSync(path) ? readRecords(readFileSync(path, "utf8"), path) : [];
}

function isDone({ done }: Stage, results: string): boolean {
  if ("path" in done) return existsSync(done.path);
  return recordsOf(results).some(({ role, name, seed }) =>
    role === done.role && name === done.name && seed === done.seed
  );
}

/** Prints stages as lines. */
export function listStages(stages: readonly Stage[]): void {
  for (const { name, args } of stages) console.log(`${name}: edge-ner ${args.join(" ")}`);
}

const TRAINS = ["pretrain", "train", "distill"];

/** Runs what is not done yet and gives how many stages that were. Ends the program where one fails. */
export async function runStages(
  stages: readonly Stage[],
  { results, only, threads }: RunOptions,
): Promise<number> {
  // What was needed by the next stage alone, which is done, is not made again.
  const isSpent = ({ done }: Stage, i: number): boolean => {
    const next = stages[i + 1];
    return "path" in done && next?.remove === done.path && isDone(next, results);
  };
  let ran = 0;
  for (const [i, stage] of stages.entries()) {
    if (only !== undefined && !stage.name.includes(only)) continue;
    if (isDone(stage, results) || isSpent(stage, i)) continue;
    const trains = TRAINS.includes(stage.args[0]!) && threads !== undefined;
    const args = [...stage.args, ...(trains ? ["--threads", String(threads)] : [])];
    process.stderr.write(
      `\n[${i + 1}/${stages.length}] ${stage.name}\nedge-ner ${args.join(" ")}\n`,
    );
    if ("path" in stage.done) mkdirSync(dirname(stage.done.path), { recursive: true });
    const code = await run(args);
    if (code !== 0) process.exit(code);
    if (stage.remove !== undefined) rmSync(stage.remove, { recursive: true, force: true });
    ran++;
  }
  return ran;
}

/** A whole number from 1 to 99, as options have it; undefined where it is not given. */
export function wholeNumber(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d?$/.test(value)) throw new Refusal(`--${name} is ${value}; expected 1 to 99`);
  return Number(value);
}

/** Runs a program, and ends it: with 2 and a line where it refused, with 0 where it came to its end. */
export async function runProgram(name: string, main: () => Promise<void>): Promise<never> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exit(2);
  }
  process.exit(0);
}
