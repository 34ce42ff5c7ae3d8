/**
 * Where a pretraining run stands, as `optimizer.safetensors` beside the checkpoint of its encoder.
 *
 * | tensors                     | content                                                    |
 * | --------------------------- | ---------------------------------------------------------- |
 * | `NAME.m`, `NAME.v`          | AdamW's moments of each parameter that is learnt           |
 * | `value.NAME`                | parameters of the heads, which the checkpoint does not have |
 * | `generator.NAME.{m,v}`, `generator.value.NAME` | the same of a generator, all its parameters |
 *
 * The metadata `cursor` says the rest as JSON: `step` (steps taken), `pass` and `batch` (passes over the corpus that
 * are over, and steps of the one that is not), and `run`, which names the options, the corpus and the sizes, so that
 * a run is not continued as another.
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
import { checkRun, tensor } from "../loop/state.ts";
import type { NamedTensor } from "../types.ts";

/** One model's part of a state. */
export interface ModelState {
  readonly moments: readonly NamedTensor[];
  /** Parameters that stand nowhere else, by name. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** Where a run stands, beside the encoder's parameters. */
export interface PretrainState {
  /** Steps taken. */
  readonly step: number;
  /** Passes over the corpus that are over. */
  readonly pass: number;
  /** Steps taken of the pass that is not over. */
  readonly batch: number;
  readonly encoder: ModelState;
  /** Absent where words are hidden and nothing is replaced. */
  readonly generator: ModelState | undefined;
}

const FORMAT = "edge-ner pretraining state 1";
const GENERATOR = "generator.", VALUE = "value.";

/** `optimizer.safetensors`; `run` is what must be the same when the run goes on. */
export function writePretrainState(state: PretrainState, run: unknown): Uint8Array {
  const { encoder, generator, ...cursor } = state;
  const tensors = new Map<string, SafeTensor>();
  const add = (prefix: string, { moments, values }: ModelState): void => {
    for (const { name, shape, data } of moments) tensors.set(prefix + name, tensor(data, shape));
    for (const [name, data] of values) {
      tensors.set(`${prefix}${VALUE}${name}`, tensor(data, [data.length]));
    }
  };
  add("", encoder);
  if (generator) add(GENERATOR, generator);
  return writeSafetensors(tensors, { format: FORMAT, cursor: JSON.stringify({ ...cursor, run }) });
}

/**
 * Reads it back. Throws {@link FormatError}: `safetensors/...` for a damaged file, `checkpoint/state` for a file that is
 * none, and for a run whose options, corpus or sizes are others than `run` says.
 */
export function readPretrainState(bytes: Uint8Array, run: unknown): PretrainState {
  const { tensors, metadata } = readSafetensors(bytes);
  const fail = (what: string): never => {
    throw new FormatError("checkpoint/state", `optimizer.safetensors: ${what}.`);
  };
  if (metadata.get("format") !== FORMAT) fail(`its format is ${show(metadata.get("format"))}`);
  const where = "optimizer.safetensors: cursor";
  const cursor = parseJsonObject(metadata.get("cursor") ?? "", "checkpoint/state", where);
  const count = (key: string): number => {
    const value = cursor[key];
    if (!Number.isSafeInteger(value) || (value as number) < 0) fail(`${key} is ${show(value)}`);
    return value as number;
  };
  checkRun(cursor.run, run, fail);
  const part = (prefix: string, names: readonly string[]): ModelState => {
    const moments: NamedTensor[] = [], values = new Map<string, Float32Array>();
    for (const name of names) {
      const one = tensors.get(name)!, own = name.slice(prefix.length);
      const data = safetensorFloats(one, name);
      if (own.startsWith(VALUE)) values.set(own.slice(VALUE.length), data);
      else moments.push({ name: own, shape: one.shape, data });
    }
    return { moments, values };
  };
  const names = [...tensors.keys()];
  const generated = names.filter((name) => name.startsWith(GENERATOR));
  return {
    step: count("step"),
    pass: count("pass"),
    batch: count("batch"),
    encoder: part("", names.filter((name) => !name.startsWith(GENERATOR))),
    generator: generated.length === 0 ? undefined : part(GENERATOR, generated),
  };
}
