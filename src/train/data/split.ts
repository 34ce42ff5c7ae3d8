/**
 * Texts for training, for validation and for a last test.
 *
 * Texts that share a group fall on one side, and so do texts that read the same: a model that is tested on what it
 * was trained on looks better than it is. Groups are dealt out whole, in an order that the seed decides, until a
 * part has its share; what is left is for training.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { Random } from "../random.ts";
import type { LabelledText } from "../../corpus/text.ts";

/** Shares of the texts, each from 0 to below 1. */
export interface SplitOptions {
  /** Decides which texts fall where. */
  readonly seed: number;
  /** Share for validation, by which training is stopped. Default 0.1. */
  readonly validation?: number;
  /** Share for the last report. Default 0.1. */
  readonly test?: number;
}

/** Three parts; each in the order of the whole. */
export interface Split {
  /** What is learnt from. */
  readonly train: readonly LabelledText[];
  /** What training is stopped by. */
  readonly validation: readonly LabelledText[];
  /** What is reported on at last. */
  readonly test: readonly LabelledText[];
}

/**
 * Deals out texts. Throws {@link InputError} `input/split` for shares that leave nothing to train on.
 */
export function splitTexts(texts: readonly LabelledText[], options: SplitOptions): Split {
  const { seed, validation = 0.1, test = 0.1 } = options;
  if (!(validation >= 0 && test >= 0 && validation + test < 1)) {
    throw new InputError(
      "input/split",
      `shares of ${validation} for validation and ${test} for the test; expected at least 0 each, ` +
        "and less than 1 together.",
    );
  }
  const groups = groupsOf(texts);
  const parts: [number, number[]][] = [
    [Math.round(validation * texts.length), []],
    [Math.round(test * texts.length), []],
    [Infinity, []],
  ];
  for (const g of new Random(seed, "split").permutation(groups.length)) {
    const group = groups[g]!;
    const [, part] = parts.find(([size, part]) => part.length + group.length <= size)!;
    part.push(...group);
  }
  const [held, last, train] = parts.map(([, part]) => {
    return part.sort((a, b) => a - b).map((i) => texts[i]!);
  });
  if (train!.length === 0) {
    throw new InputError(
      "input/split",
      `${texts.length} texts in ${groups.length} groups leave none to train on.`,
    );
  }
  return { train: train!, validation: held!, test: last! };
}

/** Indices of texts that must stay together, groups in the order of their first member. */
function groupsOf(texts: readonly LabelledText[]): number[][] {
  const parent = texts.map((_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const first = new Map<string, number>();
  texts.forEach(({ text, group }, i) => {
    for (const key of group === undefined ? [`text ${text}`] : [`text ${text}`, `group ${group}`]) {
      const other = first.get(key);
      if (other === undefined) first.set(key, i);
      else {
        const [a, b] = [root(i), root(other)];
        parent[Math.max(a, b)] = Math.min(a, b);
      }
    }
  });
  const groups = new Map<number, number[]>();
  texts.forEach((_, i) => {
    const members = groups.get(root(i));
    if (members === undefined) groups.set(root(i), [i]);
    else members.push(i);
  });
  return [...groups.values()];
}
