/**
 * Further corpora that say a part of what is to be learnt: labels known in part.
 *
 * A corpus of consumers' questions has medicines, and beside them symptoms and ages that are none of our types. What it
 * says of ours is this: here is a medicine, and everything else is anything but a medicine. So a token of a corpus has
 * one label where it lies in an entity of a type that is also ours, and elsewhere any label but those of such types
 * (Tsuboi et al., COLING 2008, for the likelihood of that).
 *
 * Weak: two corpora that call something a medicine seldom mean just the same by it.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Tag } from "../../crf/scheme.ts";
import type { LabelledText } from "../../corpus/text.ts";

/** A corpus that knows some of our types. */
export interface PartialCorpus {
  /** Its texts with its own types. */
  readonly texts: readonly LabelledText[];
  /** Our type by each of its types that means the same. Its other types count as anything but these. */
  readonly types: Readonly<Record<string, string>>;
  /** Texts of an epoch, other ones in each. Default: all. */
  readonly perEpoch?: number | undefined;
  /** Factor on their loss. Default 0.5. */
  readonly weight?: number | undefined;
}

/** Factor on a corpus' loss where none is given. */
export const PARTIAL_WEIGHT = 0.5;

/** A corpus in our types. */
export interface OwnPartial {
  /** Texts with the entities of our types alone. */
  readonly texts: readonly LabelledText[];
  /** By label: 1 for those that a token may have that lies in none of these entities. */
  readonly open: Uint8Array;
  readonly perEpoch: number;
  readonly weight: number;
}

/**
 * A corpus' entities by our types. Throws {@link InputError}: `input/data` for a corpus without an entity of ours,
 * `input/labels` for a type that no label has, `input/option` for a number out of range.
 */
export function partialOf(corpus: PartialCorpus, tags: readonly Tag[]): OwnPartial {
  const { texts, types, perEpoch = texts.length, weight = PARTIAL_WEIGHT } = corpus;
  const ours = new Set(tags.flatMap(({ role, type }) => role === "outside" ? [] : [type]));
  for (const [theirs, type] of Object.entries(types)) {
    if (ours.has(type)) continue;
    throw new InputError(
      "input/labels",
      `a further corpus has ${theirs} for ${type}, which is no type of ours; they are ${
        [...ours].join(", ")
      }.`,
    );
  }
  if (!Number.isInteger(perEpoch) || perEpoch < 1) {
    throw new InputError(
      "input/option",
      `perEpoch is ${perEpoch}; expected a whole number from 1.`,
    );
  }
  if (!(weight > 0 && weight < Infinity)) {
    throw new InputError("input/option", `weight is ${weight}; expected a number above 0.`);
  }
  const own = texts.map((text) => ({
    ...text,
    entities: text.entities.flatMap((entity) =>
      Object.hasOwn(types, entity.type) ? [{ ...entity, type: types[entity.type]! }] : []
    ),
  }));
  // What a corpus never says it does not know: only types that occur are anything at all elsewhere.
  const known = new Set(own.flatMap(({ entities }) => entities.map(({ type }) => type)));
  if (known.size === 0) {
    const theirs = new Set(texts.flatMap(({ entities }) => entities.map(({ type }) => type)));
    throw new InputError(
      "input/data",
      `a further corpus (${texts[0]?.where ?? "without texts"}) has no entity of the types ${
        Object.keys(types).join(", ")
      }; it has ${[...theirs].sort().join(", ")}.`,
    );
  }
  const open = Uint8Array.from(
    tags,
    ({ role, type }) => Number(role === "outside" || !known.has(type)),
  );
  return { texts: own, open, perEpoch: Math.min(perEpoch, texts.length), weight };
}
