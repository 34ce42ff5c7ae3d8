/**
 * Where a step's time goes: milliseconds by operation.
 *
 * Commands are written one by one and carried out together; here each is carried out as soon as it is written, and
 * timed. On one thread that is the same work in the same order. Weak: what an operation finds in the caches is what the
 * one before left there, so a sum of these is no promise for an operation alone.
 *
 * @module
 */
import { Program } from "../src/kernels/program.ts";

/** What {@link Program.run} is called with. */
type RunArguments = Parameters<Program<never>["run"]>;

/** Has every program time its operations from its first run on; the function returns times since it was last called. */
export function profileOperations(): () => Record<string, number> {
  const { prototype } = Program, { add, run } = prototype;
  let known: RunArguments | undefined, times: Record<string, number> = {};
  prototype.run = function (...args: RunArguments): void {
    known = args;
    run.apply(this, args);
  };
  prototype.add = function (...args: Parameters<typeof add>): void {
    add.apply(this, args);
    if (known === undefined) return;
    const operation = String(args[0]), start = performance.now();
    run.apply(this, known);
    times[operation] = (times[operation] ?? 0) + performance.now() - start;
  };
  return () => {
    const taken = times;
    times = {};
    return taken;
  };
}
