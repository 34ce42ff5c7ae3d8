/**
 * Hostile texts: what users paste, what scrapers find, and what is made to hurt.
 *
 * A text is a unit repeated, or a mixture of them; the time to read it must grow with its length and not
 * faster, whatever the unit.
 *
 * @module
 */
import type { Random } from "./random.ts";

/** What texts are made of. */
const UNITS = [
  ..."a ab A 0 . , ## # [ [S [SEP] [CLS] [UNK] [PAD] [MASK] [SEP [[SEP]] ##a i".split(" "),
  ..."\u0130 \u00df \u1e9e \ufb03 \ufdfa \u03a3 \u1e9b\u0323 \u0344 \u0958".split(" "),
  ..."\u0995 \u09cb \u09c7\u09be \u0995\u09cd \u099c\u09cd\u09ac\u09b0 \u09bc \u0964".split(" "),
  ..."\u4e2d \u{20000} \uac00 \u1100\u1161\u11a8 \u{1f600} \u{1f468}\u200d\u{1f469}".split(" "),
  ..."\u0301 \u0316\u0301 \u0301\u0316 \u0345 \u05b0 \u{1d165} \u0f71\u0f72 \u20dd".split(" "),
  "\ud800",
  "\udc00",
  "\ud800\ud800",
  "\udc00\ud800",
  "\0",
  "\u0001",
  "\u007f",
  "\ufffd",
  "\ufeff",
  "\u200b",
  "\u200c",
  "\u202e",
  "\u00a0",
  "\u3000",
  "\u2028",
  "\n",
  "\t",
  " ",
  "  ",
  "\uffff",
  "\u{10ffff}",
  "\u{e0001}",
];

/** A unit that a text repeats: one, or a few one after the other. */
function unitOf(random: Random): string {
  let unit = random.pick(UNITS);
  for (let n = random.int(4); n > 0; n--) unit += random.pick(UNITS);
  return unit;
}

/** A text of about `length` units of one kind. */
export function repeated(random: Random, length: number): string {
  const unit = random.once(2) ? random.pick(UNITS) : unitOf(random);
  return unit.repeat(Math.ceil(length / unit.length));
}

/** A short text of all kinds, up to about `most` code units. */
export function mixed(random: Random, most: number): string {
  let text = "";
  const length = random.size(most);
  while (text.length < length) {
    const unit = random.once(4)
      ? String.fromCharCode(random.int(65536))
      : random.once(3)
      ? "\u099c\u09cd\u09ac\u09b0\u09c7 \u09aa\u09cd\u09af\u09be\u09b0\u09be\u09b8\u09bf\u099f\u09be\u09ae\u09b2 "
      : random.pick(UNITS);
    text += unit.repeat(random.once(6) ? random.size(30) : 1);
    if (random.once(3)) text += " ";
  }
  return text;
}

/** What callers of untyped code pass where a text should be. */
export const NOT_TEXTS: readonly unknown[] = [
  undefined,
  null,
  0,
  NaN,
  true,
  {},
  [],
  ["a"],
  new String("a"),
  new Uint8Array(3),
  () => "a",
  { toString: 1, length: 2 },
  Object.create(null),
];
