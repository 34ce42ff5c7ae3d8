/**
 * Options as untyped code hands them over: each must be what its type says, or the caller is told which is not.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import type { KernelOptions, NerOptions } from "./options.ts";

/** An option's values in words, and whether one is among them. */
type Rule = readonly [expected: string, holds: (value: unknown) => boolean];

const flag: Rule = ["true or false", (value) => typeof value === "boolean"];

const RULES: Readonly<Record<keyof NerOptions | keyof KernelOptions, Rule>> = {
  backend: [
    '"int8", "fp32" or "reference"',
    (value) => value === "int8" || value === "fp32" || value === "reference",
  ],
  constrained: flag,
  allowStripAccents: flag,
  maxTokens: [
    `an integer from 3 to ${1 << 20}`,
    (value) => Number.isInteger(value) && Number(value) >= 3 && Number(value) <= 1 << 20,
  ],
  maxMemoryBytes: [
    "a number of bytes above 0",
    (value) => typeof value === "number" && value > 0,
  ],
  kernels: [
    "a list of compiled WebAssembly.Module objects",
    (value) => Array.isArray(value),
  ],
  threading: [
    "threads, or why there are none",
    (value) => typeof value === "string" || typeof value === "object" && value !== null,
  ],
};

/** Options that are what they should be. Throws {@link InputError} `input/option`. */
export function checkOptions<T extends object>(options: T): T {
  if (typeof options !== "object" || options === null) {
    throw new InputError("input/option", `options are ${show(options)}; expected an object.`);
  }
  for (const [name, [expected, holds]] of Object.entries(RULES)) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && !holds(value)) {
      throw new InputError("input/option", `${name} is ${show(value)}; expected ${expected}.`);
    }
  }
  return options;
}
