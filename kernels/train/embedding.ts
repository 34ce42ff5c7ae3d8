/**
 * Embedding lookup and its derivative.
 *
 * The lookup adds as the fp32 backend does, type to position first. The derivative is cut by columns: every
 * chunk goes over all tokens in order, so a row that occurs twice is summed in one order without sorting ids.
 */
import { padded } from "../layout";

/** Rows r0 .. r1 of sum = word[id] + (position[p] + type); `ids` and `positions` are int32 a row, `type` one row or 0. */
export function embed_forward(
  sum: usize,
  n: i32,
  ids: usize,
  positions: usize,
  words: usize,
  positionTable: usize,
  type: usize,
  r0: i32,
  r1: i32,
): void {
  const row = <usize> padded(n) << 2;
  for (let r = r0; r < r1; r++) {
    const word = words + <usize> load<u32>(ids + (<usize> r << 2)) * row;
    const position = positionTable + <usize> load<u32>(positions + (<usize> r << 2)) * row;
    const target = sum + <usize> r * row;
    for (let i: usize = 0; i < row; i += 16) {
      let place = v128.load(position + i);
      if (type) place = f32x4.add(place, v128.load(type + i));
      v128.store(target + i, f32x4.add(v128.load(word + i), place));
    }
  }
}

/** Adds columns j0 .. j1 (multiples of 4) of each of `rows` rows of `d` to the row of `table` that `indices` names. */
export function scatter_rows(d: usize, n: i32, indices: usize, rows: i32, table: usize, j0: i32, j1: i32): void {
  const row = <usize> padded(n) << 2, first = <usize> j0 << 2, end = <usize> j1 << 2;
  for (let r = 0; r < rows; r++, d += row) {
    const target = table + <usize> load<u32>(indices + (<usize> r << 2)) * row;
    for (let j = first; j < end; j += 16) {
      v128.store(target + j, f32x4.add(v128.load(target + j), v128.load(d + j)));
    }
  }
}

/** Rows r0 .. r1 of y = x[indices], n columns. */
export function gather_rows(x: usize, n: i32, indices: usize, y: usize, r0: i32, r1: i32): void {
  const row = <usize> padded(n) << 2;
  for (let r = r0; r < r1; r++) {
    memory.copy(y + <usize> r * row, x + <usize> load<u32>(indices + (<usize> r << 2)) * row, row);
  }
}
