/**
 * Tag sequences to spans, as Python's seqeval reads them: leniently (its default mode, which is conlleval's) or strictly
 * by a scheme.
 *
 * Where a span begins and ends is told from two neighbouring tags, so each reading is three short lists of patterns:
 * the prefix before, the prefix now, and `=` or `≠` where the types must be equal or differ; `*` is any prefix.
 *
 * - The default mode takes every tag for something: what continues nothing begins a span. For B, I, E and S that is
 *   `spansOf` of `crf/scheme.ts`, and a test holds the two together. L and U it does not know: they only part types,
 *   so that `U-x U-x` is one span, `B-x` behind `L-x` loses the span before it, and `U-x` behind `E-x` ends that span
 *   a second time. Models are decoded with the one, which knows six schemes; figures are compared with the other.
 * - A strict reading drops what its scheme does not allow, from a span's beginning to its end.
 *
 * Weak where seqeval is: in IOE1 and IOB1 a few legal neighbours of different types match no pattern, and a span is
 * lost there; such figures are comparable all the same, and that is what they are for. Its own `suffix` tags (`x-B`)
 * are not read.
 *
 * @module
 */
import { FormatError, InputError, show } from "../errors.ts";
import type { Span } from "./spans.ts";

/** The schemes that a strict reading knows. */
export const TAG_SCHEMES = ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"] as const;

/** A scheme by its name in seqeval. */
export type TagScheme = typeof TAG_SCHEMES[number];

/** How tags are read. */
export interface TagOptions {
  /** `default` repairs what no scheme allows, `strict` drops it. Default: `default`. */
  readonly mode?: "default" | "strict" | undefined;
  /** The scheme that `strict` goes by; default: told from the prefixes of the gold tags, see {@link detectScheme}. */
  readonly scheme?: TagScheme | undefined;
  /** How messages call a tag, by sequence and place, both from 0; default `sequence 1, tag 1`. */
  readonly where?: ((sequence: number, index: number) => string) | undefined;
}

/** A tag, taken apart. */
interface Tag {
  readonly prefix: string;
  readonly type: string;
}

/** Two neighbouring tags each, by prefixes and whether the types are equal: `BI=`. */
type Neighbours = ReadonlySet<string>;

/** What a reading goes by. */
interface Rules {
  /** A span begins with the second of the two. */
  readonly starts: Neighbours;
  /** The second of the two continues the span that the first is in. */
  readonly inside: Neighbours;
  /** A span ends with the first of the two. */
  readonly ends: Neighbours;
}

const PREFIXES = "OBIESLU";

/** Patterns, as the head of this file has them, written out. */
function neighbours(patterns: string): Neighbours {
  const all = new Set<string>();
  for (const [one, other, types = "=≠"] of patterns.split(" ")) {
    for (const before of one === "*" ? PREFIXES : one) {
      for (const now of other === "*" ? PREFIXES : other) {
        for (const equal of types) all.add(before + now + equal);
      }
    }
  }
  return all;
}

function rules(starts: string, inside: string, ends: string): Rules {
  return { starts: neighbours(starts), inside: neighbours(inside), ends: neighbours(ends) };
}

/** After `seqeval/scheme.py` of seqeval 1.2.2; the prefixes are those that a scheme allows. */
const STRICT: Readonly<Record<TagScheme, Rules & { readonly prefixes: string }>> = {
  IOB1: { prefixes: "IOB", ...rules("OI II≠ BI IB= BB=", "BI= II=", "II≠ IO IB BI≠ BO BB=") },
  IOB2: { prefixes: "IOB", ...rules("*B", "BI= II=", "I* B*") },
  IOE1: { prefixes: "IOE", ...rules("OI II≠ EI EE=", "II= IE=", "II≠ IO IE≠ EI= EE=") },
  IOE2: { prefixes: "IOE", ...rules("OI OE EI EE II≠ IE≠", "II= IE=", "E*") },
  IOBES: { prefixes: "IOBES", ...rules("*B *S", "BI= BE= II= IE=", "S* E*") },
  BILOU: { prefixes: "BILOU", ...rules("*B *U", "BI= BL= II= IL=", "U* L*") },
};

/** conlleval's rules, which tell the beginning and the end of a span independently of each other. */
const DEFAULT = {
  starts: neighbours("*B *S OI OE EI EE SI SE *I≠ *E≠ *L≠ *U≠"),
  ends: neighbours("E* S* BB BS BO IB IS IO B*≠ I*≠ L*≠ U*≠"),
};

/** Prefixes that tell a scheme, as seqeval's `auto_detect` lists them. */
const DETECTED: readonly (readonly [scheme: TagScheme, prefixes: readonly string[]])[] = [
  ["IOB2", ["BIO", "BI", "BO", "B"]],
  ["IOE2", ["EIO", "EI", "EO", "E"]],
  ["IOBES", ["BEIOS", "BEIS", "BEIO", "BEOS", "BEI", "BES", "BEO", "BE", "S"]],
  ["BILOU", ["BILOU", "BILU", "BILO", "BLOU", "BIL", "BLU", "BLO", "BL", "U"]],
];

/** `O`, a prefix alone, or a prefix and a type. */
const TAG = /^(?:O|[BIESLU](?:-(.*))?)$/s;

function parse(tag: string, strict: boolean, where: () => string): Tag {
  const parts = tag.match(TAG);
  if (parts === null) {
    throw new FormatError(
      "data/tag",
      `${where()}: ${show(tag)} is no tag; expected O, or a type behind B-, I-, E-, S-, L- or U-.`,
    );
  }
  const type = parts[1] ?? "";
  // A tag without a type is of the type `_`; hyphens at the ends belong to a type in the default mode alone.
  return { prefix: tag[0], type: (strict ? type.replace(/^-+|-+$/g, "") : type) || "_" };
}

function matches(some: Neighbours, before: Tag, now: Tag): boolean {
  return some.has(before.prefix + now.prefix + (before.type === now.type ? "=" : "≠"));
}

const OUTSIDE: Tag = { prefix: "O", type: "_" };

/**
 * All sequences in one go, as seqeval joins them with an O between: an `L` or `U` of the type `_` behind an O begins
 * nothing, and the span that it ends began where the last one did, be that in an earlier sequence (a negative start).
 */
function defaultSpans(sequences: readonly (readonly Tag[])[]): Span[][] {
  let before = OUTSIDE, begin = 0, offset = 0;
  return sequences.map((tags) => {
    const spans: Span[] = [];
    [...tags, OUTSIDE].forEach((now, i) => {
      if (matches(DEFAULT.ends, before, now)) {
        spans.push({ type: before.type, start: begin - offset, end: i });
      }
      if (matches(DEFAULT.starts, before, now)) begin = offset + i;
      before = now;
    });
    offset += tags.length + 1;
    return spans;
  });
}

function strictSpans(tags: readonly Tag[], { starts, inside, ends }: Rules): Span[] {
  const all = [...tags, OUTSIDE], spans: Span[] = [];
  let before = OUTSIDE;
  for (let i = 0; i < all.length;) {
    const first = all[i];
    if (!matches(starts, before, first)) {
      before = first;
      i++;
      continue;
    }
    let end = i + 1;
    while (matches(inside, all[end - 1], all[end])) end++;
    if (matches(ends, all[end - 1], all[end])) spans.push({ type: first.type, start: i, end });
    before = all[end - 1];
    i = end;
  }
  return spans;
}

/**
 * The scheme that the prefixes of tags tell: IOB2, IOE2, IOBES or BILOU. Throws {@link InputError} `input/option`
 * where they tell none, or fit no one scheme: IOB1 and IOE1 have the prefixes of IOB2 and IOE2, and must be named.
 */
export function detectScheme(sequences: readonly (readonly string[])[]): TagScheme {
  const seen = new Set(sequences.flatMap((tags) => tags.map((tag) => tag[0] ?? "")));
  const prefixes = [...seen].sort().join("");
  const found = DETECTED.find(([, known]) => known.includes(prefixes));
  if (found !== undefined) return found[0];
  throw new InputError(
    "input/option",
    `the gold tags begin with ${
      prefixes === "" ? "nothing" : [...prefixes].join(", ")
    }, which tells ` +
      `no scheme; name one of ${TAG_SCHEMES.join(", ")}.`,
  );
}

/**
 * Spans of tag sequences, in tokens from each sequence's first, the end exclusive.
 *
 * Throws {@link FormatError} `data/tag` for what is no tag and, reading strictly, for a prefix that the scheme does not
 * have, {@link InputError} `input/option` for a scheme without strict reading, or one that is not known.
 */
export function spansOfTags(
  sequences: readonly (readonly string[])[],
  { mode = "default", scheme, where = (s, i) => `sequence ${s + 1}, tag ${i + 1}` }: TagOptions =
    {},
): Span[][] {
  const strict = mode === "strict";
  if (!strict && (scheme !== undefined || mode !== "default")) {
    throw new InputError(
      "input/option",
      mode === "default"
        ? `the default mode goes by no scheme; leave ${show(scheme)} out, or read strictly.`
        : `${show(mode)} is no mode; expected default or strict.`,
    );
  }
  const found = strict ? scheme ?? detectScheme(sequences) : undefined;
  if (found !== undefined && !Object.hasOwn(STRICT, found)) {
    throw new InputError(
      "input/option",
      `${show(found)} is no scheme; expected one of ${TAG_SCHEMES.join(", ")}.`,
    );
  }
  const known = found === undefined ? undefined : STRICT[found];
  const tags = sequences.map((sequence, s) =>
    sequence.map((name, i): Tag => {
      const tag = parse(name, strict, () => where(s, i));
      if (known === undefined || known.prefixes.includes(tag.prefix)) return tag;
      throw new FormatError(
        "data/tag",
        `${where(s, i)}: ${found} has no tag ${show(name)}; its tags begin with ${
          [...known.prefixes].join(", ")
        }.`,
      );
    })
  );
  return known === undefined ? defaultSpans(tags) : tags.map((one) => strictSpans(one, known));
}
