/**
 * Options as untyped code hands them over: each must be known, and be what its type says, or the caller is told which
 * is not, in which call.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import { BOUNDARIES } from "./boundaries.ts";
import type {
  CallOptions,
  EntityOptions,
  ExtractOptions,
  KernelOptions,
  NerOptions,
  TermOptions,
} from "./options.ts";

/** An option's values in words, and whether one is among them. */
export type Rule = readonly [expected: string, holds: (value: unknown) => boolean];

/** A rule for each option of a call. */
export type Rules<T> = Readonly<Record<keyof T, Rule>>;

/** True or false. */
export const FLAG: Rule = ["true or false", (value) => typeof value === "boolean"];

/** A function. */
export const FUNCTION: Rule = ["a function", (value) => typeof value === "function"];

/** One of some words. */
export function oneOf(...words: readonly string[]): Rule {
  const quoted = words.map((word) => JSON.stringify(word));
  const expected = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return [expected, (value) => words.includes(value as string)];
}

/** A whole number in a range. */
export function integer(low: number, high: number): Rule {
  return [
    `an integer from ${low} to ${high}`,
    (value) => Number.isInteger(value) && Number(value) >= low && Number(value) <= high,
  ];
}

/** A list; what is in it is looked at by who takes it. */
const LIST: Rule = ["a list", (value) => Array.isArray(value)];

/** Those of {@link TermOptions}. */
export const TERM_RULES: Rules<TermOptions> = { lexicon: LIST, always: LIST, never: LIST };

function isExpected(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { tokens, sequences, ...more } = value as Partial<Record<string, unknown>>;
  const [, holds] = integer(1, 1 << 20);
  return Object.keys(more).length === 0 && holds(tokens) && holds(sequences) &&
    Number(tokens) >= Number(sequences);
}

/** Those of {@link NerOptions} and {@link KernelOptions}. */
export const MODEL_RULES: Rules<NerOptions & KernelOptions> = {
  backend: oneOf("int8", "wasm", "fp32", "webgpu", "auto", "reference"),
  gpuPrecision: oneOf("f32", "f16", "int8"),
  expect: [
    "{ tokens, sequences }, whole numbers from 1 to 1048576, and no fewer tokens than sequences",
    isExpected,
  ],
  choice: oneOf("wasm", "webgpu"),
  onGpuLost: FUNCTION,
  constrained: FLAG,
  allowStripAccents: FLAG,
  maxTokens: integer(3, 1 << 20),
  maxMemoryBytes: [
    "a number of bytes above 0",
    (value) => typeof value === "number" && value > 0,
  ],
  ...TERM_RULES,
  kernels: ["a list of compiled WebAssembly.Module objects", (value) => Array.isArray(value)],
  threading: [
    "threads, or why there are none",
    (value) => typeof value === "string" || typeof value === "object" && value !== null,
  ],
  accelerator: [
    "what edge-ner/webgpu makes of a GPU, or why there is none",
    (value) => typeof value === "string" || typeof value === "function",
  ],
};

/** Those of {@link CallOptions}. A signal may be of another realm, and is known by what it can do. */
export const CALL_RULES: Rules<CallOptions> = {
  signal: [
    "an AbortSignal",
    (value) =>
      typeof value === "object" && value !== null && "aborted" in value &&
      "throwIfAborted" in value,
  ],
  onProgress: FUNCTION,
};

/** Units of places. */
export const OFFSETS: Rule = oneOf("utf16", "codepoint", "byte");

/** Those of {@link EntityOptions}. */
const ENTITY_RULES: Rules<EntityOptions> = {
  boundary: oneOf(...BOUNDARIES),
  sentences: FLAG,
  minScore: [
    "a number from 0 to 1",
    (value) => typeof value === "number" && value >= 0 && value <= 1,
  ],
  types: [
    "a list of types",
    (value) => Array.isArray(value) && value.every((type) => typeof type === "string"),
  ],
  offsets: OFFSETS,
};

const EXTRACT_RULES: Rules<ExtractOptions> = { ...CALL_RULES, ...ENTITY_RULES, ...TERM_RULES };

/** Least number of letters inserted, left out or exchanged that makes one word another (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (a[i] === b[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

/** The name that was probably meant; undefined if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  // Longer names are surely none of ours; the table above grows with the square.
  if (name.length > 40) return undefined;
  const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, "");
  const [best] = known.map((other) => [distance(plain(name), plain(other)), other] as const)
    .sort(([a], [b]) => a - b);
  return best !== undefined && best[0] <= Math.max(1, name.length / 3) ? best[1] : undefined;
}

/**
 * Options that are known and what they should be.
 *
 * @param method the call, as its user wrote it
 * @throws {InputError} `input/option`
 */
export function checkOptions<T extends object>(
  options: T,
  method: string,
  rules: Readonly<Record<string, Rule>>,
): T {
  const fail = (message: string): never => {
    throw new InputError("input/option", `${method}: ${message}`);
  };
  if (typeof options !== "object" || options === null) {
    return fail(`options are ${show(options)}; expected an object.`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(rules, name)) {
      const known = Object.keys(rules), meant = nearest(name, known);
      fail(
        `there is no option ${show(name)}; ` +
          (meant === undefined ? `there are ${known.join(", ")}.` : `${meant} was probably meant.`),
      );
    }
    const [expected, holds] = rules[name];
    if (!holds(value)) fail(`${name} is ${show(value)}; expected ${expected}.`);
  }
  return options;
}

/** Those of calls that see a text as a whole. */
const { sentences: _, ...WHOLE_RULES } = ENTITY_RULES;

/** Those of the calls that have more than {@link CALL_RULES}, or fewer. */
const RULES_OF: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  extract: EXTRACT_RULES,
  extractBatch: EXTRACT_RULES,
  extractNBest: { ...CALL_RULES, ...WHOLE_RULES, ...TERM_RULES },
  extractStream: { signal: CALL_RULES.signal, ...ENTITY_RULES, ...TERM_RULES },
  extractDocument: { signal: CALL_RULES.signal, ...WHOLE_RULES, ...TERM_RULES },
  withLexicon: TERM_RULES,
};

/** Options of one call. Throws {@link InputError} `input/option`. */
export function checkCall<T extends CallOptions>(options: T, method: string): T {
  const rules = Object.hasOwn(RULES_OF, method) ? RULES_OF[method] : CALL_RULES;
  return checkOptions(options, method, rules);
}
