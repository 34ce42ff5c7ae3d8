/**
 * Tag schemes: what label names mean, which may follow which, and how a path of labels becomes spans.
 *
 * | scheme             | first | inner | last | alone | origin                                     |
 * | ------------------ | ----- | ----- | ---- | ----- | ------------------------------------------ |
 * | BIO, also IOB2     | `B-x` | `I-x` | `I-x`| `B-x` | Ratnaparkhi 1998; CoNLL-2003 as it is used |
 * | IOB1               | `I-x` | `I-x` | `I-x`| `I-x` | Ramshaw and Marcus 1995                    |
 * | BIOES, also IOBES  | `B-x` | `I-x` | `E-x`| `S-x` | Kudo and Matsumoto 2001                    |
 * | BILOU              | `B-x` | `I-x` | `L-x`| `U-x` | Ratinov and Roth 2009                      |
 * | plain              | `x`   | `x`   | `x`  | `x`   |                                            |
 *
 * `O` is outside; so are the names of special tokens that some label lists have (`[PAD]`, `[CLS]`). Labels
 * in any order. Everything is told from the names alone:
 *
 * - Labels that have no such prefix are plain: neighbours with the same label form one span.
 * - A type that has `E-x` or `L-x` must be closed by it; `S-x` or `U-x` stand alone.
 * - IOB1 has the same names as IOB2, with `B-x` only where two entities of a type touch. Names tell them apart
 *   in one case: in IOB2 every type with an `I-x` has a `B-x`, so where one type lacks it, all are IOB1, and
 *   any entity may begin with `I-x`. Where every type has both, it is taken to be IOB2, much the commoner; a
 *   model in IOB1 that has both is read right with `constrained: false`.
 *
 * Weak: a span in IOB1 can be labelled in two ways (`I-x` or `B-x` first), and a plain one does not show where
 * it begins; the score of a span is that of the labels on the best path.
 *
 * @module
 */

/** A label, taken apart. */
export interface Tag {
  /**
   * `begin`, `inside`, `end` and `single` belong to a type's entity: its first, inner and last token, and one
   * that is all of it; `outside` has no type; `plain` is a type without a prefix.
   */
  readonly role: "outside" | "begin" | "inside" | "end" | "single" | "plain";
  /** Entity type; empty for `outside`. */
  readonly type: string;
}

/** A labelled run of tokens: first and last are token indices, both included. */
export interface TokenSpan {
  /** Entity type, a label without its prefix. */
  readonly type: string;
  /** Index of the first token. */
  readonly first: number;
  /** Index of the last token. */
  readonly last: number;
}

const ROLES: Readonly<Record<string, Tag["role"]>> = {
  B: "begin",
  I: "inside",
  E: "end",
  L: "end",
  S: "single",
  U: "single",
};

/** `O`, and what label lists call the special tokens, which are part of no entity. */
const OUTSIDE = /^(O|\[(PAD|CLS|SEP)\]|<(pad|s|\/s)>|PAD)$/i;

/** Takes label names apart, by emission column. */
export function parseTags(labels: readonly string[]): Tag[] {
  const prefixed = labels.every((label) => OUTSIDE.test(label) || /^[BIESLU]-./s.test(label)) &&
    // "E-mail" and "S-phase" alone are types, not prefixes.
    labels.some((label) => /^[BI]-./s.test(label));
  return labels.map((label): Tag => {
    if (label === "O" || (prefixed && OUTSIDE.test(label))) return { role: "outside", type: "" };
    if (!prefixed) return { role: "plain", type: label };
    return { role: ROLES[label[0]], type: label.slice(2) };
  });
}

/** Entity types of tags, in their order. */
export function typesOf(tags: readonly Tag[]): string[] {
  const types = tags.filter(({ role }) => role !== "outside").map(({ type }) => type);
  return [...new Set(types)];
}

/** What a label set has; worked out once for each. */
interface Scheme {
  /** The roles that each type has a label for. */
  readonly roles: ReadonlyMap<string, ReadonlySet<Tag["role"]>>;
  /** Whether `I-x` may begin an entity of any type. */
  readonly iob1: boolean;
  /** Whether one token alone can be a legal text, so that no text is without a legal path. */
  readonly closable: boolean;
}

const schemes = new WeakMap<readonly Tag[], Scheme>();

function schemeOf(tags: readonly Tag[]): Scheme {
  const known = schemes.get(tags);
  if (known !== undefined) return known;
  const roles = new Map<string, Set<Tag["role"]>>();
  for (const { role, type } of tags) {
    if (role === "outside") continue;
    roles.set(type, (roles.get(type) ?? new Set()).add(role));
  }
  const sets = [...roles.values()];
  const closed = sets.some((set) => set.has("end") || set.has("single"));
  const scheme = {
    roles,
    iob1: !closed && sets.some((set) => set.has("inside") && !set.has("begin")),
    closable: tags.some(({ role, type }) =>
      role === "outside" || role === "single" || role === "plain" || !roles.get(type)!.has("end")
    ),
  };
  schemes.set(tags, scheme);
  return scheme;
}

/** Whether an entity is under way at this label that only an `E-x` or `L-x` can close. */
function isOpen({ role, type }: Tag, { roles }: Scheme): boolean {
  return (role === "begin" || role === "inside") && roles.get(type)!.has("end");
}

/** Whether `to` may follow `from`; `from` undefined: at the start of a text. */
export function mayFollow(from: Tag | undefined, to: Tag, tags: readonly Tag[]): boolean {
  const scheme = schemeOf(tags);
  const goesOn = from !== undefined && from.type === to.type &&
    (from.role === "begin" || from.role === "inside") &&
    (to.role === "inside" || to.role === "end");
  if (goesOn) return true;
  if (from !== undefined && isOpen(from, scheme)) return false;
  const roles = scheme.roles.get(to.type);
  if (to.role === "inside") return scheme.iob1 || !roles!.has("begin");
  if (to.role === "end") return !roles!.has("begin") && !roles!.has("inside");
  return true;
}

/** Whether a text may end with this label: not within an entity that has a label for its last token. */
export function mayEnd(tag: Tag, tags: readonly Tag[]): boolean {
  const scheme = schemeOf(tags);
  return !scheme.closable || !isOpen(tag, scheme);
}

/**
 * Column of the label that would continue a span which ends with this label at its last token; -1 when
 * nothing can: after `E-x`, `L-x`, `S-x` and `U-x`.
 */
export function continuation(label: number, tags: readonly Tag[]): number {
  const { role, type } = tags[label];
  if (role === "plain") return label;
  if (role !== "begin" && role !== "inside") return -1;
  return tags.findIndex((tag) => tag.type === type && tag.role === "inside");
}

/**
 * Spans of a path, left to right. A label that continues nothing begins a span, as conlleval and seqeval's
 * default mode read it; a span that is never closed ends where another label begins.
 */
export function spansOf(path: ArrayLike<number>, tags: readonly Tag[]): TokenSpan[] {
  const spans: TokenSpan[] = [];
  for (let t = 0; t < path.length; t++) {
    const { role, type } = tags[path[t]];
    if (role === "outside") continue;
    let last = t;
    let open = role === "begin" || role === "inside" || role === "plain";
    while (open && last + 1 < path.length) {
      const next = tags[path[last + 1]];
      const inner = role === "plain"
        ? next.role === "plain"
        : next.role === "inside" || next.role === "end";
      if (next.type !== type || !inner) break;
      open = next.role !== "end";
      last++;
    }
    spans.push({ type, first: t, last });
    t = last;
  }
  return spans;
}
