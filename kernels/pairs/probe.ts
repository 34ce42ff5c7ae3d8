/**
 * Known answers: whether this engine's dot of pairs is exact for unsigned activations wherever a pair fits 16 bits.
 *
 * Operands come from memory, so that the compiler cannot answer in the engine's place. The loop lasts long enough
 * that a wrong first-tier compiler is caught at work, not only at the first instruction.
 */
import { PROBE_PAIRS, PROBE_UNUSABLE } from "../contract";
import { dot2, loadOnes, widened } from "./dot";

/** An activation and two weights each, at the ends of what 16 bits allow: of one sign, alone, and against each other. */
const EXTREMES: usize = memory.data<i32>([
  255, 127, 1,
  255, -127, -1,
  255, 64, 64,
  255, -64, -64,
  255, 127, -127,
  181, 127, 54,
  181, -90, -91,
  127, 127, 127,
  127, -127, -127,
  128, 127, 127,
  128, -1, -127,
]);
const EXTREME_COUNT: i32 = 11;

/** Runs the known-answer test with 48 bytes of scratch; returns one of the contract's verdicts. */
export function probe(scratch: usize): i32 {
  let seed: u32 = 12345;
  for (let round = 0; round < 64; round++) {
    for (let i: usize = 0; i < 16; i += 2) {
      seed = seed * 1664525 + 1013904223;
      let a0 = <i32> (seed >> 8) & 255, a1 = <i32> (seed >> 16) & 255;
      // Two weights whose magnitudes add up to 128 at most fit with any activations.
      let w0 = <i32> (seed >> 24) - 128, w1 = 128 - abs<i32>(w0);
      if (seed & 16) w1 = -w1;
      if (round < EXTREME_COUNT) {
        const extreme = EXTREMES + <usize> (12 * round);
        a0 = a1 = load<i32>(extreme);
        w0 = load<i32>(extreme, 4);
        w1 = load<i32>(extreme, 8);
      }
      store<i8>(scratch + i, <i8> max<i32>(w0, -127));
      store<i8>(scratch + i, <i8> max<i32>(min<i32>(w1, 127), -127), 1);
      store<u8>(scratch + i, <u8> a0, 16);
      store<u8>(scratch + i, <u8> a1, 17);
    }
    v128.store(scratch, widened(dot2(v128.load(scratch), v128.load(scratch, 16)), loadOnes()), 32);
    for (let lane: usize = 0; lane < 4; lane++) {
      let want = 0;
      for (let i: usize = lane << 2; i < (lane << 2) + 4; i++) {
        want += <i32> load<i8>(scratch + i) * <i32> load<u8>(scratch + i, 16);
      }
      if (load<i32>(scratch + (lane << 2), 32) != want) return PROBE_UNUSABLE;
    }
  }
  return PROBE_PAIRS;
}
