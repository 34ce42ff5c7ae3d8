/**
 * Texts in batches of about as many tokens, those of a batch about as long.
 *
 * Nothing is padded, so lengths may differ; but a batch's time is that of its tokens and of the squares of its
 * lengths, and batches that cost alike make steps alike. Texts are sorted by length, shaken by a fifth so that not
 * the same ones meet in every epoch, and cut; the batches are shuffled. All of it is a function of the seed and of
 * the epoch: a run that is resumed in the middle of an epoch finds the same batches.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { Random } from "../random.ts";

/** By how much of its length a text may move in the order. */
const SHAKE = 0.2;

/** How texts are put together. */
export interface BatchOptions {
  /** Most tokens of a batch, special tokens included. */
  readonly tokens: number;
  /** Most texts of a batch. Default: no limit. */
  readonly texts?: number | undefined;
  /** Decides the order. */
  readonly seed: number;
  /** Counted from 0. */
  readonly epoch: number;
}

/**
 * Indices of texts by batch, each text once. `lengths` are in tokens, special tokens included. Throws
 * {@link InputError} `input/batch` for a text that is longer than a batch.
 */
export function batchesOf(lengths: ArrayLike<number>, options: BatchOptions): Int32Array[] {
  const { tokens, texts = Infinity, seed, epoch } = options;
  const shake = new Random(seed, "order", 2 * epoch);
  const keys = Float64Array.from(lengths, (length) => length * (1 + SHAKE * shake.uniform()));
  const order = Int32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
  const batches: Int32Array[] = [];
  let start = 0, sum = 0;
  order.forEach((text, i) => {
    const length = lengths[text]!;
    if (length > tokens) {
      throw new InputError(
        "input/batch",
        `a text of ${length} tokens does not fit into a batch of ${tokens}; allow more tokens a batch.`,
      );
    }
    if (sum + length > tokens || i - start === texts) {
      batches.push(order.slice(start, i));
      start = i;
      sum = 0;
    }
    sum += length;
  });
  if (start < order.length) batches.push(order.slice(start));
  const shuffled = new Random(seed, "order", 2 * epoch + 1).permutation(batches.length);
  return Array.from(shuffled, (i) => batches[i]!);
}
