/**
 * What a linear layer's inputs are like on sample text: their mean, and how they vary together.
 *
 * Of a layer's results, a weight's rounding changes the mean by what the input's mean multiplies, which a bias takes back;
 * and the rest by what the input varies with, which other weights' rounding can take back (rounding.ts). More is
 * not needed of the text, so it may be of any length.
 *
 * @module
 */

/** Rows that are added together: sums of so many stay in registers. */
const TOGETHER = 64;

/** Sums over inputs of a width. */
export class Moments {
  /** Columns of an input. */
  readonly width: number;
  #count = 0;
  readonly #sums: Float64Array;
  /** Sums of products, row-major; columns up to the row's own are filled. */
  readonly #products: Float64Array;

  /** Of no inputs yet. */
  constructor(width: number) {
    this.width = width;
    this.#sums = new Float64Array(width);
    this.#products = new Float64Array(width * width);
  }

  /** How many inputs there were. */
  get count(): number {
    return this.#count;
  }

  /** Adds inputs, `[n, width]` row-major. */
  add(inputs: Float32Array): void {
    const { width } = this, columns = new Float64Array(width * TOGETHER);
    for (let first = 0; first < inputs.length; first += TOGETHER * width) {
      const rows = Math.min(TOGETHER, (inputs.length - first) / width);
      // Turned round, so that what is multiplied lies side by side.
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < width; c++) columns[c * rows + r] = inputs[first + r * width + c]!;
      }
      for (let i = 0; i < width; i++) {
        const own = i * rows;
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += columns[own + r]!;
        this.#sums[i] = this.#sums[i]! + sum;
        for (let j = 0; j <= i; j++) {
          let product = 0;
          for (let r = 0, at = j * rows; r < rows; r++) {
            product += columns[own + r]! * columns[at + r]!;
          }
          this.#products[i * width + j] = this.#products[i * width + j]! + product;
        }
      }
      this.#count += rows;
    }
  }

  /** The mean input, `[width]`. */
  mean(): Float64Array {
    return this.#sums.map((sum) => sum / Math.max(1, this.#count));
  }

  /** The covariance, `[width, width]` row-major; columns up to the row's own are filled. */
  covariance(): Float64Array {
    const { width } = this, mean = this.mean(), count = Math.max(1, this.#count);
    const out = new Float64Array(width * width);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j <= i; j++) {
        out[i * width + j] = this.#products[i * width + j]! / count - mean[i]! * mean[j]!;
      }
    }
    return out;
  }
}
