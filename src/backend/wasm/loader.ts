/**
 * A model into a backend's memory.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { linearsOf } from "../../model/linears.ts";
import type { EncoderWeights, I8Matrix, Matrix } from "../../model/weights.ts";
import type { Kernels } from "../../kernels/exports.ts";
import type { WasmLinear } from "./layout.ts";
import type { PlacedLayers, Plan } from "./plan.ts";
import {
  uploadF32Linear,
  uploadInt8Linear,
  uploadNorm,
  uploadQuantizedTable,
  uploadTable,
  type Views,
} from "./upload.ts";

function int8Of(matrix: Matrix): I8Matrix {
  if (matrix.type === "i8") return matrix;
  throw new ModelError(
    "model/dtype",
    "the int8 backend takes int8 weights; quantize them first.",
  );
}

/**
 * Fills a backend's memory, matrix by matrix, so that a model need never lie in memory twice.
 *
 * It is made from weights whose matrices may still be empty: only shapes and types are looked at. Then each
 * matrix is handed over once its data are there, the word embedding also in runs of rows, and `finish` puts
 * in what is small.
 */
export class WasmLoader {
  readonly #kernels: Kernels;
  readonly #views: Views;
  readonly #plan: Plan;
  readonly #weights: EncoderWeights;
  readonly #layers: PlacedLayers;
  /** Where each linear layer's matrix goes. */
  readonly #linears = new Map<Matrix, { target: WasmLinear; bias: Float32Array }>();
  /** Small tables that go in together at the end. */
  readonly #tables = new Map<Matrix, Matrix>();

  /** Takes memory laid out by `placeEncoder`. */
  constructor(
    kernels: Kernels,
    views: Views,
    plan: Plan,
    layers: PlacedLayers,
    weights: EncoderWeights,
  ) {
    this.#kernels = kernels;
    this.#views = views;
    this.#plan = plan;
    this.#weights = weights;
    this.#layers = layers;
    const placed = weights.layers.map((layer) => layers.get(layer)!);
    const targets = linearsOf({ ...plan, layers: placed });
    linearsOf(weights).forEach(({ weight, bias }, i) => {
      this.#linears.set(weight, { target: targets[i], bias });
    });
  }

  /**
   * Takes rows `first ...` of a matrix of the weights; all of them, unless it is the word embedding. Their
   * data may be overwritten afterwards.
   */
  accept(matrix: Matrix, first: number, rows: Matrix): void {
    const { scratch, precision, words, wordScales } = this.#plan, views = this.#views;
    const linear = this.#linears.get(matrix), int8 = precision === "int8";
    const packer = { kernels: this.#kernels, views, staging: scratch };
    if (linear && int8) {
      const { lanes } = this.#weights;
      uploadInt8Linear(packer, linear.target, { weight: int8Of(rows), bias: linear.bias, lanes });
    } else if (linear) {
      uploadF32Linear(packer, linear.target, { weight: rows, bias: linear.bias });
    } else if (matrix !== this.#weights.wordEmbedding) {
      // Kept until its partner is there, while the caller's buffer moves on.
      this.#tables.set(matrix, { ...rows, data: rows.data.slice() } as Matrix);
    } else if (int8) {
      const table = rows.type === "i4" ? rows : int8Of(rows);
      uploadQuantizedTable(views, words, wordScales, table, first);
    } else uploadTable(views, words, rows, first);
  }

  /** To be called once every matrix has been taken; the backend can run after it. */
  finish(): void {
    const { positionEmbedding, typeEmbedding, embeddingNorm, features } = this.#weights;
    const plan = this.#plan;
    const table = (matrix: Matrix): Matrix => this.#tables.get(matrix) ?? matrix;
    const types = typeEmbedding && table(typeEmbedding);
    uploadTable(this.#views, plan.positions, table(positionEmbedding), 0, types);
    uploadNorm(this.#views, plan.embeddingNorm, embeddingNorm);
    if (plan.features) {
      uploadTable(this.#views, plan.features.input.address, features!.input, 0);
      uploadTable(this.#views, plan.features.window.address, features!.window, 0);
    }
    for (const [source, target] of this.#layers) {
      uploadNorm(this.#views, target.attentionNorm, source.attentionNorm);
      uploadNorm(this.#views, target.feedForwardNorm, source.feedForwardNorm);
    }
  }
}
