/** An activation function over whole rows, for the fp32 backend (int8 applies it while it quantizes). */
import { padded } from "./layout";
import { activateRow } from "./rows";

/** Applies `activation` (layout.ts) to rows r0 .. r1 of n columns, in place. */
export function activate(x: usize, n: i32, activation: i32, r0: i32, r1: i32): void {
  const row = <usize> padded(n) << 2;
  activateRow(x + <usize> r0 * row, (r1 - r0) * padded(n), activation);
}
