/**
 * Packing for the int8 product on engines whose relaxed dot saturates pairs of products at 16 bits, which x86 without
 * AVX-VNNI does in every engine, and for weights that keep a lane budget. The same integers as relaxed/family.ts,
 * which says what is computed, from the same bytes in the same layout; blocks of rows are the baseline's.
 */
import { FAMILY_PAIRS } from "../contract";

export { blockRows } from "../baseline/family";
export { ACTIVATION_BYTES, packPanel, quantizeBlock } from "../relaxed/family";

/** Which family this is. */
export const FAMILY: i32 = FAMILY_PAIRS;

/** Activations are unsigned here, or the probe does not let this module pass. */
export function setSigned(_signed: i32): void {}

/** Panels that a tile takes at once: a row alone has sums enough only over two. */
// @ts-ignore: decorator
@inline
export function panelsTogether(m: i32, _left: i32): i32 {
  return m == 1 ? 2 : 1;
}
