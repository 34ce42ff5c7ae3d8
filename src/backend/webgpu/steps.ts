/**
 * How operations become dispatches: which kernel, over which grid, cut where it takes long.
 *
 * @module
 */
import { FEW_ROWS, TILE_QUERIES, TILE_ROWS } from "./kernels.ts";
import { type Dispatch, MOST_GROUPS } from "./machine.ts";

/** A grid over rows or tiles. */
export interface Grid {
  /** How many rows or tiles there are. */
  readonly count: number;
  /** How many of them a workgroup takes. */
  readonly block: number;
  /** Multiplications for each. */
  readonly work: number;
  /** The grid of so many blocks. */
  groups(blocks: number): readonly [number, number, number];
}

/** Cuts a grid into dispatches of at most `most` multiplications, where a block alone is not more. */
export function cutGrid({ count, block, work, groups }: Grid, most: number): Dispatch[] {
  const blocks = Math.max(1, Math.min(MOST_GROUPS, Math.floor(most / (block * work))));
  const dispatches: Dispatch[] = [], step = blocks * block;
  for (let first = 0; first < count; first += step) {
    const end = Math.min(count, first + step);
    dispatches.push({
      first,
      end,
      groups: groups(Math.ceil((end - first) / block)),
      work: (end - first) * work,
    });
  }
  return dispatches;
}

/** Below so many large tiles small ones are taken. Not measured on a GPU. */
const FEW_TILES = 64;

/** Rows of the tiles that a product over `rows` rows and `panels` panels is cut into. */
export function tileRows(rows: number, panels: number): number {
  return Math.ceil(rows / TILE_ROWS) * panels < FEW_TILES ? FEW_ROWS : TILE_ROWS;
}

/** Attention's tiles, four numbers each: first token and length of a sequence, the tile's first query in it, and 0. */
export function attentionTiles(offsets: Int32Array): Uint32Array {
  const tiles: number[] = [];
  for (let s = 1; s < offsets.length; s++) {
    const length = offsets[s] - offsets[s - 1];
    for (let query = 0; query < length; query += TILE_QUERIES) {
      tiles.push(offsets[s - 1], length, query, 0);
    }
  }
  return Uint32Array.from(tiles);
}
