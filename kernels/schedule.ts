/**
 * A list of commands in memory, which any number of threads carry out together.
 *
 * Each command is one operation, cut into chunks that do not overlap: blocks of rows, groups of
 * panels, heads of sequences. A thread takes the next chunk of the first unfinished command, by one atomic
 * decrement, until there is none; it goes on to the next command when the last chunk of this one is done.
 * Nobody waits for a thread that is asleep, late or has lost its core, except for the chunk that it holds; and
 * who waits longer for that than it can take goes to sleep for a moment, because on a crowded machine it may
 * be sitting on the very core that the other needs. Which thread computes a chunk changes no bit of it: a
 * kernel's results do not depend on the range that it is given.
 *
 * A command is 128 bytes: the chunks still to be taken (i64), the chunks still to be done (i64), and on a
 * cache line of their own, which is only read, operation, number of chunks and arguments (contract.ts). The counters
 * carry the program's generation in their upper halves, so a thread that comes late finds a generation that is
 * not its own and can take nothing of it.
 *
 * One thread runs the same program by the same code. Atomic operations are allowed on memory that is not
 * shared, so one module serves both; `memory.atomic.wait` alone would trap there, and nobody gets to it
 * without a second thread.
 *
 * Where it is weak: a thread that dies with a chunk in its hands leaves the calling thread waiting for it.
 * Kernels do not trap, and threads are ended between runs only.
 */
import { Command, COMMAND_BYTES, COMMAND_WORDS, CONTROL_COMMANDS, CONTROL_MAY_SLEEP, CONTROL_TAKEN } from "./contract";

/** After this many looks at a counter (some 20 microseconds) the chunk's owner may have lost its core. */
const SPINS: i32 = 1 << 14;

/** Nanoseconds to sleep then, so that the other thread can have this core if there is no other. */
const NAP: i64 = 100000;

/**
 * Carries out one chunk of a command; scratch number `thread` is this thread's own.
 *
 * All that takes one is inlined, so that the compiler knows the function and calls it by name. Through a table, Node 20
 * puts every thread but the first to sleep for good after some chunks.
 */
export type Step = (command: Command, chunk: i32, thread: i32) => void;

/** End of the piece of `size` that begins at `start`: what is left if it is the last of `pieces`. */
// @ts-ignore: decorator
@inline
export function endOf(start: i32, size: i32, piece: i32, pieces: i32, end: i32): i32 {
  return piece == pieces - 1 ? end : start + size;
}

/** Takes part in a program of `count` commands until it is done; scratch number `thread` is this thread's own. */
// @ts-ignore: decorator
@inline
function takePart(
  control: usize,
  program: usize,
  count: i32,
  generation: i32,
  thread: i32,
  step: Step,
): void {
  const counter = control + CONTROL_TAKEN + (<usize> thread << 2);
  const maySleep = thread != 0 || load<i32>(control, CONTROL_MAY_SLEEP) != 0;
  for (let end = program + <usize> (count * COMMAND_BYTES); program < end; program += COMMAND_BYTES) {
    const command = changetype<Command>(program + COMMAND_WORDS);
    for (;;) {
      const todo = atomic.load<i64>(program);
      if (<i32> (todo >> 32) != generation) return;
      const left = <i32> todo;
      if (left == 0) break;
      if (atomic.cmpxchg<i64>(program, todo, todo - 1) != todo) continue;
      // The last chunk first, since it has the rows that are left over; then in the order of memory.
      const chunks = command.chunks, taken = chunks - left;
      step(command, taken == 0 ? chunks - 1 : taken - 1, thread);
      store<i32>(counter, load<i32>(counter) + 1);
      atomic.sub<i64>(program, 1, 8);
    }
    for (let spins = 0;; spins++) {
      const undone = atomic.load<i64>(program, 8);
      if (<i32> (undone >> 32) != generation) return;
      if (<i32> undone == 0) break;
      if (spins > SPINS && maySleep) atomic.wait<i32>(program + 8, <i32> undone, NAP);
    }
  }
}

/**
 * Runs `count` commands at `program`, together with the threads that sleep at `control` (see {@link workProgram}),
 * and returns when all is done.
 */
// @ts-ignore: decorator
@inline
export function runProgram(control: usize, program: usize, count: i32, step: Step): void {
  // 1, 2, ... 2^31 - 1, 1, ...: 0 is the state before the first run, -1 tells threads to end.
  let generation = (load<i32>(control) + 1) & 0x7fffffff;
  if (generation == 0) generation = 1;
  for (let i = 0; i < count; i++) {
    const counters = program + <usize> (i * COMMAND_BYTES);
    const command = changetype<Command>(counters + COMMAND_WORDS);
    const chunks = (<i64> generation << 32) | <i64> command.chunks;
    atomic.store<i64>(counters, chunks, 8);
    atomic.store<i64>(counters, chunks);
  }
  atomic.store<i32>(control, count, CONTROL_COMMANDS);
  atomic.store<i32>(control, generation);
  atomic.notify(control, -1);
  takePart(control, program, count, generation, 0, step);
}

/** Looks at the control word this often before a thread goes to sleep: 0.1 to 0.4 ms. */
const PATIENCE: i32 = 100000;

/**
 * What an extra thread does all its life: waits for a run, takes part, and waits again, first watching, then
 * asleep. Returns after {@link stop}. `thread` is 1 or more.
 */
// @ts-ignore: decorator
@inline
export function workProgram(control: usize, program: usize, thread: i32, step: Step): void {
  let seen = 0;
  for (;;) {
    let generation = atomic.load<i32>(control);
    for (let i = 0; generation == seen && i < PATIENCE; i++) generation = atomic.load<i32>(control);
    if (generation == seen) {
      atomic.wait<i32>(control, seen, -1);
      continue;
    }
    if (generation == -1) return;
    seen = generation;
    takePart(control, program, atomic.load<i32>(control, CONTROL_COMMANDS), generation, thread, step);
  }
}

/** Ends all threads that are in {@link workProgram}. No run may follow. */
export function stop(control: usize): void {
  atomic.store<i32>(control, -1);
  atomic.notify(control, -1);
}
