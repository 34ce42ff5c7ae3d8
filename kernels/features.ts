/**
 * Lexicon features into rows: x += f W, where W has a row for each feature.
 *
 * Most tokens have no feature, and those that have one have a few, so a feature of 0 is passed over and each other one
 * adds its row. Multiply and add apart, features in order: the same bits in every engine.
 */
import { padded } from "./layout";

/**
 * Rows r0 .. r1 of x[m, n]. A row of `features` is `stride` bytes; its `columns` floats go with as many rows of `table`,
 * each `padded(n)` floats.
 */
export function add_features(
  x: usize,
  n: i32,
  features: usize,
  stride: usize,
  columns: i32,
  table: usize,
  r0: i32,
  r1: i32,
): void {
  const row = <usize> padded(n) << 2;
  for (let r = r0; r < r1; r++) {
    const target = x + <usize> r * row, own = features + <usize> r * stride;
    for (let j = 0; j < columns; j++) {
      const feature = load<f32>(own + (<usize> j << 2));
      if (feature == 0) continue;
      const scale = f32x4.splat(feature), source = table + <usize> j * row;
      for (let i: usize = 0; i < row; i += 16) {
        v128.store(target + i, f32x4.add(v128.load(target + i), f32x4.mul(scale, v128.load(source + i))));
      }
    }
  }
}
