/**
 * The trie of a vocabulary, whose lookups are JavaScript (src/tokenizer/trie.ts, which says how its tables are read): here
 * it is only filled, because a process that starts has no fast code yet of a loop over every character of every piece.
 */

/** Mixes a node and a unit, as src/tokenizer/trie.ts does. */
// @ts-ignore: decorator
@inline
function hash(node: i32, unit: i32): i32 {
  const h = (node * <i32> 0x9e3779b1) ^ (unit * <i32> 0x85ebca6b);
  return h ^ <i32> (<u32> h >> 15);
}

/**
 * Adds pieces 0 .. `count` to empty tables: int16 `units` one behind the other, int16 `lengths`. `values`, int32, is -1
 * everywhere and has `capacity` places, as have int32 `parents` and int16 `edges`; int32 `slots` is 0 everywhere and has twice
 * as many, a power of two. Returns how many nodes there are then, the root included; 0 if two pieces are the same, -1 if there
 * is no room for all.
 */
export function trie_fill(
  units: usize,
  lengths: usize,
  count: i32,
  values: usize,
  parents: usize,
  edges: usize,
  slots: usize,
  capacity: i32,
): i32 {
  const mask = 2 * capacity - 1;
  let nodes = 1;
  for (let piece = 0; piece < count; piece++) {
    const end = units + (<usize> load<u16>(lengths + (<usize> piece << 1)) << 1);
    let node = 0;
    for (; units < end; units += 2) {
      const unit = <i32> load<u16>(units);
      let slot = hash(node, unit) & mask, found = load<i32>(slots + (<usize> slot << 2));
      while (
        found != 0 &&
        (load<i32>(parents + (<usize> found << 2)) != node || <i32> load<u16>(edges + (<usize> found << 1)) != unit)
      ) {
        slot = (slot + 1) & mask;
        found = load<i32>(slots + (<usize> slot << 2));
      }
      if (found == 0) {
        if (nodes == capacity) return -1;
        found = nodes++;
        store<i32>(slots + (<usize> slot << 2), found);
        store<i32>(parents + (<usize> found << 2), node);
        store<u16>(edges + (<usize> found << 1), <u16> unit);
      }
      node = found;
    }
    const value = values + (<usize> node << 2);
    if (load<i32>(value) >= 0) return 0;
    store<i32>(value, piece);
  }
  return nodes;
}
