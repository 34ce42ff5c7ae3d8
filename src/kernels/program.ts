/**
 * Writes the commands that kernels/program.ts reads: a pass of operations, each cut into chunks (cut.ts).
 *
 * A pass is written once per run, nine commands of a few numbers for each layer of an encoder, and then carried out
 * by one call, on one thread or several; or by some calls, between which the caller may let others work. What there is
 * to be written, the contract says (contract.ts). Looking up every argument by its name costs more than counting words
 * would, which only the shortest passes of small models can feel.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { COMMAND_BYTES, COMMAND_WORDS, type Struct } from "./contract.ts";
import { PIECE_WORK } from "./cut.ts";
import type { Kernels } from "./exports.ts";

/** The operations of a module, each with its arguments. */
export type Commands = Readonly<Record<string, Struct>>;

/** A number for each argument of an operation. */
export type Arguments<T extends Struct> = { readonly [Name in keyof T]: number };

/** Where a program's commands lie. */
export interface Room {
  readonly memory: WebAssembly.Memory;
  /** A multiple of 64. */
  readonly address: number;
  /** Commands that there is room for, `COMMAND_BYTES` each. */
  readonly capacity: number;
}

/** A list of commands at one place in memory. */
export class Program<T extends Commands> {
  readonly #commands: ReadonlyMap<keyof T, { number: number; fields: [string, string][] }>;
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  readonly #room: Room;
  /** Commands before which a piece ends. */
  readonly #cuts: number[] = [];
  /** Work of the piece that is being written. */
  #work = 0;
  #count = 0;

  /** An empty list of operations that `commands` knows. */
  constructor(commands: T, room: Room) {
    this.#commands = new Map(
      Object.entries(commands).map(([name, struct], number) => [
        name,
        { number, fields: Object.entries(struct) },
      ]),
    );
    this.#words = new Int32Array(room.memory.buffer);
    this.#floats = new Float32Array(room.memory.buffer);
    this.#room = room;
  }

  /** Forgets all commands. */
  clear(): void {
    this.#count = this.#work = this.#cuts.length = 0;
  }

  /** Adds a command of `chunks` chunks and `work` multiplications, or what takes as long. */
  add<Name extends keyof T>(
    operation: Name,
    chunks: number,
    args: Arguments<T[Name]>,
    work = 0,
  ): void {
    if (this.#count === this.#room.capacity) {
      throw new RuntimeError("runtime/internal", "a pass has more commands than it has room for.");
    }
    if (this.#work > 0 && this.#work + work > PIECE_WORK) {
      this.#cuts.push(this.#count);
      this.#work = 0;
    }
    this.#work += work;
    const { number, fields } = this.#commands.get(operation)!;
    let at = (this.#room.address + this.#count++ * COMMAND_BYTES + COMMAND_WORDS) >> 2;
    this.#words[at++] = number;
    this.#words[at++] = chunks;
    for (const [name, type] of fields) {
      (type === "f32" ? this.#floats : this.#words)[at++] = args[name];
    }
  }

  /** Carries out all commands, with the threads that wait at `control`, and forgets them. */
  run(kernels: Pick<Kernels, "run">, control: number): void {
    kernels.run(control, this.#room.address, this.#count);
    this.clear();
  }

  /**
   * Carries out all commands, some milliseconds' worth at a time; the caller does as it likes in between. The program
   * must not be written to meanwhile.
   */
  *runInPieces(kernels: Pick<Kernels, "run">, control: number): Generator<void, void> {
    const { address } = this.#room, ends = [...this.#cuts, this.#count];
    for (const [i, end] of ends.entries()) {
      const start = ends[i - 1] ?? 0;
      if (start > 0) {
        this.#moveToFront(start, end);
        yield;
      }
      kernels.run(control, address, end - start);
    }
    this.clear();
  }

  /**
   * Threads know the program by its first command, so a later piece goes there. Their counters stay as they are: a
   * thread that comes late to the last run must find them used up.
   */
  #moveToFront(start: number, end: number): void {
    const first = (this.#room.address + COMMAND_WORDS) >> 2, step = COMMAND_BYTES >> 2;
    for (let i = start; i < end; i++) {
      const from = first + i * step;
      this.#words.copyWithin(
        first + (i - start) * step,
        from,
        from + ((COMMAND_BYTES - COMMAND_WORDS) >> 2),
      );
    }
  }
}
