/**
 * The figures of arXiv 2605.25463 (Saha, Hasib and Polok 2026) that a report puts beside its own: strict macro F1 on the test
 * rows of MedER, storage in megabytes, and speed on a CPU against the teacher.
 *
 * @module
 */

/** What the paper says of a model; undefined where it gives no figure. */
export interface PaperFigures {
  /** Strict, in percent. */
  readonly macroF1: number;
  /** Storage. */
  readonly megabytes: number | undefined;
  /** On a CPU, over the teacher. */
  readonly speedup: number | undefined;
}

/** By role. */
export const PAPER: Readonly<Record<"teacher" | "student" | "int8", PaperFigures>> = {
  teacher: { macroF1: 47.86, megabytes: 627, speedup: 1 },
  student: { macroF1: 44.56, megabytes: undefined, speedup: undefined },
  int8: { macroF1: 42.2, megabytes: 327.6, speedup: 8.6 },
};

/** Names of the three models. */
export const MODEL_NAMES: Readonly<Record<keyof typeof PAPER, string>> = {
  teacher: "teacher",
  student: "student",
  int8: "student, int8",
};
