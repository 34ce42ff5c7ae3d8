/**
 * Extra threads for a backend: when they begin, who they are, and what is said when there are none.
 *
 * The kernels share the work by themselves (kernels/program.ts); here threads are only started and ended. How
 * a thread is started is the runtime's business and handed in.
 *
 * Threads begin late. Starting one costs tens of milliseconds in some runtimes and megabytes in all, which a
 * program that looks at one text and ends would never get back; so they begin once a backend has done enough
 * work to show that it is in earnest. A run never waits for a thread to be ready: one that is not takes no
 * chunk.
 *
 * @module
 */

/** What an extra thread is given: instantiate `module` over `memory`, then call `work` of kernels/program.ts. */
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
  /** Starts a thread; calls `failed` with the reason if it turns out that it cannot run. */
  start(task: ThreadTask, failed: (reason: string) => void): Thread;
}

/**
 * Multiplications after which threads begin: 20 to 40 ms of one thread's work, about what it costs to start
 * another.
 */
const EARNEST = 2e9;

/** The extra threads of one backend. */
export class Threads {
  readonly #threading: Threading;
  readonly #task: Omit<ThreadTask, "thread">;
  readonly #started: Thread[] = [];
  #work = 0;
  #reason: string | undefined;
  #closed = false;

  /** Nothing is started yet. */
  constructor(threading: Threading, task: Omit<ThreadTask, "thread">) {
    this.#threading = threading;
    this.#task = task;
  }

  /** Threads to cut the next run for, given its multiplications; starts the others when the time has come. */
  forRun(work: number): number {
    if (this.#closed || this.#reason !== undefined) return 1;
    this.#work += work;
    if (this.#started.length === 0 && this.#work >= EARNEST) this.#start();
    return this.#started.length + 1;
  }

  #start(): void {
    const failed = (reason: string): void => {
      this.#reason ??= reason;
    };
    try {
      for (let thread = 1; thread < this.#threading.threads; thread++) {
        this.#started.push(this.#threading.start({ ...this.#task, thread }, failed));
      }
    } catch (error) {
      failed((error as Error).message);
    }
  }

  /** What a run will use. */
  get state(): { threads: number; reason?: string } {
    return this.#reason === undefined
      ? { threads: this.#threading.threads }
      : { threads: 1, reason: this.#reason };
  }

  /** Ends all threads; `stop` is the kernel that lets them return by themselves. */
  close(stop: (control: number) => void): void {
    if (this.#closed) return;
    this.#closed = true;
    stop(this.#task.control);
    for (const thread of this.#started) thread.terminate();
    this.#started.length = 0;
  }
}
