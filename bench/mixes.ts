/**
 * Instruction mixes and their peaks: compiles peaks.ts, and makes of each loop a candidate to time.
 *
 * A kernel's speed means little in operations a second alone; next to the most that the same instructions
 * reach on the same machine in the same minute, it says what is left to gain. The loops are compiled when
 * the benchmark runs, with the options of the shipped kernels.
 *
 * Weak: the peak is this engine's, bounds checks of two loads for every 8 to 12 products included, so it lies
 * a little below what the processor could do.
 *
 * @module
 */
import { compileKernel, MODULES } from "../tools/build/assemblyscript.ts";
import type { Candidate } from "./measure.ts";

/** Name of a loop in peaks.ts. */
export type Mix = "dot4" | "pairs" | "dot2" | "madd" | "range" | "gelu" | "best" | "sums";

/** Each mix in words, its operations for every 32 bytes of operands, and the kind of its operands. */
const MIXES: Readonly<Record<Mix, readonly [what: string, operations: number, kind: number]>> = {
  dot4: ["relaxed int8 dot, accumulating", 12 * 32, 0],
  pairs: ["relaxed dot of pairs, 4 added in 16 bits", 8 * 32, 0],
  dot2: ["int16 dot + add", 8 * 16, 0],
  madd: ["float32 mul + add", 8 * 8, 1],
  range: ["float32 max, min, 2 mul, 3 add", 2 * 7 * 4, 1],
  gelu: ["float32 26 mul or add, max, min, div", 2 * 29 * 4, 1],
  best: ["float64 scalar add + compare", 4 * 2, 2],
  sums: ["float64 scalar 13 mul + add, exp, log", 28, 2],
};

/** A loop at its peak. */
export interface Peak extends Candidate {
  readonly mix: Mix;
  /** The mix in words. */
  readonly what: string;
  /** Operations of one call. */
  readonly operations: number;
}

/** Passes of one call: 16 KiB to 40 KiB of operands, some microseconds. */
const PASSES = 16;

interface Loops extends Record<Mix, (passes: number) => number> {
  pass_bytes(): number;
  fill(kind: number): void;
}

/** Compiles the loops; each mix gets an instance and operands of its own. */
export async function loadPeaks(): Promise<Readonly<Record<Mix, Peak>>> {
  const module = await WebAssembly.compile(
    await compileKernel({ ...MODULES.relaxed, entry: "bench/peaks.ts" }),
  );
  const peaks = {} as Record<Mix, Peak>;
  for (const mix of Object.keys(MIXES) as Mix[]) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const loops = (await WebAssembly.instantiate(module, { env: { memory } }))
      .exports as unknown as Loops;
    const [what, operations, kind] = MIXES[mix];
    loops.fill(kind);
    peaks[mix] = {
      mix,
      what,
      name: `peak of ${what}`,
      operations: PASSES * loops.pass_bytes() / 32 * operations,
      run: () => loops[mix](PASSES),
    };
  }
  return peaks;
}
