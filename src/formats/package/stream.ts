/**
 * A package as it arrives, so that a file of 70 MB never lies in memory beside the model made of it.
 *
 * A package begins with its header, which says all that must be known to make room: configuration,
 * tokenizer, and every tensor's type, shape and place. Its float32 tensors come next (a writer sorts by the
 * size of elements), and with them scales, biases and norms; then the quantized matrices, one after the
 * other, each of which can be packed and dropped before the next has come. The word embedding, more than half
 * of a model, is handed on in runs of rows.
 *
 * Where the size of the whole is known beforehand, a header that claims more is refused before room is made for it; where
 * it is not (a server that compresses does not say), room is made for what has arrived, and nothing may follow the last
 * tensor. A file in another order is read too; what comes too early is kept.
 *
 * @module
 */
import { FormatError, InputError, isBytes, show } from "../../errors.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import type { I4Matrix, I8Matrix, Matrix } from "../../model/weights.ts";
import type { TokenizerOptions } from "../../tokenizer/types.ts";
import { checkMatrix } from "../check.ts";
import { checksumsIn, Xxh32 } from "./checksums.ts";
import { assemblePackage, checkKind, type Means, type StoredMatrix, viewMatrix } from "./read.ts";
import {
  headerLength,
  readHeader,
  type SafeTensor,
  type TensorEntry,
} from "../safetensors/read.ts";

/** Bytes as they come. */
export interface ByteSource {
  /** How many bytes there are in all; undefined where nobody says. */
  readonly size?: number | undefined;
  /** The bytes, in pieces of any size; a piece may be overwritten once the next one has been asked for. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Rows of a matrix that have arrived. */
export interface MatrixPart {
  /** The matrix of the bundle that they belong to. */
  readonly matrix: I8Matrix | I4Matrix;
  /** Index of the first row. */
  readonly first: number;
  /** The rows as a matrix of their own, checked; overwritten once the next part has been asked for. */
  readonly rows: I8Matrix | I4Matrix;
}

/** A model whose quantized matrices are still to come. */
export interface StreamedModel {
  /** All but the data of quantized matrices, which are empty. */
  readonly bundle: ModelBundle;
  /** The data; a matrix comes whole, the word embedding in runs of rows. To be read once. */
  readonly parts: AsyncIterable<MatrixPart>;
  /** Lets the source go, whether the parts were read or not. */
  close(): Promise<void>;
}

/** A run of word-embedding rows is about this long. */
const RUN_BYTES = 1 << 20;

/** What is made room for before any of it has come. */
const TRUSTED_BYTES = 1 << 24;

/** Takes exact numbers of bytes from pieces of any size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /**
   * The next `length` bytes, at an address that is a multiple of 4; throws when there are fewer. Room beyond
   * {@link TRUSTED_BYTES} is made as bytes arrive: their number was only claimed, by a server perhaps.
   */
  async take(length: number): Promise<Uint8Array> {
    let out = await this.fill(new Uint8Array(Math.min(length, TRUSTED_BYTES)));
    while (out.length < length) {
      const more = new Uint8Array(Math.min(length, 2 * out.length));
      more.set(out);
      await this.fill(more.subarray(out.length));
      out = more;
    }
    return out;
  }

  /** Whether there are no more bytes. */
  async ended(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return true;
      if (!isBytes(value)) {
        throw new InputError(
          "input/bytes",
          `a chunk of the stream is ${show(value)}; expected a Uint8Array.`,
        );
      }
      this.#rest = value;
    }
    return false;
  }

  /** Fills `out` with the next bytes. */
  async fill(out: Uint8Array): Promise<Uint8Array> {
    const { length } = out;
    for (let at = 0; at < length;) {
      if (await this.ended()) {
        throw new FormatError(
          "safetensors/truncated",
          `safetensors: the data end after ${at} of the next ${length} bytes.`,
        );
      }
      const part = this.#rest.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return out;
  }

  /** Lets the source go, read to the end or not. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** Bytes of one row; a tensor of no dimension is one row. */
function rowBytes({ shape, start, end }: TensorEntry): number {
  return shape[0] ? (end - start) / shape[0] : end - start;
}

/**
 * Reads a package's header and float32 tensors, and then, as `parts` is read, its quantized matrices.
 *
 * @param means those that are at hand
 * @throws what `readPackage` throws; for the data of a quantized matrix when its part is read.
 */
export async function streamPackage(
  { size, chunks }: ByteSource,
  options?: TokenizerOptions,
  means?: Means,
): Promise<StreamedModel> {
  const reader = new ByteReader(chunks);
  try {
    const length = headerLength(await reader.take(8));
    if (size !== undefined && 8 + length > size) {
      throw new FormatError(
        "safetensors/truncated",
        `safetensors: the header claims ${length} bytes, but only ${size - 8} follow.`,
      );
    }
    const { entries, metadata, dataBytes } = readHeader(await reader.take(length));
    checkKind(metadata);
    const need = 8 + length + dataBytes;
    if (size !== undefined && need !== size) {
      throw new FormatError(
        need > size ? "safetensors/truncated" : "safetensors/layout",
        `safetensors: header and tensors need ${need} bytes, the file has ${size}.`,
      );
    }
    const order = entries.toSorted((a, b) => a.start - b.start || a.end - b.end);
    const late = ({ dtype }: TensorEntry): boolean => dtype === "I8" || dtype === "U8";
    const first = order.findLastIndex((entry) => !late(entry)) + 1;

    const check = checksumsIn(new Map(entries.map((entry) => [entry.name, entry])), metadata);
    const data = new Map<string, Uint8Array>();
    for (const { name, start, end } of order.slice(0, first)) {
      const bytes = await reader.take(end - start);
      check?.(name, new Xxh32(means?.stripes).update(bytes));
      data.set(name, bytes);
    }
    const none = new Uint8Array(0);
    const tensors = new Map(entries.map(({ name, dtype, shape }): [string, SafeTensor] => {
      return [name, { dtype, shape, data: data.get(name) ?? none }];
    }));
    const awaited = new Map<string, I8Matrix | I4Matrix>();
    const bundle = assemblePackage(
      { tensors, metadata },
      (stored) => {
        if (stored.type === "f32") return viewMatrix(stored);
        const matrix = emptyMatrix(stored, stored.type);
        awaited.set(stored.name, matrix);
        return matrix;
      },
      options,
      means,
    );
    const sums = { check, means };
    return {
      bundle,
      parts: readParts(reader, order.filter(late), data, awaited, sums, size === undefined),
      close: () => reader.close(),
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** A quantized matrix without its data. */
function emptyMatrix(
  { rows, columns, scales }: StoredMatrix,
  type: "i8" | "i4",
): I8Matrix | I4Matrix {
  return type === "i8"
    ? { type, rows, columns, data: new Int8Array(0), scales }
    : { type, rows, columns, data: new Uint8Array(0), scales };
}

async function* readParts(
  reader: ByteReader,
  order: readonly TensorEntry[],
  early: ReadonlyMap<string, Uint8Array>,
  awaited: ReadonlyMap<string, I8Matrix | I4Matrix>,
  { check, means }: { check: ReturnType<typeof checksumsIn>; means: Means | undefined },
  toEnd: boolean,
): AsyncGenerator<MatrixPart> {
  // One buffer for all parts: a hundred that wait for a collector would be the whole file again.
  let buffer = new Uint8Array(0);
  for (const entry of order) {
    const { name, end, start } = entry, matrix = awaited.get(name)!, bytes = early.get(name);
    const run = name === "embeddings.word.weight" && bytes === undefined
      ? Math.max(1, Math.floor(RUN_BYTES / rowBytes(entry)))
      : matrix.rows;
    const sum = check && bytes === undefined ? new Xxh32(means?.stripes) : undefined;
    for (let first = 0; first < matrix.rows; first += run) {
      const count = Math.min(run, matrix.rows - first);
      const length = count * (end - start) / matrix.rows;
      if (bytes === undefined && buffer.length < length) buffer = new Uint8Array(length);
      const part = bytes ?? await reader.fill(buffer.subarray(0, length));
      const least = sum?.update(part).least;
      if (sum && first + count === matrix.rows) check?.(name, sum);
      yield { matrix, first, rows: partOf(name, matrix, first, count, part, least) };
    }
  }
  if (toEnd && !await reader.ended()) {
    throw new FormatError(
      "safetensors/layout",
      "safetensors: bytes follow the last tensor, in a file whose size was not stated.",
    );
  }
}

function partOf(
  name: string,
  { type, columns, scales }: I8Matrix | I4Matrix,
  first: number,
  rows: number,
  bytes: Uint8Array,
  least?: boolean,
): I8Matrix | I4Matrix {
  const own = scales.subarray(first, first + rows);
  const part: I8Matrix | I4Matrix = type === "i8"
    ? {
      type,
      rows,
      columns,
      data: new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length),
      scales: own,
    }
    : { type, rows, columns, data: bytes, scales: own };
  checkMatrix(name, rows, columns, part, least);
  return part;
}

/** Waits for all parts and fills the bundle's matrices, for who needs the weights as a whole. */
export async function collectModel(
  { bundle, parts }: Pick<StreamedModel, "bundle" | "parts">,
): Promise<ModelBundle> {
  type Open<T> = { -readonly [K in keyof T]: T[K] };
  for await (const { matrix, first, rows } of parts) {
    const open = matrix as Open<Matrix> & { data: Uint8Array | Int8Array };
    const width = rows.data.length / rows.rows;
    if (open.data.length === 0) {
      open.data = matrix.type === "i8"
        ? new Int8Array(matrix.rows * width)
        : new Uint8Array(matrix.rows * width);
    }
    open.data.set(rows.data, first * width);
  }
  return bundle;
}
