/**
 * A constant matrix as a graph sees it: a window on a stored tensor, perhaps transposed, cut, or quantized.
 *
 * Recognisers turn and cut matrices (a transposed weight, a third of a packed query-key-value weight)
 * without touching an element; {@link toMatrix} reads the elements once, at the end, when all sizes have
 * been checked.
 *
 * A quantized weight stays int8 where that loses nothing: integer minus zero point within -127 .. 127, and
 * one scale for each output, which is what `quantize_dynamic` writes for signed weights (`-127` to `127`,
 * zero point 0). An unsigned weight is asymmetric, so its zero point can leave -128 or more, up to 255; such
 * a matrix is expanded to float32, and is quantized again, symmetrically, by whoever wants int8.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import type { Matrix } from "../../model/weights.ts";
import { type OnnxTensor, tensorFloats } from "./tensor.ts";

/** How integers stand for numbers: `(integer - zero) * scale`, with one or several scales. */
export interface Quantization {
  readonly scales: Float32Array;
  /** As many as scales; undefined for zeros. */
  readonly zeros: Int32Array | undefined;
  /** Element `[r, c]` has scale number `offset + r * rowStep + c * columnStep`; steps are 0 or 1. */
  readonly offset: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/**
 * The quantization of a weight with these dimensions: one scale, or one for each place along `axis`. Throws
 * {@link ModelError} `onnx/shape` when there are others; `label` says where.
 */
export function quantizationOf(
  scales: Float32Array,
  zeros: ArrayLike<number> | undefined,
  axis: number,
  dims: readonly number[],
  label: string,
): Quantization {
  const along = dims.length === 1 ? 0 : axis < 0 ? axis + dims.length : axis;
  const many = scales.length > 1;
  const expected = many ? dims[along] : 1;
  if (scales.length !== expected || (zeros !== undefined && zeros.length !== scales.length)) {
    throw new ModelError(
      "onnx/shape",
      `${label} has ${scales.length} scales and ${zeros?.length ?? "no"} zero points ` +
        `for a weight of shape [${dims}].`,
    );
  }
  const shifted = zeros !== undefined && Array.from(zeros).some((zero) => zero !== 0);
  return {
    scales,
    zeros: shifted ? Int32Array.from(zeros) : undefined,
    offset: 0,
    rowStep: many && along === 0 ? 1 : 0,
    columnStep: many && along === 1 ? 1 : 0,
  };
}

/** The same of the transpose. */
export function turnedQuantization(q: Quantization): Quantization {
  return { ...q, rowStep: q.columnStep, columnStep: q.rowStep };
}

/** A window on a stored tensor: element `[r, c]` is number `offset + r * rowStride + c * columnStride`. */
export interface ConstantMatrix {
  readonly tensor: OnnxTensor;
  readonly rows: number;
  readonly columns: number;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
  /** For integers; undefined for floats. */
  readonly quantization: Quantization | undefined;
}

/** A whole stored tensor of two dimensions. */
export function wholeMatrix(tensor: OnnxTensor, quantization?: Quantization): ConstantMatrix {
  const [rows, columns] = tensor.dims as [number, number];
  return { tensor, rows, columns, offset: 0, rowStride: columns, columnStride: 1, quantization };
}

/** The transpose. */
export function flipped(matrix: ConstantMatrix): ConstantMatrix {
  const { quantization: q } = matrix;
  return {
    ...matrix,
    rows: matrix.columns,
    columns: matrix.rows,
    rowStride: matrix.columnStride,
    columnStride: matrix.rowStride,
    quantization: q && turnedQuantization(q),
  };
}

/** The columns `from` .. `from + count - 1`, which must be there. */
export function columnsOf(matrix: ConstantMatrix, from: number, count: number): ConstantMatrix {
  const { quantization: q } = matrix;
  return {
    ...matrix,
    columns: count,
    offset: matrix.offset + from * matrix.columnStride,
    quantization: q && { ...q, offset: q.offset + from * q.columnStep },
  };
}

/** The rows `from` .. end; at least one must be left. */
export function rowsFrom(matrix: ConstantMatrix, from: number): ConstantMatrix {
  const turned = flipped(matrix);
  return flipped(columnsOf(turned, from, turned.columns - from));
}

/** Whether a matrix holds integers. */
export function isQuantized(matrix: ConstantMatrix): boolean {
  return matrix.quantization !== undefined;
}

/** The integers of a tensor that is quantized: bytes, or int32 for a bias. */
export function integersOf(tensor: OnnxTensor): Int8Array | Uint8Array | Int32Array | undefined {
  const { bytes, size } = tensor;
  switch (tensor.type) {
    case "uint8":
      return bytes;
    case "int8":
      return new Int8Array(bytes.buffer, bytes.byteOffset, size);
    case "int32":
      return bytes.byteOffset % 4 === 0
        ? new Int32Array(bytes.buffer, bytes.byteOffset, size)
        : new Int32Array(new Uint8Array(bytes).buffer);
    default:
      return undefined;
  }
}

/**
 * `matrix * factor`, row-major. Floats in stored order are a view of the file; everything else is a copy.
 * Integers give an int8 matrix where they fit it (see the module's comment), else float32.
 */
export function toMatrix(matrix: ConstantMatrix, factor = 1): Matrix {
  const { tensor, rows, columns, offset, rowStride, columnStride, quantization } = matrix;
  if (quantization !== undefined) return fromIntegers(matrix, quantization, factor);
  const source = tensorFloats(tensor)!;
  if (columnStride === 1 && rowStride === columns && factor === 1) {
    return {
      type: "f32",
      rows,
      columns,
      data: source.subarray(offset, offset + rows * columns),
    };
  }
  const data = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      data[r * columns + c] = source[offset + r * rowStride + c * columnStride]! * factor;
    }
  }
  return { type: "f32", rows, columns, data };
}

function fromIntegers(matrix: ConstantMatrix, q: Quantization, factor: number): Matrix {
  const { rows, columns, offset, rowStride, columnStride } = matrix;
  const source = integersOf(matrix.tensor)!;
  const scaleAt = (r: number, c: number): number => q.offset + r * q.rowStep + c * q.columnStep;
  const at = (r: number, c: number): number =>
    source[offset + r * rowStride + c * columnStride]! - (q.zeros?.[scaleAt(r, c)] ?? 0);

  const fits = (): boolean => {
    if (q.columnStep !== 0) return false;
    for (let r = 0; r < rows; r++) {
      if (!(q.scales[scaleAt(r, 0)]! * factor >= 0)) return false;
      for (let c = 0; c < columns; c++) if (Math.abs(at(r, c)) > 127) return false;
    }
    return true;
  };
  if (fits()) {
    const data = new Int8Array(rows * columns);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) data[r * columns + c] = at(r, c);
    }
    const scales = Float32Array.from({ length: rows }, (_, r) => q.scales[scaleAt(r, 0)]! * factor);
    return { type: "i8", rows, columns, data, scales };
  }
  const data = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      data[r * columns + c] = at(r, c) * q.scales[scaleAt(r, c)]! * factor;
    }
  }
  return { type: "f32", rows, columns, data };
}

/** A stored vector's numbers: floats, or integers with their quantization; undefined for anything else. */
export function toVector(
  tensor: OnnxTensor,
  q: Quantization | undefined,
): Float32Array | undefined {
  if (q === undefined) return tensorFloats(tensor);
  const source = integersOf(tensor);
  if (source === undefined) return undefined;
  return Float32Array.from(source, (value, i) => {
    const scale = q.scales.length === 1 ? 0 : i;
    return (value - (q.zeros?.[scale] ?? 0)) * q.scales[scale]!;
  });
}
