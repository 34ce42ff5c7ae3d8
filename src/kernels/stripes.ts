/**
 * The checksums of a file by a kernel (kernels/checksum.ts), for readers of packages: while a process starts, the same in
 * JavaScript takes several times as long.
 *
 * Bytes are copied into the page that a module has beside its own ({@link instantiateAlone}), which stays in the
 * second-level cache; so no reader need know where its bytes will lie.
 *
 * @module
 */
import { ABI } from "./contract.ts";
import { FIRST_FREE } from "./memory.ts";
import { instantiateAlone } from "./module.ts";

/** Where the lanes lie: in the first page, behind what the module needs for itself. */
const LANES = FIRST_FREE - 64;

/** Bytes that are looked at in one call. */
const BLOCK = 1 << 16;

/**
 * What takes whole stripes of 16 bytes into the four lanes of a checksum, and tells whether a byte among them is 0x80. By the
 * first of `modules` that can be asked; undefined if none can, and it is for `chooseKernels` to say why.
 */
export async function stripesOf(
  modules: readonly WebAssembly.Module[],
): Promise<((lanes: Int32Array, bytes: Uint8Array) => boolean) | undefined> {
  for (const module of modules) {
    const alone = await instantiateAlone(module).catch(() => undefined);
    if (alone?.kernels.abi?.() !== ABI) continue;
    const { kernels, memory } = alone, at = new Int32Array(memory.buffer, LANES, 4);
    const block = new Uint8Array(memory.buffer, FIRST_FREE, BLOCK);
    return (lanes, bytes) => {
      at.set(lanes);
      let least = 0;
      for (let from = 0; from < bytes.length; from += BLOCK) {
        const some = bytes.subarray(from, from + BLOCK);
        block.set(some);
        least |= kernels.checksum_stripes(LANES, FIRST_FREE, FIRST_FREE + some.length);
      }
      lanes.set(at);
      return least !== 0;
    };
  }
  return undefined;
}
