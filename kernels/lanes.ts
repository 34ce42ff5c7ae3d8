/**
 * What a lane of 16 bits can be asked to hold: looked at while weights are packed, whatever the family, so that a file
 * that lies about its budget is refused on every processor alike.
 *
 * A lane of the pairs family's product adds up the products of 8 weights of a row, those at 16 i + 2 p + (0, 1, 4, 5, 8,
 * 9, 12, 13) for p = 0 or 1 (kernels/pairs/dot.ts). Activations are not negative, so a lane's largest value comes about
 * where positive weights meet the largest activation and negative ones meet 0: each sign's sum is all there is to
 * look at (docs/lane_budget.md).
 */

/** Adds up a vector's even lanes and its odd ones, 16 bits each; the sums are the first two lanes. */
// @ts-ignore: decorator
@inline
function overGroups(pairs: v128): v128 {
  const halves = i16x8.add(pairs, v128.shuffle<i64>(pairs, pairs, 1, 0));
  return i16x8.add(halves, v128.shuffle<i32>(halves, halves, 1, 0, 3, 2));
}

/** The largest magnitude that one sign's weights in a lane sum to, over the int8 weights from `p` to `end`. */
export function laneSum(p: usize, end: usize): i32 {
  const none = i8x16.splat(0);
  let most = none;
  for (; p < end; p += 16) {
    const w = v128.load(p);
    // Negated once they have 16 bits: -(-128) is no int8.
    const negative = i16x8.neg(i16x8.extadd_pairwise_i8x16_s(i8x16.min_s(w, none)));
    most = i16x8.max_s(most, overGroups(i16x8.extadd_pairwise_i8x16_s(i8x16.max_s(w, none))));
    most = i16x8.max_s(most, overGroups(negative));
  }
  return max<i32>(i16x8.extract_lane_s(most, 0), i16x8.extract_lane_s(most, 1));
}
