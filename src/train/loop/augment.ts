/**
 * How the texts of an epoch differ from the data: what keeps a few thousand texts from being learnt by heart.
 *
 * @module
 */
import { InputError } from "../../errors.ts";

/**
 * Changes of the texts, other ones in each epoch; each a share from 0 (never, the default) to 1. All that is random in
 * them is a function of the seed and the epoch.
 */
export interface AugmentOptions {
  /** Of texts, in which about half of the distinct entities are exchanged for others of their type. 0.25 is a start. */
  readonly exchange?: number;
  /** Of tokens that are masked, in 70 % of the texts. 0.07 is a start. */
  readonly mask?: number;
  /** Of words that are cut into other pieces. Only with WordPiece. 0.1 is a start. */
  readonly resplit?: number;
  /** Of texts to which 1 to 5 others are joined, as far as they fit. 0.06 is a start. */
  readonly join?: number;
}

/** Shares with nothing left open. */
export type Augment = Required<AugmentOptions>;

/**
 * Fills in what is left out; undefined where nothing is changed. Throws {@link InputError} `input/option` for what is no
 * share.
 */
export function augmentOf(options: AugmentOptions = {}): Augment | undefined {
  const { exchange = 0, mask = 0, resplit = 0, join = 0 } = options;
  const augment = { exchange, mask, resplit, join };
  for (const [name, share] of Object.entries(augment)) {
    if (typeof share === "number" && share >= 0 && share <= 1) continue;
    throw new InputError(
      "input/option",
      `augment.${name} is ${share}; expected a share from 0 to 1.`,
    );
  }
  return Object.values(augment).every((share) => share === 0) ? undefined : augment;
}
