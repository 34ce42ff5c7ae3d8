/**
 * How an operation is cut: into commands, between which the calling thread may do something else (program.ts), and
 * each command into chunks, which threads share (kernels/schedule.ts).
 *
 * How finely decides how well threads share it, how well it fits caches and how long a thread is kept, and nothing
 * else: no bit depends on it.
 *
 * @module
 */
import { BLOCK_ROWS, F32_DEPTH, LAST_ROWS, PANEL } from "./contract.ts";

/**
 * Multiplications that a thread may be kept with: half a millisecond to 2 ms of one thread's int8, by engine and
 * processor, and two or
 * three times that in float32.
 */
export const PIECE_WORK = 1 << 25;

/**
 * What an element takes, in multiplications of a product, where an operation goes once over its rows: to be normalized
 * or quantized, and to pass through an activation function first.
 */
export const ELEMENT_WORK = 16;
export const ACTIVATION_WORK = 128;

/** Panels of the commands that a product of `work` multiplications is cut into: a multiple of the panels of a tile. */
export function panelsOfPiece(panels: number, work: number): number {
  const pieces = Math.max(1, Math.ceil(work / PIECE_WORK));
  return Math.ceil(panels / pieces / PANELS_TOGETHER) * PANELS_TOGETHER;
}

/** Most panels that a tile goes over. */
const PANELS_TOGETHER = 4;

/** How rows are cut: the last chunk takes what is left, up to 7 rows more than the others. */
export interface RowCut {
  /** Rows of a chunk: a multiple of the rows of a packed block. */
  readonly rows: number;
  readonly chunks: number;
}

/** How a matrix product is cut. */
export interface ProductCut extends RowCut {
  /** Panels of a chunk. */
  readonly panels: number;
}

/** What decides how a product's rows are cut. */
interface Rows {
  /** Bytes of a row of activations as the product reads it. */
  readonly rowBytes: number;
  /** Rows of a block of activations. */
  readonly block: number;
  /** Bytes of activations that a chunk may have for its panels to go over, again and again. */
  readonly cachedBytes: number;
}

/** Rows of int8 activations, `rowBytes` each: a chunk's stay in the second-level cache, of which small cores have 256 KiB. */
export function rowsInt8(rowBytes: number): Rows {
  return { rowBytes, block: BLOCK_ROWS, cachedBytes: 192 * 1024 };
}

/**
 * Of float32, what stays in the first-level cache: the second level is needed by weights, four times as large, and by
 * the product. A chunk of 128 rows took 1.2 to 1.5 times as long in Bun (docs/kernels.md), and no less elsewhere.
 */
const CACHED_BYTES_F32 = 32 * 1024;

/** Rows of k float32 activations, of which a product goes over as many columns as it packs at a time. */
export function rowsF32(k: number): Rows {
  return { rowBytes: 4 * Math.min(k, F32_DEPTH), block: 4, cachedBytes: CACHED_BYTES_F32 };
}

/** Bytes of packed rows that a chunk of a float32 product takes, of `m` rows at most. */
export function scratchF32(m: number): number {
  const last = LAST_ROWS * 4 * F32_DEPTH;
  return Math.min(CACHED_BYTES_F32 + last, Math.ceil(m / 4) * 4 * 4 * F32_DEPTH);
}

/** A chunk of fewer multiplications (a few microseconds) would cost more to hand out than it saves. */
const LEAST_WORK = 1 << 18;

/** Chunks for each thread: the last ones to finish are this much shorter than the whole. */
const CHUNKS_PER_THREAD = 16;

function cut(m: number, rows: number): RowCut {
  if (m === 0) return { rows, chunks: 0 };
  return { rows, chunks: Math.max(1, Math.floor((m - LAST_ROWS) / rows) + 1) };
}

/** Cuts m rows in blocks of `block`: enough chunks for the threads, no more. */
export function cutRows(m: number, block: number, threads: number): RowCut {
  return cut(
    m,
    m === 0 ? block : threads === 1 ? m * block : Math.ceil(m / (block * threads * 4)) * block,
  );
}

/** A product of m rows of k activations with panels of 8 columns. */
export interface Product extends Rows {
  readonly m: number;
  readonly k: number;
  readonly panels: number;
}

/** Cuts a product for `threads` threads. */
export function cutProduct(
  { m, k, panels, rowBytes, block, cachedBytes }: Product,
  threads: number,
): ProductCut {
  const fitting = Math.max(1, Math.floor(cachedBytes / (rowBytes * block))) * block;
  // Equal blocks of rows, not full ones and a rest.
  const rowBlocks = Math.max(1, Math.ceil(m / fitting));
  const { rows, chunks } = cut(m, Math.ceil(m / rowBlocks / block) * block);
  let group = panels;
  if (threads > 1) {
    const work = m * k * panels * PANEL;
    const wanted = Math.min(CHUNKS_PER_THREAD * threads, Math.floor(work / LEAST_WORK));
    group = Math.ceil(panels / Math.max(1, Math.ceil(wanted / Math.max(1, chunks))));
    // A row alone takes four panels at a time, and panels come in pairs.
    group = m === 1 ? Math.ceil(group / 4) * 4 : Math.ceil(group / 2) * 2;
  }
  return { rows, panels: group, chunks: chunks * Math.ceil(panels / group) };
}
