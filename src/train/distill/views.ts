/**
 * What teachers with lexicons see of a text that they teach.
 *
 * One whose lexicons are the student's sees what the student sees: features by a dictionary that does not know the text,
 * some matches dropped (loop/lexicons.ts). So it has learnt itself, so it judges the very input that the student has to
 * judge like it (Beyer et al., arXiv 2106.05237), and it is not sure of an entity because a dictionary was made of it. One
 * with other lexicons sees all that they say of the text, as at run time; teachers whose lexicons are the same share that.
 *
 * Weak: of which texts another dictionary was made is not known, so that its teacher is surer of those than of new ones.
 *
 * @module
 */
import { FeatureFinder } from "../../lexicon/features.ts";
import { type Lexicons, sameLexicons } from "../../model/lexicon.ts";
import { type Features, packFeatures } from "../loop/sequences.ts";

/** Which features each teacher takes. */
export class Views {
  /** Of lexicons that only teachers have: what {@link Features.others} are found with. */
  readonly finders: readonly FeatureFinder[];
  /** By teacher: its features among a sequence's; undefined for one without lexicons. */
  readonly #of: readonly ((sequence: Features) => Float32Array | undefined)[];

  /** For the lexicons of each teacher, and of the student. */
  constructor(teachers: readonly (Lexicons | undefined)[], student: Lexicons | undefined) {
    const others: Lexicons[] = [];
    this.#of = teachers.map((own) => {
      if (own === undefined) return () => undefined;
      if (student && sameLexicons(own, student)) return ({ features }) => features;
      let at = others.findIndex((other) => sameLexicons(own, other));
      if (at < 0) at = others.push(own) - 1;
      return ({ others }) => others![at]!;
    });
    this.finders = others.map((own) => new FeatureFinder(own));
  }

  /** A teacher's features of the tokens of a batch of these sequences. */
  features(
    teacher: number,
    sequences: readonly Features[],
    offsets: Int32Array,
  ): Float32Array | undefined {
    return packFeatures(sequences.map(this.#of[teacher]!), offsets);
  }
}
