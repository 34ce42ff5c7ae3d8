/**
 * Extra threads for a backend: when they begin, who they are, and what is said when there are none.
 *
 * The kernels share the work by themselves (kernels/schedule.ts); here threads are only started and ended. How
 * a thread is started is the runtime's business and handed in.
 *
 * Threads begin late. Starting one costs tens of milliseconds in some runtimes and megabytes in all, which a
 * program that looks at one text and ends would never get back; so they begin once a backend has done enough
 * work to show that it is in earnest. A run never waits for a thread to be ready: one that is not takes no
 * chunk.
 *
 * @module
 */

/** What an extra thread is given: instantiate `module` over `memory`, then call its `work` (kernels/schedule.ts). */
export interface ThreadTask {
  /** A kernel module that imports shared memory. */
  readonly module: WebAssembly.Module;
  /** The model's memory, shared. */
  readonly memory: WebAssembly.Memory;
  /** Argument of the kernels' `int8_set_signed`. */
  readonly signed: number;
  /** First argument of `work`: address of the control words. */
  readonly control: number;
  /** Second argument of `work`: address of the commands. */
  readonly program: number;
  /** Third argument of `work`: the thread's number, 1 or more. */
  readonly thread: number;
}

/** A thread that was started. */
export interface Thread {
  /** Ends it at once. */
  terminate(): void;
}

/** A runtime's threads. */
export interface Threading {
  /** Threads that a run may use, the calling one included; 2 or more. */
  readonly threads: number;
  /** Whether the calling thread may sleep (`Atomics.wait`), which a page's main thread may not. */
  readonly maySleep: boolean;
  /** Starts a thread; calls `failed` with the reason, later, if it turns out that it cannot run. */
  start(task: ThreadTask, failed: (reason: string) => void): Thread;
}

/**
 * Multiplications after which threads begin: 20 to 40 ms of one thread's work, about what it costs to start
 * another.
 */
const EARNEST = 2e9;

/** What it takes to end a backend's threads, without the backend. */
interface Ending {
  readonly started: Set<Thread>;
  /** Holds the memory until it has been called. */
  stop: (() => void) | undefined;
}

function end(ending: Ending): void {
  ending.stop?.();
  ending.stop = undefined;
  for (const thread of ending.started) thread.terminate();
  ending.started.clear();
}

/** A recogniser that is dropped without close() would leave its threads, and through them its memory. */
const dropped = new FinalizationRegistry<Ending>(end);

/** The extra threads of one backend. */
export class Threads {
  readonly #threading: Threading;
  /** Undefined once closed, since it holds the memory. */
  #task: Omit<ThreadTask, "thread"> | undefined;
  readonly #ending: Ending;
  #begun = false;
  #work = 0;
  #reason: string | undefined;

  /** Nothing is started yet. `stop` is the kernel that lets threads return by themselves. */
  constructor(
    threading: Threading,
    task: Omit<ThreadTask, "thread">,
    stop: (control: number) => void,
  ) {
    this.#threading = threading;
    this.#task = task;
    const { control } = task;
    this.#ending = { started: new Set(), stop: () => stop(control) };
    dropped.register(this, this.#ending, this);
  }

  /** Threads to cut the next run for, given its multiplications; starts the others when the time has come. */
  forRun(work: number): number {
    this.#work += work;
    if (!this.#begun && this.#task && this.#work >= EARNEST) this.#begin(this.#task);
    return this.#ending.started.size + 1;
  }

  #begin(task: Omit<ThreadTask, "thread">): void {
    this.#begun = true;
    const { started } = this.#ending;
    // Through a weak reference, because the runtime holds what its threads may call.
    const weak = new WeakRef(this);
    try {
      for (let thread = 1; thread < this.#threading.threads; thread++) {
        let failed = false;
        const handle: { thread?: Thread } = {};
        handle.thread = this.#threading.start({ ...task, thread }, (reason) => {
          failed = true;
          weak.deref()?.noteFailure(reason);
          if (handle.thread) started.delete(handle.thread);
        });
        // It may have failed at once.
        if (!failed) started.add(handle.thread);
      }
    } catch (error) {
      this.noteFailure((error as Error).message);
    }
  }

  /** Remembers why a thread is missing. The others go on: one that is not there takes no chunk. */
  noteFailure(reason: string): void {
    this.#reason ??= reason;
  }

  /** What runs use, or will use once there was some work. */
  get state(): { threads: number; reason?: string } {
    if (this.#reason === undefined) return { threads: this.#threading.threads };
    return { threads: this.#ending.started.size + 1, reason: this.#reason };
  }

  /** Ends all threads. */
  close(): void {
    if (!this.#task) return;
    this.#task = undefined;
    this.#begun = true;
    dropped.unregister(this);
    end(this.#ending);
  }
}
