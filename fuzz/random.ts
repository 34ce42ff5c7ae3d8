/**
 * Randomness that a case can be made from again: a generator seeded by seed, target and case number.
 *
 * Each case has a generator of its own, so case 4711 is the same whether 4710 cases ran before it or none.
 * What is drawn must not depend on anything else: not on the clock, not on the order of cases.
 *
 * @module
 */

/** 32 bits from a text (FNV-1a), so that each target has cases of its own. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** A source of choices. */
export class Random {
  #state: number;

  /** Case number `index` of a target under a seed. */
  constructor(seed: number, target: string, index: number) {
    this.#state = hash(`${seed}/${target}/${index}`);
    for (let i = 0; i < 4; i++) this.unit();
  }

  /** A number in [0, 1): mulberry32. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** An integer from 0 to `below - 1`; 0 when there is none. */
  int(below: number): number {
    return Math.floor(this.unit() * Math.max(1, below));
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.int(times) === 0;
  }

  /** One of several. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!;
  }

  /** A size from 1 to about `most`, small ones being the usual ones. */
  size(most: number): number {
    return Math.max(1, Math.floor(Math.exp(this.unit() * Math.log(most))));
  }

  /** Bytes of no meaning. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.int(256));
  }
}

/** Integers at which lengths, offsets and dimensions go wrong. */
export const EDGES: readonly bigint[] = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  127n,
  128n,
  255n,
  65535n,
  65536n,
  (1n << 24n) + 1n,
  (1n << 28n) - 1n,
  (1n << 30n) + 4n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
  (1n << 32n) + 4n,
  (1n << 51n) + 1n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 62n) + 8n,
  (1n << 63n) - 1n,
  -(1n << 31n),
  -(1n << 63n),
];
