/**
 * A whole encoder to int8, with a report of what it cost.
 *
 * Matrices become int8; biases, LayerNorms and the CRF stay float32: they are a percent of the bytes and
 * enter sums whose scale they would spoil. The report gives the error of each tensor as it will be
 * multiplied, so that one bad row shows before a model is shipped.
 *
 * Weak: the error of weights says little about the error of entities. Compare both with the evaluation.
 *
 * @module
 */
import { visitWeights } from "../model/roles.ts";
import { ModelError } from "../errors.ts";
import { checkLanes, type LaneBudget } from "../model/lanes.ts";
import { linearsOf } from "../model/linears.ts";
import type { EncoderWeights, F32Matrix, I4Matrix, I8Matrix, Matrix } from "../model/weights.ts";
import { quantizeMatrixLanes } from "./lanes.ts";
import { quantizeMatrixSampled } from "./rounding.ts";
import type { Moments } from "./moments.ts";
import { dequantizeMatrix, expandRow, quantizeMatrix, quantizeMatrix4 } from "./matrix.ts";

/** What quantizing one matrix cost. */
export interface TensorReport {
  /** Name by role, for instance `layers.0.attention.qkv.weight`. */
  readonly name: string;
  /** Rows, each with a scale of its own. */
  readonly rows: number;
  /** Columns. */
  readonly columns: number;
  /** Bytes as float32. */
  readonly bytesBefore: number;
  /** Bytes as int8 or int4, scales included. */
  readonly bytesAfter: number;
  /** Root of the squared error's sum over the root of the squares' sum; 0 for a matrix of zeros. */
  readonly relativeError: number;
  /** The row whose relative error is largest. */
  readonly worstRow: number;
  /** Relative error of that row. */
  readonly worstRowError: number;
}

/** What quantizing an encoder cost. */
export interface QuantizeReport {
  /** The matrices that were quantized, in the order of the forward pass. */
  readonly tensors: readonly TensorReport[];
  /** Bytes of all tensors before, those that stay float32 included. */
  readonly bytesBefore: number;
  /** Bytes of all tensors after. */
  readonly bytesAfter: number;
}

function ratio(error: number, signal: number): number {
  return signal === 0 ? 0 : Math.sqrt(error / signal);
}

/** Compares a matrix with its quantized form. */
export function reportMatrix(
  name: string,
  before: F32Matrix,
  after: I8Matrix | I4Matrix,
): TensorReport {
  const { rows, columns } = before;
  let error = 0;
  let signal = 0;
  let worstRow = 0;
  let worstRowError = 0;
  const stored = new Float32Array(columns);
  for (let row = 0; row < rows; row++) {
    expandRow(after, row, stored, 0);
    let rowError = 0;
    let rowSignal = 0;
    for (let c = 0; c < columns; c++) {
      const value = before.data[row * columns + c]!;
      const difference = value - stored[c]!;
      rowError += difference * difference;
      rowSignal += value * value;
    }
    error += rowError;
    signal += rowSignal;
    if (ratio(rowError, rowSignal) > worstRowError) {
      worstRow = row;
      worstRowError = ratio(rowError, rowSignal);
    }
  }
  return {
    name,
    rows,
    columns,
    bytesBefore: rows * columns * 4,
    bytesAfter: after.data.byteLength + after.scales.byteLength,
    relativeError: ratio(error, signal),
    worstRow,
    worstRowError,
  };
}

/** How an encoder is quantized. */
export interface QuantizeOptions {
  /** Bits of the word embedding; an embedding that has fewer bits already keeps them. Default `int8`. */
  readonly embeddings?: "int8" | "int4";
  /**
   * A budget for the weights of linear layers to keep (docs/lane_budget.md), with which processors that have no exact
   * dot product of bytes take 0.6 of the time. Weights that are int8 already and keep another or none are
   * quantized again. Default: the one that they keep, or none.
   */
  readonly lanes?: LaneBudget;
  /**
   * What each linear layer is given on sample text, by its weights (`sampleInputs`): rounding then minimises the layers' error
   * there, and biases take what is left of it on average. Default: every weight is rounded for itself.
   */
  readonly samples?: ReadonlyMap<Matrix, Moments>;
}

/**
 * Quantizes every matrix of an encoder; vectors are passed on as they are, but for biases if there are samples. Matrices that are int8
 * already are kept and not reported.
 *
 * Throws {@link ModelError}: `model/weights`, naming the tensor, row and column, for a weight that
 * is not finite; `model/weights` when the encoder lacks a part that its configuration asks for.
 */
export function quantizeEncoder(
  weights: EncoderWeights,
  options: QuantizeOptions = {},
): { weights: EncoderWeights; report: QuantizeReport } {
  const tensors: TensorReport[] = [];
  let bytesBefore = 0;
  let bytesAfter = 0;
  const lanes = options.lanes === undefined ? weights.lanes : checkLanes(options.lanes);
  const kept = weights.lanes?.levels === lanes?.levels && weights.lanes?.depth === lanes?.depth;
  const linears = new Set<Matrix>(linearsOf(weights).map(({ weight }) => weight));
  const contexts = new Set<Matrix>(weights.layers.map((layer) => layer.attentionOutput.weight));
  const head = weights.config.hiddenSize / weights.config.heads;
  /** What is to be added to biases, by their names. */
  const shifts = new Map<string, Float32Array>();
  /** To int8; a linear layer by its samples and with the budget, if there are any. */
  const toInt8 = (source: Matrix, full: F32Matrix, name: string): I8Matrix => {
    if (!linears.has(source)) return quantizeMatrix(full, name);
    const segment = contexts.has(source) ? head : full.columns, own = options.samples?.get(source);
    if (own !== undefined) {
      const { matrix, shift } = quantizeMatrixSampled(full, own, lanes, name, segment);
      shifts.set(name.replace(/weight$/, "bias"), shift);
      return matrix;
    }
    return lanes ? quantizeMatrixLanes(full, lanes, name, segment) : quantizeMatrix(full, name);
  };
  const missing = (name: string): never => {
    throw new ModelError("model/weights", `The encoder has no ${JSON.stringify(name)}.`);
  };
  const quantizedWeights = visitWeights(weights.config, {
    matrix(name, _rows, _columns, part) {
      const before = part ?? missing(name);
      const bytes = before.data.byteLength +
        (before.type === "f32" ? 0 : before.scales.byteLength);
      bytesBefore += bytes;
      const int4 = options.embeddings === "int4" && before === weights.wordEmbedding;
      const stays = before.type === "i8" && !int4 && (kept || !linears.has(before));
      if (before.type === "i4" || stays) {
        bytesAfter += bytes;
        return before;
      }
      const full = dequantizeMatrix(before);
      const after = int4 ? quantizeMatrix4(full, name) : toInt8(before, full, name);
      const report = reportMatrix(name, full, after);
      tensors.push(report);
      bytesAfter += report.bytesAfter;
      return after;
    },
    table(name, _rows, _columns, part) {
      const table = part ?? missing(name);
      bytesBefore += table.data.byteLength;
      bytesAfter += table.data.byteLength;
      return table;
    },
    vector(name, _size, part) {
      const vector = part ?? missing(name);
      bytesBefore += vector.byteLength;
      bytesAfter += vector.byteLength;
      const shift = shifts.get(name);
      return shift === undefined ? vector : vector.map((value, i) => value + shift[i]!);
    },
  }, weights);
  // Layers that are one object stay one, which is how a backend knows to hold it only once (ALBERT).
  const layers = weights.layers.map((layer) =>
    quantizedWeights.layers[weights.layers.indexOf(layer)]
  );
  return {
    weights: { ...quantizedWeights, layers, ...(lanes && { lanes }) },
    report: { tensors, bytesBefore, bytesAfter },
  };
}

/** The encoder that quantized weights stand for, all in float32; matrices that are float32 are returned as they are. */
export function dequantizeEncoder(weights: EncoderWeights): EncoderWeights {
  return visitWeights(weights.config, {
    matrix: (_name, _rows, _columns, part) => dequantizeMatrix(part!),
    table: (_name, _rows, _columns, part) => part!,
    vector: (_name, _size, part) => part!,
  }, weights);
}
