/** Tries that a kernel has filled beside those of one string after the other. (Its checksums: test/formats/checksums.test.ts.) */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadingKernels } from "../../src/kernels/loading.ts";
import { importSharedMemory } from "../../src/runtime/threads.ts";
import { packPieces, unpackPieces } from "../../src/tokenizer/pieces.ts";
import { Trie } from "../../src/tokenizer/trie.ts";
import { shipped } from "../support.ts";

const bytes = await Deno.readFile(new URL("../../wasm/baseline.wasm", import.meta.url));
const KERNELS = await Promise.all([
  ...(["relaxed", "pairs", "baseline"] as const).map(shipped),
  WebAssembly.compile(importSharedMemory(bytes)),
].map(async (module) => (await loadingKernels([await module]))!));

/** Code units of pieces, and how many each has. */
function packed(pieces: readonly string[]): [Uint16Array, Uint16Array] {
  const text = pieces.join("");
  return [
    Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)),
    Uint16Array.from(pieces, ({ length }) => length),
  ];
}

/** Different strings over a small alphabet, of which many begin with others. */
function strings(count: number, alphabet: string, longest: number, seed: number): string[] {
  const all = new Set<string>();
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor((state >>> 0) / 2 ** 32 * below);
  };
  while (all.size < count) {
    const length = 1 + random(longest);
    all.add(Array.from({ length }, () => alphabet[random(alphabet.length)]).join(""));
  }
  return [...all];
}

const VOCABULARIES: Readonly<Record<string, readonly string[]>> = {
  "none": [],
  "one": ["a"],
  "the empty piece": ["a", "", "ab"],
  "pieces that begin others, in any order": ["abcd", "ab", "a", "abc", "b", "##ab", "##a", "#"],
  "characters of all planes": ["\u{1f600}", "\u{1f601}x", "\ud83dx", "\uffff", "\u0000", "ডায়া"],
  "more nodes than twice the pieces": ["x".repeat(500), "y".repeat(4000), "x".repeat(501)],
  "many": strings(5000, "abকখ#", 9, 1),
  "one character's": strings(300, "z", 300, 2),
};

test("a kernel's trie finds what one finds that was filled string by string", () => {
  for (const [name, pieces] of Object.entries(VOCABULARIES)) {
    const want = new Trie(pieces.length);
    pieces.forEach((piece, id) => want.set(piece, id));
    for (const { fillTrie } of KERNELS) {
      const [units, lengths] = packed(pieces), tables = fillTrie(units, lengths);
      assert.ok(tables, name);
      const trie = Trie.of(tables!);
      pieces.forEach((piece, id) => assert.is(trie.get(piece), id, `${name}: ${id}`));
      for (const piece of pieces) {
        assert.is(trie.walk(piece + "?"), -1, name);
        assert.is(trie.walk(piece.slice(0, -1)), want.walk(piece.slice(0, -1)), name);
      }
      for (let at = 0; at < Math.min(units.length, 2000); at += 7) {
        assert.is(
          trie.longest(units, at, units.length, 0),
          want.longest(units, at, units.length, 0),
        );
        assert.is(trie.end, want.end, name);
      }
    }
  }
});

test("it takes more strings afterwards, beyond its room", () => {
  const pieces = VOCABULARIES["many"]!, more = strings(9000, "pqrs", 12, 3);
  for (const { fillTrie } of KERNELS) {
    const trie = Trie.of(fillTrie(...packed(pieces))!);
    more.forEach((piece, i) => assert.is(trie.set(piece, 10000 + i), -1));
    pieces.forEach((piece, id) => assert.is(trie.get(piece), id));
    more.forEach((piece, i) => assert.is(trie.get(piece), 10000 + i));
  }
});

test("a piece that is there twice is not filled in, and is refused by its two ids", () => {
  for (const pieces of [["a", "b", "a"], ["", "x", ""], [...VOCABULARIES["many"]!, "a", "a"]]) {
    for (const { fillTrie } of KERNELS) {
      assert.is(fillTrie(...packed(pieces)), undefined);
      const [units, lengths] = packed(pieces);
      assert.throws(() => unpackPieces({ units, lengths }, fillTrie), /has the ids \d+, \d+/);
    }
  }
});

test("pieces of a vocabulary are the same with a kernel and without", () => {
  const vocab = Object.fromEntries(VOCABULARIES["many"]!.map((piece, id) => [piece, id]));
  const packed = packPieces(vocab)!, want = unpackPieces(packed);
  for (const { fillTrie } of KERNELS) {
    const got = unpackPieces(packed, fillTrie);
    assert.equal([got.tokens, got.size], [want.tokens, want.size]);
    assert.throws(
      () => unpackPieces({ ...packed, units: packed.units.subarray(2) }, fillTrie),
      /pieces of \d+ code units/,
    );
  }
});

test.run();
