/**
 * Word pieces by merging: from single characters on, the pair of neighbours that occurs most often becomes one
 * piece, until there are as many as wanted. What Hugging Face's WordPieceTrainer does (it counts pairs as BPE does,
 * Sennrich et al., arXiv 1508.07909, and not by likelihood as Schuster and Nakajima did), with its outcome.
 *
 * Of equally frequent pairs, the one whose first, then whose second piece has the lower id is merged. Pieces are
 * numbered as they are made: special tokens, characters by code point, characters inside words by code point, then
 * merges. Hugging Face numbers characters inside words in the order of a hash table that changes from run to run;
 * where it is made to number them by code point, the vocabularies are equal, which a fixture shows.
 *
 * Each merge looks at the words that hold the pair and at no others, so time grows little faster than the number of
 * different words and of merges.
 *
 * @module
 */

/** What a piece inside a word begins with. */
export const PREFIX = "##";

/** A word for the trainer. */
export interface TrainingWord {
  /** Parts that no merge joins: `["চোখ", "ের"]`; a word is usually one. */
  readonly parts: readonly string[];
  /** Occurrences. */
  readonly count: number;
}

/** Ids of pieces are below this, so that a pair of them is an exact double. */
const MAX_PIECES = 1 << 22;

/** A pair of neighbours, how often it occurred when it was last counted, and in which words. */
interface Candidate {
  readonly first: number;
  readonly second: number;
  count: number;
  readonly words: readonly number[];
}

/** Whether `a` is to be merged before `b`. */
function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.first !== b.first ? a.first < b.first : a.second < b.second;
}

/** A binary heap, the best candidate on top. */
class Queue {
  readonly #heap: Candidate[] = [];

  push(candidate: Candidate): void {
    const heap = this.#heap;
    let at = heap.push(candidate) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(candidate, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = candidate;
  }

  pop(): Candidate | undefined {
    const heap = this.#heap, top = heap[0], last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** The pieces so far, by id and by spelling. */
class Pieces {
  readonly list: string[] = [];
  readonly #ids = new Map<string, number>();

  /** The piece's id; it is made if it is not there. */
  id(piece: string): number {
    let id = this.#ids.get(piece);
    if (id === undefined) {
      id = this.list.push(piece) - 1;
      this.#ids.set(piece, id);
    }
    return id;
  }
}

/** Words as rows of piece ids in one array; a merge shortens a row in its place. */
class Rows {
  readonly #ids: Int32Array;
  readonly #starts: Int32Array;
  /** Pieces of each row. */
  readonly #lengths: Int32Array;

  constructor(rows: readonly Int32Array[]) {
    this.#starts = new Int32Array(rows.length);
    this.#lengths = Int32Array.from(rows, (row) => row.length);
    this.#ids = new Int32Array(this.#lengths.reduce((sum, length) => sum + length, 0));
    let at = 0;
    rows.forEach((row, i) => {
      this.#ids.set(row, at);
      this.#starts[i] = at;
      at += row.length;
    });
  }

  /** The row's pieces. */
  row(index: number): Int32Array {
    const start = this.#starts[index]!;
    return this.#ids.subarray(start, start + this.#lengths[index]!);
  }

  /** Puts `piece` for each `first`, `second`; `change` is told which pairs of neighbours came and went. */
  merge(
    index: number,
    first: number,
    second: number,
    piece: number,
    change: (left: number, right: number, by: 1 | -1) => void,
  ): void {
    const row = this.row(index);
    let to = 0;
    for (let from = 0; from < row.length; from++) {
      if (row[from] !== first || from + 1 === row.length || row[from + 1] !== second) {
        row[to++] = row[from]!;
        continue;
      }
      if (to > 0) {
        change(row[to - 1]!, first, -1);
        change(row[to - 1]!, piece, 1);
      }
      row[to++] = piece;
      from++;
      if (from + 1 < row.length) {
        change(second, row[from + 1]!, -1);
        change(piece, row[from + 1]!, 1);
      }
    }
    this.#lengths[index] = to;
  }
}

/** Pairs and how often they occur. */
class PairCounts {
  readonly #counts = new Map<number, number>();

  get(first: number, second: number): number {
    return this.#counts.get(first * MAX_PIECES + second) ?? 0;
  }

  add(first: number, second: number, by: number): void {
    const key = first * MAX_PIECES + second;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }
}

/** Candidates made of pairs and the words that they were met in. */
class Met {
  readonly #words = new Map<number, number[]>();

  add(first: number, second: number, word: number): void {
    const key = first * MAX_PIECES + second, words = this.#words.get(key);
    if (words === undefined) this.#words.set(key, [word]);
    else if (words[words.length - 1] !== word) words.push(word);
  }

  queue(counts: PairCounts, queue: Queue): void {
    for (const [key, words] of this.#words) {
      const first = Math.floor(key / MAX_PIECES), second = key % MAX_PIECES;
      const count = counts.get(first, second);
      if (count > 0) queue.push({ first, second, count, words });
    }
  }
}

/**
 * Pieces in the order of their making: `special`, the characters of `alphabet` (sorted), those that occur inside
 * words, and merges, `size` in all or fewer if no pair occurs `minFrequency` times. Words have no character beyond
 * the alphabet.
 */
export function mergePieces(
  words: readonly TrainingWord[],
  special: readonly string[],
  alphabet: readonly string[],
  size: number,
  minFrequency: number,
): string[] {
  const pieces = new Pieces(), inner = new Set<string>();
  for (const { parts } of words) {
    parts.forEach((part, p) => {
      [...part].forEach((c, i) => p + i > 0 && inner.add(c));
    });
  }
  for (const piece of special) pieces.id(piece);
  for (const c of alphabet) pieces.id(c);
  for (const c of alphabet) if (inner.has(c)) pieces.id(PREFIX + c);

  // A row for each part, so that no merge crosses from one into the next.
  const counts: number[] = [], rows: Int32Array[] = [];
  for (const { parts, count } of words) {
    parts.forEach((part, p) => {
      rows.push(Int32Array.from([...part], (c, i) => pieces.id(p + i > 0 ? PREFIX + c : c)));
      counts.push(count);
    });
  }
  const texts = new Rows(rows), pairs = new PairCounts(), queue = new Queue(), all = new Met();
  rows.forEach((row, word) => {
    for (let i = 1; i < row.length; i++) {
      pairs.add(row[i - 1]!, row[i]!, counts[word]!);
      all.add(row[i - 1]!, row[i]!, word);
    }
  });
  all.queue(pairs, queue);

  while (pieces.list.length < size) {
    const best = queue.pop();
    if (best === undefined) break;
    const { first, second } = best, count = pairs.get(first, second);
    if (count !== best.count) {
      // Counted anew when it comes up, which is cheaper than finding it in the queue at each change.
      best.count = count;
      if (count > 0) queue.push(best);
      continue;
    }
    if (count < minFrequency) break;
    const piece = pieces.id(pieces.list[first]! + pieces.list[second]!.slice(PREFIX.length));
    const met = new Met();
    for (const word of best.words) {
      const times = counts[word]!;
      texts.merge(word, first, second, piece, (left, right, by) => {
        pairs.add(left, right, by * times);
        if (by > 0) met.add(left, right, word);
      });
    }
    met.queue(pairs, queue);
  }
  return pieces.list;
}
