/**
 * Known answers: which operands the relaxed dot of this engine takes, before anything relies on it.
 *
 * Operands come from memory, so that the compiler cannot answer in the engine's place. The loop lasts long
 * enough that a wrong first-tier compiler is caught at work, not only at the first instruction.
 */
import { PROBE_SIGNED, PROBE_UNSIGNED, PROBE_UNUSABLE } from "../contract";
import { dot4 } from "./dot";

// @ts-ignore: decorator
@inline
function matches(scratch: usize, signed: bool): bool {
  let seed: u32 = 12345;
  for (let round = 0; round < 64; round++) {
    // Extremes first (all pairs of +-127 with 0x00, 0x7f, 0x80, 0xff), then anything.
    for (let i: usize = 0; i < 16; i++) {
      seed = seed * 1664525 + 1013904223;
      const r = <i32> (seed >> 24);
      const w = round < 8 ? (round & 1 ? -127 : 127) : r % 128 - (r & 1 ? 64 : 0);
      const a = round < 8 ? (round < 2 ? 255 : round < 4 ? 128 : round < 6 ? 127 : 0) : (seed >> 8) & 255;
      store<i8>(scratch + i, <i8> w);
      store<u8>(scratch + i, <u8> a, 16);
    }
    const got = dot4(v128.load(scratch), v128.load(scratch, 16), i32x4.splat(round << 20));
    v128.store(scratch, got, 32);
    for (let lane: usize = 0; lane < 4; lane++) {
      let want = round << 20;
      for (let i: usize = lane << 2; i < (lane << 2) + 4; i++) {
        const a = signed ? <i32> load<i8>(scratch + i, 16) : <i32> load<u8>(scratch + i, 16);
        want += <i32> load<i8>(scratch + i) * a;
      }
      if (load<i32>(scratch + (lane << 2), 32) != want) return false;
    }
  }
  return true;
}

/** Runs the known-answer test with 48 bytes of scratch; returns one of the contract's verdicts. */
export function probe(scratch: usize): i32 {
  if (matches(scratch, false)) return PROBE_UNSIGNED;
  if (matches(scratch, true)) return PROBE_SIGNED;
  return PROBE_UNUSABLE;
}
