/** Nothing in baseline SIMD differs between engines. */
import { PROBE_UNSIGNED } from "../contract";

/** Always usable. */
export function probe(scratch: usize): i32 {
  return PROBE_UNSIGNED;
}
