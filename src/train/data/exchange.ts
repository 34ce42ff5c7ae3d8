/**
 * Entities exchanged for others of their type: `take napa for fever` becomes `take omez for fever`.
 *
 * What an encoder should learn from few data is where a medicine stands, and not which ones the data happen to name. A
 * pool holds the entities of the data by type, each once, and further names where somebody has a list of them.
 *
 * Weak: the text around is not looked at, so that endings and agreement may be wrong, and a sentence untrue.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Span } from "../../eval/spans.ts";
import type { Random } from "../random.ts";
import type { LabelledText } from "../../corpus/text.ts";

/** Names by type: what an entity may be exchanged for. */
export type Pools = ReadonlyMap<string, readonly string[]>;

/** Share of the distinct entities of a text that are exchanged, where any are. */
const EXCHANGED = 0.5;

/**
 * The entities of texts and further names, each once, in the order of code units. Throws {@link InputError} `input/data`
 * for names of a type that no entity has.
 */
export function poolsOf(
  texts: readonly LabelledText[],
  names: Readonly<Record<string, readonly string[]>> = {},
): Pools {
  const pools = new Map<string, Set<string>>();
  for (const { text, entities } of texts) {
    for (const { type, start, end } of entities) {
      if (!pools.has(type)) pools.set(type, new Set());
      pools.get(type)!.add(text.slice(start, end));
    }
  }
  for (const [type, more] of Object.entries(names)) {
    const pool = pools.get(type);
    if (pool === undefined) {
      throw new InputError(
        "input/data",
        `there are names of the type ${type}, of which the data have no entity; they have ${
          [...pools.keys()].sort().join(", ")
        }.`,
      );
    }
    for (const name of more) pool.add(name);
  }
  return new Map([...pools].map(([type, pool]) => [type, [...pool].sort()]));
}

/**
 * A text with about half of its distinct entities exchanged, each for the same name wherever it stands; what lies between
 * stays as it is.
 */
export function exchangeEntities(
  { text, entities, ...rest }: LabelledText,
  pools: Pools,
  random: Random,
): LabelledText {
  const chosen = new Map<string, string>(), moved: Span[] = [];
  let out = "", at = 0;
  for (const { type, start, end } of entities) {
    const own = text.slice(start, end), key = `${type}\n${own}`;
    if (!chosen.has(key)) {
      const pool = pools.get(type)!, exchanged = random.uniform() < EXCHANGED;
      chosen.set(key, exchanged ? pool[random.below(pool.length)]! : own);
    }
    out += text.slice(at, start);
    const from = out.length;
    out += chosen.get(key)!;
    moved.push({ type, start: from, end: out.length });
    at = end;
  }
  return { ...rest, text: out + text.slice(at), entities: moved };
}
