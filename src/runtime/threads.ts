/**
 * What the platforms that have threads share: how many, kernels that import shared memory, and a thread's
 * program.
 *
 * A thread's program is a string that the platform's worker evaluates from a blob or from Node's `eval`
 * option. It is six lines, because all that threads do with each other happens in the kernels. A file of its
 * own would have to be found, at run time, by every bundler, runtime and permission system.
 *
 * @module
 */

/** Most threads that are used unless the caller asks for more. */
const MOST_BY_DEFAULT = 4;

/**
 * Threads that are used unless the caller says otherwise: one for each core, up to four, beyond which an
 * encoder of a few layers gains little and a server has other requests to serve.
 */
export function defaultThreads(cores: number | undefined): number {
  return Math.min(MOST_BY_DEFAULT, Math.max(1, cores ?? 1));
}

/**
 * A thread's program: `task` is a ThreadTask. Returns when the kernels' `stop` is called. An error is thrown from
 * a timer, since a worker's `error` event tells of that and not of a rejected promise.
 */
export const threadBody = `(task) => {
  const { module, memory, signed, control, program, thread } = task;
  WebAssembly.instantiate(module, { env: { memory } }).then(({ exports }) => {
    // The training module has no int8.
    exports.int8_set_signed?.(signed);
    exports.work(control, program, thread);
  }).catch((error) => setTimeout(() => { throw error; }));
}`;

/** The import of the memory as the compiler writes it: module, name, kind, limits with a maximum. */
const MEMORY_IMPORT = [3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 1];

/** The limits' flags of shared memory; always with a maximum. */
const SHARED = 3;

/**
 * The same kernel module importing shared memory: one byte of it differs.
 *
 * Source: WebAssembly threads proposal, "Shared linear memory".
 */
export function importSharedMemory(module: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const patched = module.slice();
  for (let i = 8; i < patched.length; i++) {
    if (MEMORY_IMPORT.every((byte, j) => patched[i + j] === byte)) {
      patched[i + MEMORY_IMPORT.length - 1] = SHARED;
      return patched;
    }
  }
  throw new Error("a kernel module imports no memory");
}
