/**
 * What kernels do for readers of packages: sums over every byte (kernels/checksum.ts), a trie of every piece
 * (kernels/trie.ts). Readers can do without, and then do the same in JavaScript; but while a process starts, an engine runs a
 * loop in JavaScript several times as slowly as it will, and one of a module at nearly its speed.
 *
 * @module
 */
import { ABI } from "./contract.ts";
import type { Kernels } from "./exports.ts";
import { Arena, FIRST_FREE } from "./memory.ts";
import { type Alone, instantiateAlone } from "./module.ts";

/** What readers of packages are given. */
export interface LoadingKernels {
  /**
   * Takes whole stripes of 16 bytes into the four lanes of a checksum, and tells whether a byte among them is 0x80.
   */
  stripes(lanes: Int32Array, bytes: Uint8Array): boolean;
  /**
   * The tables of a trie of pieces, whose number is each one's value: code units one behind the other, and how many each has,
   * no more in all than there are. Undefined where two are the same, or memory is refused.
   */
  fillTrie(units: Uint16Array, lengths: Uint16Array): {
    readonly values: Int32Array;
    readonly parents: Int32Array;
    readonly edges: Uint16Array;
    readonly slots: Int32Array;
    readonly nodes: number;
  } | undefined;
}

/** By the first of `modules` that can be asked; undefined if none can, and it is for `chooseKernels` to say why. */
export async function loadingKernels(
  modules: readonly WebAssembly.Module[],
): Promise<LoadingKernels | undefined> {
  for (const module of modules) {
    const alone = await instantiateAlone(module).catch(() => undefined);
    if (alone?.kernels.abi?.() !== ABI) continue;
    return {
      stripes: stripesBy(alone),
      fillTrie(units, lengths) {
        try {
          return fillTrie(module, alone.shared, units, lengths);
        } catch {
          return undefined;
        }
      },
    };
  }
  return undefined;
}

/** Where a checksum's lanes lie: in the first page, behind what the module needs for itself. */
const LANES = FIRST_FREE - 64;

/** Bytes that are looked at in one call: the page beside the module's own, which stays in the second-level cache. */
const BLOCK = 1 << 16;

function stripesBy({ kernels, memory }: Alone): LoadingKernels["stripes"] {
  const at = new Int32Array(memory.buffer, LANES, 4);
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

/** In a memory that is gone afterwards, with room for twice as many nodes as there are pieces, or for more if that is not enough. */
function fillTrie(
  module: WebAssembly.Module,
  shared: boolean,
  units: Uint16Array,
  lengths: Uint16Array,
): ReturnType<LoadingKernels["fillTrie"]> {
  let capacity = 64;
  while (capacity < 2 * lengths.length) capacity *= 2;
  for (;; capacity *= 2) {
    const arena = new Arena();
    const place = { units: arena.take(units.byteLength), lengths: arena.take(lengths.byteLength) };
    const [values, parents, slots] = [capacity, capacity, 2 * capacity].map((n) =>
      arena.take(4 * n)
    );
    const edges = arena.take(2 * capacity), memory = arena.memory({ shared }), { buffer } = memory;
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    new Uint16Array(buffer).set(units, place.units >> 1);
    new Uint16Array(buffer).set(lengths, place.lengths >> 1);
    const tables = {
      values: new Int32Array(buffer, values, capacity).fill(-1),
      parents: new Int32Array(buffer, parents, capacity),
      edges: new Uint16Array(buffer, edges, capacity),
      slots: new Int32Array(buffer, slots, 2 * capacity),
    };
    const nodes = (exports as unknown as Kernels).trie_fill(
      place.units,
      place.lengths,
      lengths.length,
      values,
      parents,
      edges,
      slots,
      capacity,
    );
    if (nodes === 0) return undefined;
    if (nodes < 0) continue;
    // Copies, which are not of a shared memory, and do not keep the pieces.
    return {
      values: tables.values.slice(),
      parents: tables.parents.slice(),
      edges: tables.edges.slice(),
      slots: tables.slots.slice(),
      nodes,
    };
  }
}
