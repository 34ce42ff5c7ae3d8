/**
 * The derivative by the tables of lexicon features: dTable += features^T d. (There is none by the features, which are data.)
 *
 * As in the forward pass (../features.ts) a feature of 0 is passed over. Cut by columns: every chunk goes over all tokens
 * in order, so that each number is summed in one order.
 */
import { padded } from "../layout";

/** Columns j0 .. j1 (multiples of 4) of `table`, `columns` rows of `padded(n)` floats, from `rows` rows of features and d. */
export function feature_tables(
  d: usize,
  n: i32,
  features: usize,
  stride: usize,
  columns: i32,
  rows: i32,
  table: usize,
  j0: i32,
  j1: i32,
): void {
  const row = <usize> padded(n) << 2, first = <usize> j0 << 2, end = <usize> j1 << 2;
  for (let r = 0; r < rows; r++, d += row, features += stride) {
    for (let f = 0; f < columns; f++) {
      const feature = load<f32>(features + (<usize> f << 2));
      if (feature == 0) continue;
      const scale = f32x4.splat(feature), target = table + <usize> f * row;
      for (let j = first; j < end; j += 16) {
        v128.store(target + j, f32x4.add(v128.load(target + j), f32x4.mul(scale, v128.load(d + j))));
      }
    }
  }
}
