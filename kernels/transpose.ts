/** Rows of 32-bit words to columns: how weights, keys and activations are packed, float32 or four int8 a word. */

/** Four rows of four words, transposed: the rows' first words go to `target`, the next ones `step` bytes on. */
// @ts-ignore: decorator
@inline
export function storeTransposed(r0: v128, r1: v128, r2: v128, r3: v128, target: usize, step: usize): void {
  const a = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5), b = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
  const c = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5), d = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  v128.store(target, v128.shuffle<i64>(a, c, 0, 2));
  v128.store(target + step, v128.shuffle<i64>(a, c, 1, 3));
  v128.store(target + 2 * step, v128.shuffle<i64>(b, d, 0, 2));
  v128.store(target + 3 * step, v128.shuffle<i64>(b, d, 1, 3));
}

/**
 * Eight rows of `words` words (a multiple of 4), `stride` bytes apart, to `target[words][8]`. Rows that would
 * lie beyond the one at `last` repeat it.
 */
export function transposePanel(source: usize, stride: usize, last: usize, words: i32, target: usize): void {
  for (let half: usize = 0; half < 32; half += 16) {
    let p = source, out = target + half;
    const end = p + (<usize> words << 2);
    const second = min(p + stride, last) - p, third = min(p + 2 * stride, last) - p;
    const fourth = min(p + 3 * stride, last) - p;
    for (; p < end; p += 16, out += 128) {
      const r0 = v128.load(p), r1 = v128.load(p + second), r2 = v128.load(p + third), r3 = v128.load(p + fourth);
      storeTransposed(r0, r1, r2, r3, out, 32);
    }
    source = min(source + 4 * stride, last);
  }
}
