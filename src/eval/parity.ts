/**
 * How far two engines' numbers lie apart.
 *
 * Two measures, because each hides what the other shows: the largest absolute difference finds one
 * wrong element among thousands; the relative L2 difference (`|a - b| / |b|`) says how large the error
 * is next to the signal, which is what quantization is judged by. Sums run in float64.
 *
 * A NaN or an infinity on one side only makes both measures infinite: a comparison that cannot be made
 * must never look like a small one.
 *
 * @module
 */

/** Difference of one array to a reference. */
export interface Difference {
  /** Largest `|a - b|`. */
  readonly maxAbs: number;
  /** `|a - b| / |b|` in the L2 norm; 0 for equal arrays, infinite if only `b` is all zeros. */
  readonly relativeL2: number;
}

/**
 * Sums differences over many arrays, so that a corpus has one number instead of a mean of ratios
 * (which short or quiet arrays would dominate).
 */
export class DifferenceMeter {
  #maxAbs = 0;
  #error = 0;
  #signal = 0;

  /** Adds one pair; throws a `RangeError` if the lengths differ. */
  add(actual: ArrayLike<number>, reference: ArrayLike<number>): void {
    if (actual.length !== reference.length) {
      throw new RangeError(
        `arrays of ${actual.length} and ${reference.length} numbers cannot be compared.`,
      );
    }
    for (let i = 0; i < actual.length; i++) {
      const a = actual[i];
      const b = reference[i];
      // Object.is sees the equal infinities and NaNs whose difference is NaN.
      const difference = Object.is(a, b) ? 0 : Math.abs(a - b);
      if (!Number.isFinite(difference)) {
        this.#maxAbs = Infinity;
        this.#error = Infinity;
        continue;
      }
      if (difference > this.#maxAbs) this.#maxAbs = difference;
      this.#error += difference * difference;
      if (Number.isFinite(b)) this.#signal += b * b;
    }
  }

  /** The differences of everything added so far; zeros if nothing was. */
  get value(): Difference {
    const relativeL2 = this.#error === 0 ? 0 : Math.sqrt(this.#error / this.#signal);
    return { maxAbs: this.#maxAbs, relativeL2 };
  }
}

/** Largest absolute and relative L2 difference of two arrays of the same length. */
export function difference(actual: ArrayLike<number>, reference: ArrayLike<number>): Difference {
  const meter = new DifferenceMeter();
  meter.add(actual, reference);
  return meter.value;
}
