/**
 * How a student learns from teachers: names and defaults, in one place.
 *
 * @module
 */
import { InputError, show } from "../../errors.ts";

/** What is learnt from a teacher: its emissions, or the distribution that it has over label paths. */
export const LESSONS = ["emissions", "marginals"] as const;

/** Layers of a teacher, from 1, one for each of the student's. */
export interface TaughtLayers {
  /** Factor on the loss, above 0. */
  readonly weight: number;
  /** `layers[i]` is taught to the student's layer i + 1. */
  readonly layers: readonly number[];
}

/** How a student learns from teachers. The defaults are those of arXiv 2605.25463. */
export interface DistillOptions {
  /** Weight of the labels' loss; that of the teachers' is 1 less this. Default 0.5. */
  readonly alpha?: number;
  /** By which scores are divided before they are compared, so that what is unlikely counts, too. Default 4. */
  readonly temperature?: number;
  /**
   * `emissions` (default): each token's, before any CRF. `marginals`: those of the teacher's CRF, of labels and of
   * pairs of neighbours; of a teacher without one, those of its softmax.
   */
  readonly lesson?: typeof LESSONS[number];
  /**
   * Hidden states to come near, too; of one teacher, as wide as the student. `layers[i]` is the teacher's layer, from 1,
   * whose output the student's layer i + 1 is to have; `weight` that of their mean squared distance. Default: none.
   */
  readonly states?: TaughtLayers | undefined;
  /**
   * Attention to come near, too: the divergence between softmax weights, head by head, or between their means where the teacher,
   * of which there is one, has another number of heads. Layers and weight as in `states`. Default: none.
   */
  readonly attention?: TaughtLayers | undefined;
}

/** Options with nothing left open. */
export type DistillSettings =
  & Required<Omit<DistillOptions, "states" | "attention">>
  & Pick<DistillOptions, "states" | "attention">;

/** Fills in defaults. Throws {@link InputError} `input/option` that names an option out of range. */
export function distillSettingsOf(options: DistillOptions): DistillSettings {
  const { alpha = 0.5, temperature = 4, lesson = "emissions" } = options;
  const { states, attention } = options;
  const rules = [
    ["alpha", alpha, "0 to below 1", alpha >= 0 && alpha < 1],
    ["temperature", temperature, "more than 0", isPositive(temperature)],
    ["lesson", lesson, LESSONS.join(" or "), LESSONS.includes(lesson)],
    ["states.weight", states?.weight, "more than 0", !states || isPositive(states.weight)],
    [
      "attention.weight",
      attention?.weight,
      "more than 0",
      !attention || isPositive(attention.weight),
    ],
  ] as const;
  for (const [name, value, expected, ok] of rules) {
    if (!ok) {
      throw new InputError("input/option", `${name} is ${show(value)}; expected ${expected}.`);
    }
  }
  return { alpha, temperature, lesson, ...(states && { states }), ...(attention && { attention }) };
}

function isPositive(value: number): boolean {
  return value > 0 && value < Infinity;
}
