/**
 * How an encoder is pretrained: names and defaults, in one place.
 *
 * @module
 */
import { InputError, show } from "../../errors.ts";

/** What an encoder is asked in pretraining. */
export const OBJECTIVES = ["masked", "replaced"] as const;

/** All that a run depends on, beside the corpus and the model that it starts from. */
export interface PretrainOptions {
  /**
   * `masked` (default): which words were hidden (Devlin et al., arXiv 1810.04805). `replaced`: which tokens a small
   * generator, learnt beside it, has put in their place (Clark et al., arXiv 2003.10555).
   */
  readonly objective?: typeof OBJECTIVES[number];
  /** Times that the corpus is gone through, where `steps` does not say how long. Default 1. */
  readonly passes?: number;
  /** Steps of the whole run; decides the rates. Default: those of the passes. */
  readonly steps?: number;
  /** Decides the order, what is hidden, dropout and new weights; an unsigned 32-bit integer. Default 1. */
  readonly seed?: number;
  /** Highest rate. Default 5e-4. */
  readonly rate?: number;
  /** Share of the steps in which the rate rises to its highest, before it falls to 0. Default 0.05. */
  readonly warmup?: number;
  /** Most tokens of a batch. Default 2048. */
  readonly tokens?: number;
  /** Batches of a step. Default 1. */
  readonly accumulate?: number;
  /** Share of tokens that are hidden. Default 0.15. */
  readonly share?: number;
  /** Share of values dropped. Default 0.1. */
  readonly dropout?: number;
  /** Decoupled weight decay. Default 0.01. */
  readonly weightDecay?: number;
  /** Largest norm of a step's gradient. Default 1. */
  readonly clip?: number;
  /** Steps from one loss on the held-out sequences to the next; also at the end. Default 500. */
  readonly evaluate?: number;
}

/** Options with nothing left open but the number of steps. */
export type PretrainSettings =
  & Required<Omit<PretrainOptions, "steps">>
  & { readonly steps: number | undefined };

const DEFAULTS: PretrainSettings = {
  objective: "masked",
  passes: 1,
  steps: undefined,
  seed: 1,
  rate: 5e-4,
  warmup: 0.05,
  tokens: 2048,
  accumulate: 1,
  share: 0.15,
  dropout: 0.1,
  weightDecay: 0.01,
  clip: 1,
  evaluate: 500,
};

const RANGES: Readonly<
  Record<string, readonly [low: number, high: number, kind: "whole" | "any"]>
> = {
  passes: [1, 1e6, "whole"],
  steps: [1, 1e9, "whole"],
  seed: [0, 2 ** 32 - 1, "whole"],
  rate: [0, 1, "any"],
  warmup: [0, 1, "any"],
  tokens: [3, 1 << 20, "whole"],
  accumulate: [1, 4096, "whole"],
  share: [0.01, 0.9, "any"],
  dropout: [0, 0.99, "any"],
  weightDecay: [0, 1, "any"],
  clip: [0, Infinity, "any"],
  evaluate: [1, 1e9, "whole"],
};

/** Fills in defaults. Throws {@link InputError} `input/option` that names an option out of range. */
export function pretrainSettingsOf(options: PretrainOptions): PretrainSettings {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as PretrainOptions;
  const settings: PretrainSettings = { ...DEFAULTS, ...given };
  const fail = (name: string, value: unknown, expected: string): never => {
    throw new InputError("input/option", `${name} is ${show(value)}; expected ${expected}.`);
  };
  for (const [name, [low, high, kind]] of Object.entries(RANGES)) {
    const value = settings[name as keyof PretrainSettings];
    if (value === undefined) continue;
    const fits = typeof value === "number" && value >= low && value <= high;
    if (fits && (kind === "any" || Number.isInteger(value))) continue;
    fail(name, value, `a ${kind === "whole" ? "whole " : ""}number from ${low} to ${high}`);
  }
  if (!OBJECTIVES.includes(settings.objective)) {
    fail("objective", settings.objective, OBJECTIVES.join(" or "));
  }
  return settings;
}
