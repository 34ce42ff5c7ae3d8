/**
 * Where a text can be cut so that its parts have the tokens of the whole.
 *
 * Long texts are tokenized in parts, so that nobody waits for the whole, and documents are, because nobody has the
 * whole. That is exact where every step of a tokenizer looks at one word at a time, and a cut lies before a single
 * space between words: a space there belongs to nothing before it, and to the word after it where spaces are written
 * (byte level, Metaspace). {@link isSeparable} names the steps of which that is known; any other may look further, and
 * such a tokenizer gets its texts whole.
 *
 * @module
 */
import type { AddedToken } from "./added.ts";
import type { Fields } from "./fields.ts";
import { classes, MARK, PUNCTUATION, WORD } from "./unicode.ts";

/** Normalizers that read a character, and the marks after it. */
const NORMALIZERS = [
  "BertNormalizer",
  "Lowercase",
  "NFC",
  "NFD",
  "NFKC",
  "NFKD",
  "StripAccents",
];

/** Pre-tokenizers that cut at spaces, and those that may follow one. */
const CUTTING = ["BertPreTokenizer", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit"];
const FOLLOWING = [...CUTTING, "Digits", "Punctuation"];

/** A section's parts, Sequences taken apart. */
function partsOf(section: unknown, list: "normalizers" | "pretokenizers"): Fields[] {
  if (section === null || section === undefined) return [];
  const fields = section as Fields;
  if (fields.type !== "Sequence") return [fields];
  return (fields[list] as unknown[]).flatMap((part) => partsOf(part, list));
}

/** Whether the sections of a file, which compiled, are among those of which {@link lastCut} holds. */
export function isSeparable(root: Fields, added: readonly AddedToken[]): boolean {
  const [first, ...rest] = partsOf(root.pre_tokenizer, "pretokenizers");
  return first !== undefined && CUTTING.includes(first.type as string) &&
    rest.every(({ type }) => FOLLOWING.includes(type as string)) &&
    [first, ...rest].every(({ split, use_regex: words }) => split !== false && words !== false) &&
    partsOf(root.normalizer, "normalizers").every(({ type }) =>
      NORMALIZERS.includes(type as string)
    ) &&
    added.every(({ content, rstrip }) => !rstrip && !/\s/.test(content));
}

/** What a word or what follows it ends with. */
const ENDS = WORD | PUNCTUATION;

/** The last place before `end` where a text can be cut, if its tokenizer is separable; 0 if there is none. */
export function lastCut(text: string, end: number): number {
  const { bmp } = classes();
  for (let i = end - 2; i > 0; i--) {
    // A symbol before it may be what stands for a space.
    if (text.charCodeAt(i) !== 32 || !(bmp[text.charCodeAt(i - 1)] & ENDS)) continue;
    const flags = bmp[text.charCodeAt(i + 1)];
    if (flags & WORD && !(flags & MARK)) return i;
  }
  return 0;
}
