/**
 * How long work gives the event loop its turns: timers, requests and clicks wait for at most a slice of it.
 *
 * JavaScript runs one thing at a time, and kernels are synchronous; so work of more than some milliseconds is cut
 * into pieces, and between two pieces {@link Turns.pause} says whether the loop has been kept for a slice. If it has,
 * the work waits for a macrotask (a promise alone would not do: microtasks run before anything else can). The slice
 * counts from the loop's last turn and not from a call's beginning, so that a thousand short calls in a row, each of
 * which only awaits what is there already, let others in as well.
 *
 * Weak where the clock is: in workerd it stands still while a program computes, and work is not interrupted; a browser
 * that coarsens it (Firefox against fingerprinting, to 17 or 100 ms) gives turns as rarely. And a macrotask costs some
 * microseconds in Deno, Bun and Node, ten or more in browsers, which is why not every pause is one.
 *
 * @module
 */
import type { Pause } from "../backend/backend.ts";

/** What turns are taken by. */
export interface Clock {
  /** Milliseconds, from whenever. */
  now(): number;
  /** Resolves after others have had their turn. */
  turn(): Promise<void>;
}

/**
 * Milliseconds of work after which the event loop gets its turn. What is under way when they are over ends first, in
 * some 4 ms at most.
 */
export const SLICE_MS = 8;

/** Node's, Bun's and Deno's; nobody else's, so it is not among the types that every runtime has. */
declare const setImmediate: ((callback: () => void) => unknown) | undefined;

/** How many turns a channel gives before a getter is asked for `setImmediate`. */
const FIRST_TURNS = 8;

let turns = 0;

/**
 * Whether `setImmediate` is there to be called. Where a getter gives it, as in Deno, asking for it makes all of Node's timers:
 * a program that recognises entities in a text and ends does without. What goes on does not, because Deno hands on several
 * messages in one turn of its loop, for which timers and requests would wait.
 */
function hasImmediate(): boolean {
  const own = Object.getOwnPropertyDescriptor(globalThis, "setImmediate");
  const made = own?.get === undefined || turns++ >= FIRST_TURNS;
  return made && typeof setImmediate === "function";
}

/** A macrotask, by the quickest way there is: timers of browsers wait 4 ms when they are nested. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    try {
      if (hasImmediate()) setImmediate!(resolve);
      else if (typeof MessageChannel === "function") {
        // One for each turn: in workerd a channel belongs to the request that made it.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = (): void => {
          port1.close();
          resolve();
        };
        port2.postMessage(0);
      } else setTimeout(resolve, 0);
    } catch {
      // Outside of requests workerd allows no tasks; nobody else is waiting there.
      resolve();
    }
  });
}

/** The engine's own clock. */
export const systemClock: Clock = { now: () => performance.now(), turn: macrotask };

/** When an event loop last had its turn, as far as work knows that asks here. */
export class Turns {
  readonly #clock: Clock;
  #since = 0;
  /** Whether the loop has had no turn since {@link #since}. */
  #kept = false;

  /** Nobody has kept the loop yet. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** See {@link Pause}. To be asked when work begins, too, which is when a slice does. */
  pause(): Promise<void> | undefined {
    const { now, turn } = this.#clock, time = now();
    if (!this.#kept) {
      this.#kept = true;
      this.#since = time;
      // Whoever asks after the loop has turned by itself begins a new slice.
      void turn().then(() => this.#kept = false);
      return undefined;
    }
    if (time - this.#since < SLICE_MS) return undefined;
    // A turn of its own, not the one asked for above: in workerd that is another request's, which may have ended.
    this.#since = time;
    return turn().then(() => void (this.#since = now()));
  }
}

/** All recognisers of a program share its event loop. */
export const eventLoop: Turns = new Turns();

/** One thing after the other: what is run waits until all that was handed in before has ended, well or not. */
export class Queue {
  #last: Promise<unknown> | undefined;

  /** Resolves and rejects as `work` does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last = mine;
    try {
      return await mine;
    } finally {
      if (this.#last === mine) this.#last = undefined;
    }
  }
}

/** Carries out work that is done in pieces, with a pause where it yields. */
export async function inTurns<T>(work: Generator<void, T>, pause: Pause): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    const turn = pause();
    if (turn !== undefined) await turn;
  }
}
