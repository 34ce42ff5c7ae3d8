/**
 * Embedding lookup: x = LayerNorm(word[id] + position[p]), the token type's row being added to every
 * position when the table is loaded. The word table stays int8 with a scale per row, or float32.
 */
import { padded } from "./layout";
import { normalizeRow } from "./norm";

/** Adds 8 columns of int8, scaled, to 8 floats. */
// @ts-ignore: decorator
@inline
function addScaled8(x: usize, word: usize, position: usize, scale: v128): void {
  const w = v128.load_ext<i8>(word);
  const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(w));
  const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(w));
  v128.store(x, f32x4.add(f32x4.mul(low, scale), v128.load(position)));
  v128.store(x, f32x4.add(f32x4.mul(high, scale), v128.load(position, 16)), 16);
}

/**
 * Rows r0 .. r1 of x[m, n]. `ids` and `positions` are int32 per row; rows of the int8 table are
 * `padded(n)` bytes, of the position table `padded(n)` floats; `scales` holds one float per id.
 */
export function embed_int8(
  x: usize,
  n: i32,
  ids: usize,
  positions: usize,
  words: usize,
  scales: usize,
  positionTable: usize,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  r0: i32,
  r1: i32,
): void {
  const columns = <usize> padded(n), row = columns << 2;
  for (let r = r0; r < r1; r++) {
    const id = <usize> load<u32>(ids + (<usize> r << 2));
    const word = words + id * columns;
    const scale = v128.load32_splat(scales + (id << 2));
    const position = positionTable + <usize> load<u32>(positions + (<usize> r << 2)) * row;
    const target = x + <usize> r * row;
    for (let i: usize = 0; i < columns; i += 8) {
      addScaled8(target + (i << 2), word + i, position + (i << 2), scale);
    }
    normalizeRow(target, n, gamma, beta, epsilon);
  }
}

/** The same with a float32 word table, rows of `padded(n)` floats. */
export function embed_f32(
  x: usize,
  n: i32,
  ids: usize,
  positions: usize,
  words: usize,
  positionTable: usize,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  r0: i32,
  r1: i32,
): void {
  const row = <usize> padded(n) << 2;
  for (let r = r0; r < r1; r++) {
    const word = words + <usize> load<u32>(ids + (<usize> r << 2)) * row;
    const position = positionTable + <usize> load<u32>(positions + (<usize> r << 2)) * row;
    const target = x + <usize> r * row;
    for (let i: usize = 0; i < row; i += 16) {
      v128.store(target + i, f32x4.add(v128.load(word + i), v128.load(position + i)));
    }
    normalizeRow(target, n, gamma, beta, epsilon);
  }
}
