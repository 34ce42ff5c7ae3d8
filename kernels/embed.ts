/**
 * Embedding lookup: x = LayerNorm(word[id] + position[p]), the token type's row being added to every
 * position when the table is loaded. The word table stays int8 or int4 with a scale per row, or float32.
 */
import { Embed } from "./contract";
import { padded } from "./layout";
import { normalizeRow } from "./norm";

/** Eight int16 columns, scaled, plus eight floats of the position table. */
// @ts-ignore: decorator
@inline
function addScaled8(x: usize, w: v128, position: usize, scale: v128): void {
  const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(w));
  const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(w));
  v128.store(x, f32x4.add(f32x4.mul(low, scale), v128.load(position)));
  v128.store(x, f32x4.add(f32x4.mul(high, scale), v128.load(position, 16)), 16);
}

/**
 * Rows r0 .. r1 of x[m, n]. `ids` and `positions` are int32 per row; rows of the int8 table are
 * `padded(n)` bytes, of the position table `padded(n)` floats; `scales` holds one float per id.
 */
export function embed_i8(it: Embed, r0: i32, r1: i32): void {
  const n = it.n, words = it.words, positionTable = it.positionTable;
  const columns = <usize> padded(n), row = columns << 2;
  for (let r = r0; r < r1; r++) {
    const id = <usize> load<u32>(it.ids + (<usize> r << 2));
    const word = words + id * columns;
    const scale = v128.load32_splat(it.scales + (id << 2));
    const position = positionTable + <usize> load<u32>(it.positions + (<usize> r << 2)) * row;
    const target = it.x + <usize> r * row;
    for (let i: usize = 0; i < columns; i += 8) {
      addScaled8(target + (i << 2), v128.load_ext<i8>(word + i), position + (i << 2), scale);
    }
    normalizeRow(target, n, it.gamma, it.beta, it.epsilon);
  }
}

/**
 * The same with an int4 table, two columns a byte, the even one in the low half, each stored as q + 8.
 * Rows are `padded(n) / 2` bytes; padding columns hold q = 0.
 */
export function embed_i4(it: Embed, r0: i32, r1: i32): void {
  const n = it.n, words = it.words, positionTable = it.positionTable;
  const columns = <usize> padded(n), row = columns << 2;
  const low = i8x16.splat(15), offset = i8x16.splat(8);
  for (let r = r0; r < r1; r++) {
    const id = <usize> load<u32>(it.ids + (<usize> r << 2));
    const word = words + id * (columns >> 1);
    const scale = v128.load32_splat(it.scales + (id << 2));
    const position = positionTable + <usize> load<u32>(it.positions + (<usize> r << 2)) * row;
    const target = it.x + <usize> r * row;
    for (let i: usize = 0; i < columns; i += 16) {
      const pairs = v128.load64_zero(word + (i >> 1));
      const even = v128.and(pairs, low), odd = i8x16.shr_u(pairs, 4);
      const q = i8x16.sub(
        v128.shuffle<i8>(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
        offset,
      );
      const out = target + (i << 2), add = position + (i << 2);
      addScaled8(out, i16x8.extend_low_i8x16_s(q), add, scale);
      addScaled8(out + 32, i16x8.extend_high_i8x16_s(q), add + 32, scale);
    }
    normalizeRow(target, n, it.gamma, it.beta, it.epsilon);
  }
}

/** The same with a float32 word table, rows of `padded(n)` floats. */
export function embed_f32(it: Embed, r0: i32, r1: i32): void {
  const n = it.n, words = it.words, positionTable = it.positionTable;
  const row = <usize> padded(n) << 2;
  for (let r = r0; r < r1; r++) {
    const word = words + <usize> load<u32>(it.ids + (<usize> r << 2)) * row;
    const position = positionTable + <usize> load<u32>(it.positions + (<usize> r << 2)) * row;
    const target = it.x + <usize> r * row;
    for (let i: usize = 0; i < row; i += 16) {
      v128.store(target + i, f32x4.add(v128.load(word + i), v128.load(position + i)));
    }
    normalizeRow(target, n, it.gamma, it.beta, it.epsilon);
  }
}
