/**
 * Tag schemes: what label names mean, which may follow which, and how a path of labels becomes spans.
 *
 * BIO (IOB2, Ramshaw and Marcus 1995 as used by CoNLL-2003 and seqeval): `B-x` begins an entity of type x,
 * `I-x` continues one, `O` is outside. Labels without such prefixes are plain: neighbours with the same
 * label form one span. A type that has `I-x` but no `B-x` may begin with `I-x`.
 *
 * @module
 */

/** A label, taken apart. */
export interface Tag {
  /** `begin` and `inside` belong to a type; `outside` has none; `plain` is a type without a prefix. */
  readonly role: "outside" | "begin" | "inside" | "plain";
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

/** Takes label names apart, by emission column. */
export function parseTags(labels: readonly string[]): Tag[] {
  const prefixed = labels.every((label) => label === "O" || /^[BI]-./s.test(label));
  return labels.map((label): Tag => {
    if (label === "O") return { role: "outside", type: "" };
    if (!prefixed) return { role: "plain", type: label };
    return { role: label[0] === "B" ? "begin" : "inside", type: label.slice(2) };
  });
}

/** Whether `to` may follow `from` under BIO; `from` undefined: at the start of a text. */
export function mayFollow(from: Tag | undefined, to: Tag, tags: readonly Tag[]): boolean {
  if (to.role !== "inside") return true;
  if (!tags.some((tag) => tag.role === "begin" && tag.type === to.type)) return true;
  return from !== undefined && from.type === to.type;
}

/**
 * Spans of a path, left to right. An `I-x` that continues nothing begins a span, as conlleval and seqeval's
 * default mode read it.
 */
export function spansOf(path: ArrayLike<number>, tags: readonly Tag[]): TokenSpan[] {
  const spans: TokenSpan[] = [];
  for (let t = 0; t < path.length; t++) {
    const { role, type } = tags[path[t]];
    if (role === "outside") continue;
    let last = t;
    while (last + 1 < path.length) {
      const next = tags[path[last + 1]];
      if (next.type !== type || next.role !== (role === "plain" ? "plain" : "inside")) break;
      last++;
    }
    spans.push({ type, first: t, last });
    t = last;
  }
  return spans;
}
