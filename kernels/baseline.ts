/** The kernel module that needs nothing beyond WebAssembly's standard 128-bit SIMD. */
import { PROBE_UNSIGNED } from "./contract";

export * from "./common";

/** Nothing here differs between engines: always usable. */
export function probe(scratch: usize): i32 {
  return PROBE_UNSIGNED;
}
