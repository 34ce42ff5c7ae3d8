/**
 * Random numbers that depend on what they are for and on nothing else: Philox4x32-10 (Salmon, Moraes, Dror and
 * Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A generator that keeps a state gives other numbers when one more is drawn before, so a run that is resumed
 * would have to save it, and two threads would have to share it. Here a number is a function of the seed, of a
 * stream (what it is for: splitting, shuffling, weights) and of its index. Integer operations only, so the same
 * in every engine.
 *
 * @module
 */

const M0 = 0xd2511f53, M1 = 0xcd9e8d57;
/** The golden ratio and the root of 3 less 1, as 32-bit fractions: the paper's Weyl constants. */
const W0 = 0x9e3779b9, W1 = 0xbb67ae85;
const ROUNDS = 10;

/** The upper 32 bits of the product of two unsigned 32-bit integers. */
function high(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16), low = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(low / 0x10000)) >>> 0;
}

/** Four words of 32 bits from a counter of four and a key of two. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter, [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const h0 = high(M0, c0 >>> 0), l0 = Math.imul(M0, c0);
    const h1 = high(M1, c2 >>> 0), l1 = Math.imul(M1, c2);
    [c0, c1, c2, c3] = [h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0];
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/** What random numbers are for; each has a stream of its own. */
export const STREAMS = {
  split: 1,
  order: 2,
  weights: 3,
  adapters: 4,
  exchange: 5,
  resplit: 6,
  mask: 7,
  join: 8,
  further: 9,
  hide: 10,
  replace: 11,
  folds: 12,
  lexicon: 13,
} as const;

/** The numbers of one stream of a seed, drawn in order. */
export class Random {
  readonly #seed: number;
  readonly #stream: number;
  readonly #part: number;
  #block: readonly number[] = [];
  #drawn = 0;

  /** `part` tells uses of a stream apart: an epoch, a tensor. All are whole numbers of 32 bits. */
  constructor(seed: number, stream: keyof typeof STREAMS, part = 0) {
    this.#seed = seed;
    this.#stream = STREAMS[stream];
    this.#part = part;
  }

  /** The next 32 bits. */
  bits(): number {
    const at = this.#drawn++ & 3;
    if (at === 0) {
      const block = (this.#drawn - 1) / 4;
      // The second word of the key has a bit that dropout's keys never have: its streams are apart from these.
      this.#block = philox([block, 0, this.#part, this.#stream], [this.#seed, 0x80000000]);
    }
    return this.#block[at]!;
  }

  /** Uniform in [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.bits() / 0x100000000;
  }

  /** A whole number from 0 to `size` - 1; the bias, below `size` / 2^32, is let be. */
  below(size: number): number {
    return Math.floor(this.uniform() * size);
  }

  /**
   * Nearly normal, of mean 0 and deviation 1: the sum of twelve uniform numbers less 6. Box and Muller's method
   * would need the engine's logarithm and cosine, which differ in their last bit. Never beyond 6.
   */
  normal(): number {
    let sum = 0;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum - 6;
  }

  /** 0 to `size` - 1 in random order (Fisher and Yates). */
  permutation(size: number): Int32Array {
    const order = Int32Array.from({ length: size }, (_, i) => i);
    for (let i = size - 1; i > 0; i--) {
      const j = this.below(i + 1), other = order[j]!;
      order[j] = order[i]!;
      order[i] = other;
    }
    return order;
  }
}
