/**
 * A trie over UTF-16 code units, for vocabularies: longest match from a position, without making strings.
 *
 * Nodes are numbers in order of insertion, the root is 0. Edges are one open-addressed hash table keyed by
 * (node, unit): one probe a unit, and no per-node arrays, so building it is one pass over the vocabulary.
 * A `Map` of strings would need a substring and its hash for every length tried, and a string for every word.
 *
 * Weak point: the hash is fixed, so a vocabulary made for it could slow loading down; the time of a lookup
 * of ordinary text in an ordinary vocabulary is about a cache miss a unit for large ones.
 *
 * @module
 */

/** What a {@link Trie} is made of, where something else has filled it. */
export interface TrieTables {
  readonly values: Int32Array;
  readonly parents: Int32Array;
  readonly edges: Uint16Array;
  readonly slots: Int32Array;
  readonly nodes: number;
}

/** Maps strings to non-negative integers. */
export class Trie {
  /** For each node, the value of the string that leads to it; -1 for none. */
  values: Int32Array;
  /** Where the last match of {@link longest} ended. */
  end = 0;
  private slots: Int32Array; // hash table of nodes, 0 = free (the root is nobody's child)
  private parents: Int32Array; // for each node, where it hangs
  private edges: Uint16Array; // and by which unit
  private mask: number;
  private nodes = 1;
  private scratch = new Uint16Array(64); // the units of a string that is being added

  /** Makes an empty trie with room for about `strings` of them; it grows as needed. */
  constructor(strings = 16) {
    let capacity = 64;
    while (capacity < strings * 2) capacity *= 2;
    this.values = new Int32Array(capacity).fill(-1);
    this.parents = new Int32Array(capacity);
    this.edges = new Uint16Array(capacity);
    this.slots = new Int32Array(capacity * 2);
    this.mask = capacity * 2 - 1;
  }

  /** A trie of filled tables, which are its own from here on. */
  static of({ values, parents, edges, slots, nodes }: TrieTables): Trie {
    const trie = new Trie(0);
    trie.values = values;
    trie.parents = parents;
    trie.edges = edges;
    trie.slots = slots;
    trie.mask = slots.length - 1;
    trie.nodes = nodes;
    return trie;
  }

  /** The child of `node` along `unit`; 0 if there is none. */
  child(node: number, unit: number): number {
    const { slots, parents, edges, mask } = this;
    let slot = hash(node, unit) & mask;
    for (;;) {
      const found = slots[slot];
      if (found === 0 || (parents[found] === node && edges[found] === unit)) return found;
      slot = (slot + 1) & mask;
    }
  }

  /**
   * The longest string of the trie that lies in `units` at `from`, below `to`; begun at `node`, as if what
   * leads there lay before. Returns its value and leaves its end in {@link end}; -1 if there is none.
   */
  longest(units: Uint16Array, from: number, to: number, node: number): number {
    const { values, slots, parents, edges, mask } = this;
    let longest = -1;
    for (let i = from; i < to; i++) {
      const unit = units[i];
      let slot = hash(node, unit) & mask;
      let found = slots[slot];
      while (found !== 0 && (parents[found] !== node || edges[found] !== unit)) {
        slot = (slot + 1) & mask;
        found = slots[slot];
      }
      if (found === 0) break;
      node = found;
      const value = values[node];
      if (value >= 0) {
        longest = value;
        this.end = i + 1;
      }
    }
    return longest;
  }

  /** Sets the value of a string; returns the one it had, -1 for none. */
  set(key: string, value: number): number {
    if (key.length > this.scratch.length) this.scratch = new Uint16Array(2 * key.length);
    const { scratch } = this;
    for (let i = 0; i < key.length; i++) scratch[i] = key.charCodeAt(i);
    return this.add(scratch, 0, key.length, value);
  }

  /** {@link set} of the string in `units` from `from` to `to`. */
  add(units: Uint16Array, from: number, to: number, value: number): number {
    while (this.nodes + to - from > this.values.length) this.grow();
    const { slots, parents, edges, mask } = this;
    let node = 0;
    for (let i = from; i < to; i++) {
      const unit = units[i];
      let slot = hash(node, unit) & mask;
      let found = slots[slot];
      while (found !== 0 && (parents[found] !== node || edges[found] !== unit)) {
        slot = (slot + 1) & mask;
        found = slots[slot];
      }
      if (found === 0) {
        slots[slot] = found = this.nodes++;
        parents[found] = node;
        edges[found] = unit;
      }
      node = found;
    }
    const old = this.values[node];
    this.values[node] = value;
    return old;
  }

  /** The node that `key` leads to; -1 if it leads nowhere. */
  walk(key: string): number {
    let node = 0;
    for (let i = 0; i < key.length; i++) {
      node = this.child(node, key.charCodeAt(i));
      if (node === 0) return -1;
    }
    return node;
  }

  /** The value of a string; -1 for none. */
  get(key: string): number {
    const node = this.walk(key);
    return node < 0 ? -1 : this.values[node];
  }

  private grow(): void {
    const capacity = this.values.length * 2;
    const { values, parents, edges } = this;
    this.values = new Int32Array(capacity).fill(-1);
    this.values.set(values);
    this.parents = new Int32Array(capacity);
    this.parents.set(parents);
    this.edges = new Uint16Array(capacity);
    this.edges.set(edges);
    this.slots = new Int32Array(capacity * 2);
    this.mask = capacity * 2 - 1;
    for (let node = 1; node < this.nodes; node++) {
      let slot = hash(this.parents[node], edges[node]) & this.mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = node;
    }
  }
}

/** Mixes a node and a unit; the constants are odd and without pattern, the shift brings high bits down. */
function hash(node: number, unit: number): number {
  const h = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
  return h ^ (h >>> 15);
}
