/**
 * The folder that a run of `edge-ner train` or `pretrain` fills, so that it can be ended at any moment and gone on with.
 *
 * | name                | content                                                                          |
 * | ------------------- | -------------------------------------------------------------------------------- |
 * | `checkpoint-STEP/`  | where the run stands; written beside its place, flushed to disk, then renamed    |
 * | `train.jsonl`       | a record for each step, epoch or look at held-out text                           |
 * | `curves.svg`        | loss, rate and scores                                                            |
 * | `report.json`       | scores on the test texts, by type; written last                                  |
 * | `model.safetensors` | and what goes with it: the best model, as a Hugging Face checkpoint              |
 *
 * There is always one whole checkpoint from the first on: an older one is removed when the newer has its name. What a
 * run that was killed has left unfinished has a name that begins with a dot, and is removed when the run goes on.
 *
 * @module
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { bundleFromFolder } from "../../mod.ts";
import type { ModelBundle } from "../../mod.ts";
import type { TrainRecord } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readBytes, readModelFiles } from "./files.ts";
import { replaceFile, replaceFolder } from "./replace.ts";

const CHECKPOINT = /^checkpoint-(\d+)$/;
const UNFINISHED = /^\..*\.tmp$/;
const STATE = "optimizer.safetensors";

/** What is known of a step or an epoch only while it happens. */
export interface Timed {
  /** Since the run was begun or gone on with. */
  readonly seconds: number;
  /** Of the whole process, in bytes. */
  readonly memory: number;
}

/** A record as `train.jsonl` has it. */
export type LoggedRecord = TrainRecord & Timed;

/** A model and the state of the run that it is of. */
export interface Saved {
  readonly model: ModelBundle;
  readonly state: Uint8Array;
}

/** A run's folder. */
export class TrainFolder {
  /** Where it is. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder. Throws {@link UsageError} if it is there and holds something, unless the run goes on in it. */
  open(resume: boolean): void {
    if (existsSync(this.path) && readdirSync(this.path).length > 0 && !resume) {
      throw new UsageError(
        `${this.path}: holds files already; --resume goes on with the run in it, another folder begins one`,
      );
    }
    mkdirSync(this.path, { recursive: true });
    for (const name of readdirSync(this.path)) {
      if (UNFINISHED.test(name)) rmSync(this.#file(name), { recursive: true });
    }
  }

  /** The last checkpoint, or undefined where none was written. */
  async last(): Promise<Saved | undefined> {
    const [name] = this.#checkpoints();
    if (name === undefined) return undefined;
    const folder = this.#file(name), { content } = await readModelFiles(folder);
    const model = bundleFromFolder(content, { allowStripAccents: true });
    return { model, state: await readBytes(join(folder, STATE)) };
  }

  /** Writes a checkpoint, then removes those before it. */
  async save(step: number, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const name = `checkpoint-${step}`, old = this.#checkpoints();
    if (!old.includes(name)) {
      await replaceFolder(this.#file(name), files, { force: false, check: () => {} });
    }
    for (const other of old) if (other !== name) this.#remove(other);
  }

  /** Removes checkpoints, when the run is over. */
  clear(): void {
    for (const name of this.#checkpoints()) this.#remove(name);
  }

  /** Names of checkpoints, the newest first. */
  #checkpoints(): string[] {
    return readdirSync(this.path).flatMap((name) => {
      const step = CHECKPOINT.exec(name)?.[1];
      return step === undefined ? [] : [[Number(step), name] as const];
    }).sort(([a], [b]) => b - a).map(([, name]) => name);
  }

  /** The folder loses its name at once, so that a half-removed one is not taken for whole. */
  #remove(name: string): void {
    const unnamed = this.#file(`.${name}.tmp`);
    renameSync(this.#file(name), unnamed);
    rmSync(unnamed, { recursive: true });
  }

  /** Appends to `train.jsonl`. */
  log(record: object): void {
    appendFileSync(this.#file("train.jsonl"), JSON.stringify(record) + "\n");
  }

  /** Records that the run has `reached`; what a killed run wrote beyond them is removed. */
  records<Record extends object>(reached: (record: Record) => boolean): Record[] {
    const path = this.#file("train.jsonl");
    if (!existsSync(path)) return [];
    const records = readFileSync(path, "utf8").split("\n").flatMap((line): Record[] => {
      try {
        return [JSON.parse(line)];
      } catch {
        return []; // the last line of a run that was killed while it wrote it
      }
    }).filter(reached);
    writeFileSync(path, records.map((record) => JSON.stringify(record) + "\n").join(""));
    return records;
  }

  /** Writes files, each whole, in their order. */
  async write(files: ReadonlyMap<string, Uint8Array | string>): Promise<void> {
    for (const [name, content] of files) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await replaceFile(this.#file(name), bytes, { force: true, check: () => {} });
    }
  }

  /** `report.json` of a run that is over; undefined of one that is not. */
  report(): unknown {
    const path = this.#file("report.json");
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  }

  #file(name: string): string {
    return join(this.path, name);
  }
}

/** Whether a run of `train` that stands there has come to a record. */
export function reached(
  { step, epoch }: { readonly step: number; readonly epoch: number },
): (record: LoggedRecord) => boolean {
  return (record) => record.kind === "step" ? record.step <= step : record.epoch <= epoch;
}
