/**
 * Where a run stands, as `optimizer.safetensors` beside a checkpoint: what, together with the model, gives the same bits
 * from there on as a run that was never stopped.
 *
 * | tensors                   | content                                                               |
 * | ------------------------- | --------------------------------------------------------------------- |
 * | `NAME.m`, `NAME.v`        | AdamW's moments of each parameter that is learnt                      |
 * | `best.NAME`               | parameters as they were when the validation score was highest         |
 * | `average.NAME`            | their moving average, where one is kept                               |
 * | `value.NAME`              | parameters as they are, of adapters: the model beside is the merged one |
 *
 * The metadata say the rest, each value as JSON: `step` (steps taken), `epoch` and `batch` (the data's cursor: epochs
 * that are over, and steps of the one that is not), `seed`, `best`, and `run`, which names the options, the labels
 * and the data, so that a run is not continued as another. What is random is a function of the seed and the step, and
 * needs no place here.
 *
 * @module
 */
import { FormatError, show } from "../../errors.ts";
import { parseJsonObject } from "../../formats/json.ts";
import {
  readSafetensors,
  type SafeTensor,
  safetensorFloats,
} from "../../formats/safetensors/read.ts";
import { writeSafetensors } from "../../formats/safetensors/write.ts";
import type { NamedTensor } from "../types.ts";

/** The epoch with the highest validation score so far; of equal ones the last, which has seen more. */
export interface Best {
  /** Counted from 1. */
  readonly epoch: number;
  /** The first epoch with this score: what patience counts from. */
  readonly since: number;
  /** Strict F1, 0 to 1. */
  readonly score: number;
}

/** Where a run stands, beside its parameters. */
export interface RunState {
  /** Steps taken. */
  readonly step: number;
  /** Epochs that are over. */
  readonly epoch: number;
  /** Steps taken of the epoch that is not over. */
  readonly batch: number;
  /** What the losses of the epoch's steps add up to, and of how many. */
  readonly losses: readonly [sum: number, steps: number];
  /** The first step's loss, by which divergence is told. */
  readonly firstLoss: number | undefined;
  /** Absent before the first validation. */
  readonly best: Best | undefined;
  readonly moments: readonly NamedTensor[];
  /** Parameters at the best epoch, by name. */
  readonly bestValues: ReadonlyMap<string, Float32Array> | undefined;
  /** Their moving average. */
  readonly average: ReadonlyMap<string, Float32Array> | undefined;
  /** Parameters as they are, where the model that was written is not what is learnt. */
  readonly values: ReadonlyMap<string, Float32Array> | undefined;
}

const FORMAT = "edge-ner training state 1";

/** Numbers as safetensors has them. */
export function tensor(data: Float32Array, shape: readonly number[]): SafeTensor {
  return {
    dtype: "F32",
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** `optimizer.safetensors`; `run` is what must be the same when the run goes on. */
export function writeState(state: RunState, seed: number, run: unknown): Uint8Array {
  const tensors = new Map<string, SafeTensor>();
  for (const { name, shape, data } of state.moments) tensors.set(name, tensor(data, shape));
  const kept = { best: state.bestValues, average: state.average, value: state.values };
  for (const [prefix, values] of Object.entries(kept)) {
    for (const [name, data] of values ?? []) {
      tensors.set(`${prefix}.${name}`, tensor(data, [data.length]));
    }
  }
  const { step, epoch, batch, losses, firstLoss, best } = state;
  const cursor = { step, epoch, batch, losses, firstLoss, best, seed, run };
  return writeSafetensors(tensors, {
    format: FORMAT,
    ...Object.fromEntries(
      Object.entries(cursor).filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, JSON.stringify(value)]),
    ),
  });
}

/**
 * Reads it back. Throws {@link FormatError}: `safetensors/...` for a damaged file, `checkpoint/state` for a file that is
 * none, and for a run whose options, labels or data are others than `run` says.
 */
export function readState(bytes: Uint8Array, run: unknown): RunState {
  const { tensors, metadata } = readSafetensors(bytes);
  const fail = (what: string): never => {
    throw new FormatError("checkpoint/state", `optimizer.safetensors: ${what}.`);
  };
  if (metadata.get("format") !== FORMAT) fail(`its format is ${show(metadata.get("format"))}`);
  const value = (key: string): unknown => {
    const json = metadata.get(key);
    // An object around it, since only objects are read strictly.
    return json === undefined
      ? undefined
      : parseJsonObject(`{"value":${json}}`, "checkpoint/state", `optimizer.safetensors: ${key}`)
        .value;
  };
  const count = (key: string): number => {
    const number = value(key);
    if (!Number.isSafeInteger(number) || (number as number) < 0) fail(`${key} is ${show(number)}`);
    return number as number;
  };
  checkRun(value("run"), run, fail);
  const losses = value("losses"), firstLoss = value("firstLoss"), best = value("best");
  if (!Array.isArray(losses) || losses.length !== 2 || !losses.every(Number.isFinite)) {
    fail(`losses is ${show(losses)}`);
  }
  if (best !== undefined) checkBest(best, fail);
  const named = (prefix: string): Map<string, Float32Array> | undefined => {
    const found = [...tensors].filter(([name]) => name.startsWith(prefix))
      .map(([name, one]) =>
        [name.slice(prefix.length), safetensorFloats(one, name)] as [string, Float32Array]
      );
    return found.length === 0 ? undefined : new Map(found);
  };
  return {
    step: count("step"),
    epoch: count("epoch"),
    batch: count("batch"),
    losses: losses as [number, number],
    firstLoss: firstLoss as number | undefined,
    best: best as Best | undefined,
    moments: [...tensors].filter(([name]) =>
      /\.[mv]$/.test(name) && !/^(best|average|value)\./.test(name)
    )
      .map(([name, one]) => ({ name, shape: one.shape, data: safetensorFloats(one, name) })),
    bestValues: named("best."),
    average: named("average."),
    values: named("value."),
  };
}

function checkBest(best: unknown, fail: (what: string) => never): void {
  const { epoch, since, score } = (best ?? {}) as Record<string, unknown>;
  if (![epoch, since, score].every(Number.isFinite)) fail(`best is ${show(best)}`);
}

/** Names what is not as it was. */
export function checkRun(was: unknown, is: unknown, fail: (what: string) => never): void {
  const [before, now] = [was, JSON.parse(JSON.stringify(is))] as Record<string, unknown>[];
  for (const key of new Set([...Object.keys(before ?? {}), ...Object.keys(now!)])) {
    const [a, b] = [before?.[key], now![key]].map((part) => JSON.stringify(part) ?? "absent");
    if (a === b) continue;
    fail(
      `the run was begun with another ${key} (${show(a)}, now ${
        show(b)
      }); go on with the same, or begin ` +
        "a new run in another folder",
    );
  }
}
