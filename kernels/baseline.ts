/** The kernel module that needs nothing beyond WebAssembly's standard 128-bit SIMD. */
export * from "./common";

/** Nothing here differs between engines: always usable. */
export function probe(_scratch: usize): i32 {
  return 1;
}
