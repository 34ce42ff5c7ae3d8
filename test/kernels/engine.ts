/**
 * A kernel module over a memory of its own, for tests that run one command at a time.
 *
 * @module
 */
import { type Arguments, Program } from "../../src/kernels/program.ts";
import { COMMAND_BYTES, COMMANDS, CONTROL_BYTES } from "../../src/kernels/contract.ts";
import type { Kernels } from "../../src/kernels/exports.ts";
import { FIRST_FREE } from "../../src/kernels/memory.ts";
import { instantiateKernels } from "../../src/kernels/module.ts";
import { emulated, shipped } from "../support.ts";

const PAGES = 64;

/** Memory below this belongs to the module, the control words and the command. */
export const FREE = FIRST_FREE + CONTROL_BYTES + COMMAND_BYTES;

/** A module that runs commands. */
export interface Engine {
  readonly name: string;
  /** Whether products are exact only for weights that keep a lane budget. */
  readonly lanes: boolean;
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
  /** Runs one command, in so many chunks. */
  run<Name extends keyof typeof COMMANDS>(
    operation: Name,
    chunks: number,
    args: Arguments<typeof COMMANDS[Name]>,
  ): void;
}

async function engine(
  name: string,
  module: WebAssembly.Module,
  { signed = false, lanes = false } = {},
): Promise<Engine> {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const kernels = await instantiateKernels(module, memory);
  kernels.int8_set_signed(signed ? 1 : 0);
  const address = FIRST_FREE + CONTROL_BYTES;
  const program = new Program(COMMANDS, { memory, address, capacity: 1 });
  return {
    name,
    lanes,
    kernels,
    memory,
    run: (operation, chunks, args) => {
      program.add(operation, chunks, args);
      program.run(kernels, FIRST_FREE);
    },
  };
}

/** Every family, with every dot product that its probe lets pass. */
export const engines: readonly Engine[] = [
  await engine("baseline", await shipped("baseline")),
  await engine("relaxed, unsigned dot", await emulated("unsigned")),
  await engine("relaxed, signed dot", await emulated("signed"), { signed: true }),
  await engine("pairs, saturating dot", await emulated("saturating", "pairs"), { lanes: true }),
];
