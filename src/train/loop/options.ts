/**
 * How a model is fine-tuned: names and defaults, in one place.
 *
 * @module
 */
import { InputError, show } from "../../errors.ts";
import { ADAPTED, type Adapted } from "../../model/adapter.ts";
import type { Parameter } from "../types.ts";
import { type Augment, augmentOf, type AugmentOptions } from "./augment.ts";
import type { LowRankOptions } from "./low_rank.ts";

/** All that a run depends on, beside the data and the model that it starts from. */
export interface FineTuneOptions {
  /** Times that the data are gone through. Default 10. */
  readonly epochs?: number;
  /** Decides the order, dropout and new weights; an unsigned 32-bit integer. Default 1. */
  readonly seed?: number;
  /** Highest rate. Default 5e-4, for small encoders; 3e-5 suits large ones that were pretrained long. */
  readonly rate?: number;
  /** Share of the steps in which the rate rises to its highest, before it falls to 0. Default 0.1. */
  readonly warmup?: number;
  /** Most tokens of a batch, special tokens included. Default 1024. */
  readonly tokens?: number;
  /** Most texts of a batch. Default 16. */
  readonly texts?: number;
  /** Batches whose gradients are added up for a step. Default 1. */
  readonly accumulate?: number;
  /** Longest sequence, special tokens included; longer texts go in windows. Default: what fits, at most 512. */
  readonly length?: number;
  /** Share of values dropped. Default 0.1. */
  readonly dropout?: number;
  /** Decoupled weight decay. Default 0.01. */
  readonly weightDecay?: number;
  /** Decay of AdamW's second moment. Default 0.999; 0.98 suits runs of some thousand steps. */
  readonly beta2?: number;
  /** Largest norm of a step's gradient. Default 1. */
  readonly clip?: number;
  /** Factor on the classifier's rate. Default 2. */
  readonly headRate?: number;
  /** Factor on the CRF's rate. Default 10: its scores have far to go. */
  readonly crfRate?: number;
  /** Factor on the rate of what lexicon features add. Default 5. */
  readonly featureRate?: number;
  /** Learn a CRF; without one, each token's label is judged alone. Default true. */
  readonly crf?: boolean;
  /** Parts that keep their weights: the embeddings, and so many of the lowest layers. Default: none. */
  readonly freeze?: { readonly embeddings?: boolean; readonly layers?: number };
  /**
   * Decay of a moving average of the weights, a step; what is judged and kept is the average. 0 (default): none.
   * 0.99 helps where data are few.
   */
  readonly average?: number;
  /** Score by which the best epoch is chosen. Default `micro`. */
  readonly metric?: "micro" | "macro";
  /**
   * Learn low-rank adapters (LoRA) beside the encoder, and a head, and nothing else. `alpha` scales them, by default twice
   * the rank; `maps`: the linear maps of each layer that are adapted, by default query and value.
   */
  readonly lora?: {
    readonly rank: number;
    readonly alpha?: number;
    readonly maps?: readonly Adapted[];
  };
  /** How the texts of an epoch differ from the data. Default: they do not. */
  readonly augment?: AugmentOptions;
  /** Epochs without a better score after which training stops. Default: none stops it. */
  readonly patience?: number;
}

/** Options with nothing left open. */
export type Settings =
  & Required<Omit<FineTuneOptions, "freeze" | "lora" | "augment">>
  & {
    readonly augment: Augment | undefined;
    readonly freeze: { readonly embeddings: boolean; readonly layers: number };
    readonly lora: LowRankOptions | undefined;
  };

const DEFAULTS: Omit<Settings, "length"> = {
  epochs: 10,
  seed: 1,
  rate: 5e-4,
  warmup: 0.1,
  tokens: 1024,
  texts: 16,
  accumulate: 1,
  dropout: 0.1,
  weightDecay: 0.01,
  beta2: 0.999,
  clip: 1,
  headRate: 2,
  crfRate: 10,
  featureRate: 5,
  crf: true,
  freeze: { embeddings: false, layers: 0 },
  average: 0,
  metric: "micro",
  lora: undefined,
  augment: undefined,
  patience: Infinity,
};

/** Smallest and largest value, and whether it is a whole number. */
type Range = readonly [low: number, high: number, kind: "whole" | "any"];

const RANGES: Readonly<Record<string, Range>> = {
  epochs: [1, 1e6, "whole"],
  seed: [0, 2 ** 32 - 1, "whole"],
  rate: [0, 1, "any"],
  warmup: [0, 1, "any"],
  tokens: [3, 1 << 20, "whole"],
  texts: [1, 1 << 20, "whole"],
  accumulate: [1, 4096, "whole"],
  length: [3, 1 << 16, "whole"],
  dropout: [0, 0.99, "any"],
  weightDecay: [0, 1, "any"],
  beta2: [0, 0.999999, "any"],
  clip: [0, Infinity, "any"],
  headRate: [0, 1e6, "any"],
  crfRate: [0, 1e6, "any"],
  featureRate: [0, 1e6, "any"],
  average: [0, 0.999999, "any"],
};

/** Longest sequence by default: longer ones cost their square. */
const MAX_LENGTH = 512;

/**
 * Fills in defaults for a model of this many positions and layers. Throws {@link InputError} `input/option` that names an
 * option out of range.
 */
export function settingsOf(
  options: FineTuneOptions,
  { maxPositions, layers }: { readonly maxPositions: number; readonly layers: number },
): Settings {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as FineTuneOptions;
  const tokens = given.tokens ?? DEFAULTS.tokens;
  const { embeddings = false, layers: frozen = 0 } = given.freeze ?? {};
  const lora = given.lora &&
    { alpha: 2 * given.lora.rank, maps: DEFAULT_MAPS, ...given.lora };
  const settings: Settings = {
    ...DEFAULTS,
    length: Math.min(maxPositions, MAX_LENGTH, tokens),
    ...given,
    freeze: { embeddings, layers: frozen },
    lora,
    augment: augmentOf(given.augment),
  };
  const fail: Fail = (name, value, expected) => {
    throw new InputError("input/option", `${name} is ${show(value)}; expected ${expected}.`);
  };
  for (const [name, [low, high, kind]] of Object.entries(RANGES)) {
    const value = settings[name as keyof Settings];
    if (typeof value === "number" && value >= low && value <= high) {
      if (kind === "any" || Number.isInteger(value)) continue;
    }
    fail(name, value, `a ${kind === "whole" ? "whole " : ""}number from ${low} to ${high}`);
  }
  const longest = Math.min(maxPositions, settings.tokens);
  if (settings.length > longest) fail("length", settings.length, `at most ${longest}`);
  if (!Number.isInteger(frozen) || frozen < 0 || frozen > layers) {
    fail("freeze.layers", frozen, `0 to ${layers}`);
  }
  if (!(settings.patience >= 1)) fail("patience", settings.patience, "at least 1");
  if (lora) checkLora(lora, fail);
  if (settings.metric !== "micro" && settings.metric !== "macro") {
    fail("metric", settings.metric, '"micro" or "macro"');
  }
  return settings;
}

/** PEFT's for BERT. */
const DEFAULT_MAPS: readonly Adapted[] = ["query", "value"];

type Fail = (name: string, value: unknown, expected: string) => never;

function checkLora({ rank, alpha, maps }: LowRankOptions, fail: Fail): void {
  if (!Number.isInteger(rank) || rank < 1 || rank > 1024) {
    fail("lora.rank", rank, "a whole number from 1 to 1024");
  }
  if (!(alpha > 0 && alpha < Infinity)) fail("lora.alpha", alpha, "a number above 0");
  const known = maps.length > 0 && maps.every((map) => ADAPTED.includes(map));
  if (!known || new Set(maps).size < maps.length) {
    fail("lora.maps", maps, `some of ${ADAPTED.join(", ")}, each once`);
  }
}

/** Factor on a parameter's rate; 0 where it is frozen. */
export function rateOf(
  { name }: Pick<Parameter, "name">,
  { freeze, headRate, crfRate, featureRate }: Settings,
): number {
  if (name.startsWith("crf.")) return crfRate;
  if (name.startsWith("features.")) return featureRate;
  if (/^(head|classifier)\./.test(name)) return headRate;
  if (name.startsWith("embeddings.")) return freeze.embeddings ? 0 : 1;
  const layer = /^layers\.(\d+)\./.exec(name);
  return layer !== null && Number(layer[1]) < freeze.layers ? 0 : 1;
}

/** The rate of step `step` (from 1) of `total`: up in a straight line, then down to 0 in another. */
export function rateAt(
  step: number,
  total: number,
  { rate, warmup }: Pick<Settings, "rate" | "warmup">,
): number {
  const rising = Math.round(warmup * total);
  return step <= rising ? rate * step / rising : rate * (total - step + 1) / (total - rising);
}
