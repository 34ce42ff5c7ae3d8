/**
 * Numbers as Python's `random.Random(seed)` gives them: the Mersenne Twister (Matsumoto and Nishimura 1998, MT19937),
 * and CPython's ways from its words to orders and samples.
 *
 * The splits that the models' figures are of were first drawn by Python. To hold out the same rows, this draws the same
 * numbers; nothing else in the repository should use it (`src/train/random.ts` is what training goes by).
 *
 * @module
 */

/** Words of state, and how far apart those are that are mixed. */
const SIZE = 624, APART = 397;

/** A generator; the same seed gives what Python 3.2 and later gives. */
export class PythonRandom {
  readonly #state = new Uint32Array(SIZE);
  #at = SIZE;

  /** `seed`: a whole number from 0 to below 2^32. */
  constructor(seed: number) {
    // init_genrand and init_by_array of the authors' program, for a key of one word.
    const state = this.#state;
    state[0] = 19650218;
    for (let i = 1; i < SIZE; i++) {
      const before = state[i - 1]!;
      state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    const mixed = (i: number, factor: number): number => {
      const before = state[i - 1]!;
      return state[i]! ^ Math.imul(before ^ (before >>> 30), factor);
    };
    let i = 1;
    const step = (value: number): void => {
      state[i] = value;
      if (++i < SIZE) return;
      state[0] = state[SIZE - 1]!;
      i = 1;
    };
    for (let k = 0; k < SIZE; k++) step(mixed(i, 1664525) + seed);
    for (let k = 1; k < SIZE; k++) step(mixed(i, 1566083941) - i);
    state[0] = 0x80000000;
  }

  /** The next 32 bits. */
  #word(): number {
    const state = this.#state;
    if (this.#at === SIZE) {
      for (let i = 0; i < SIZE; i++) {
        const both = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
        state[i] = state[(i + APART) % SIZE]! ^ (both >>> 1) ^ (both & 1 ? 0x9908b0df : 0);
      }
      this.#at = 0;
    }
    let word = state[this.#at++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** A whole number from 0 to below `n`, which is at most 2^31. */
  below(n: number): number {
    const bits = 32 - Math.clz32(n);
    let value: number;
    do value = this.#word() >>> (32 - bits); while (value >= n);
    return value;
  }

  /** One of them: `choice`. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** All of them in another order: a copy, after `shuffle`. */
  shuffled<T>(list: readonly T[]): T[] {
    const order = [...list];
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }

  /** `count` of them, or all where there are fewer: `sample`, which goes one of two ways by how many there are. */
  sample<T>(list: readonly T[], count: number): T[] {
    const n = list.length, k = Math.min(count, n);
    const small = 21 + (k > 5 ? 4 ** Math.ceil(Math.log(k * 3) / Math.log(4)) : 0);
    if (n > small) {
      const taken = new Set<number>();
      while (taken.size < k) taken.add(this.below(n));
      return Array.from(taken, (i) => list[i]!);
    }
    const pool = [...list];
    return Array.from({ length: k }, (_, i) => {
      const j = this.below(n - i), one = pool[j]!;
      pool[j] = pool[n - i - 1]!;
      return one;
    });
  }
}
