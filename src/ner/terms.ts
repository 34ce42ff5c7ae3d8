/**
 * A caller's terms beside a model: what they say of its emissions, and of the entities that come of them.
 *
 * Terms of a `lexicon` are evidence, weighed against what the model sees: at each token of a term, the emissions of its
 * type's labels are raised by the list's weight before the CRF, so that the CRF still decides, its scores are
 * probabilities still, and a word that is a name here and none there can go either way. A type's labels are raised where its tag
 * scheme lets an entity of these tokens have them, and the inner label also at the term's first token: an entity may begin before a term.
 *
 * A model that was trained with lexicons has learnt how much a term says: there the terms of a list without a weight come
 * beside its own (`lexicon/features.ts`), where it has any for the type, and raise nothing.
 *
 * Terms of `always` and `never` are rules. They touch neither emissions nor the scores of others: an `always` term is an
 * entity with the score 1 in place of all that the model found across it, and an entity whose text is a `never` term is
 * left out.
 *
 * Terms are found as lexicons' are (`lexicon/matcher.ts`): longest first, from the beginning of a word to its end, or to
 * one of the endings that its script's languages join to nouns; case and the way a letter is composed do not count.
 *
 * @module
 */
import { parseTags, type Tag, typesOf } from "../crf/scheme.ts";
import { InputError, ModelError, show } from "../errors.ts";
import { type FeatureFinder, knowsType, termsBeside } from "../lexicon/features.ts";
import { fingerprintsOf, termKey } from "../lexicon/fingerprint.ts";
import { JOINED_ENDINGS } from "../lexicon/endings.ts";
import { type Match, Matcher } from "../lexicon/matcher.ts";
import { MatchStream } from "../lexicon/stream.ts";
import { type Lexicons, MAX_TERM_LENGTH, MAX_TERMS } from "../model/lexicon.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { MAX_WEIGHT, type TermList, type TermLists, type TermRule } from "../model/terms.ts";
import type { Encoding } from "../tokenizer/types.ts";
import { checkOptions, TERM_RULES } from "./check_options.ts";
import type { Entity } from "./entities.ts";
import type { TermOptions } from "./options.ts";

/** Weight of a lexicon's terms where none is given, chosen on validation texts. docs/lexicons.md has what others come to. */
export const DEFAULT_WEIGHT = 2;

const fail = (message: string): never => {
  throw new InputError("input/option", message);
};

/** A list's fingerprints. Throws {@link InputError} `input/option` for what is no list of terms that can be found. */
function fingerprint(
  terms: unknown,
  where: string,
): { readonly fingerprints: Int32Array; readonly longest: number } {
  if (!Array.isArray(terms) || terms.length === 0) {
    fail(`${where} is ${show(terms)}; expected an array of strings, at least one.`);
  }
  // Array.from sees the holes of a sparse array.
  const own = Array.from(terms as unknown[]);
  const bad = own.findIndex((term) => typeof term !== "string" || termKey(term) === undefined);
  if (bad >= 0) {
    fail(
      `${where}[${bad}] is ${
        show(own[bad])
      }; expected a string that begins with a letter or a digit, of at most ${MAX_TERM_LENGTH} code units.`,
    );
  }
  const { words, longest } = fingerprintsOf(own as string[]);
  return { fingerprints: words, longest };
}

/** An entry of `lexicon` or `always` as untyped code hands it over: its fields, none unknown. */
function fieldsOf(
  entry: unknown,
  known: readonly string[],
  where: string,
): Record<string, unknown> {
  if (typeof entry !== "object" || entry === null) {
    fail(`${where} is ${show(entry)}; expected { ${known.join(", ")} }.`);
  }
  const unknown = Object.keys(entry as object).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    fail(`${where} has ${show(unknown)}; expected ${known.join(", ")}.`);
  }
  return entry as Record<string, unknown>;
}

/**
 * Terms as options have them, checked and fingerprinted; undefined where there are none.
 *
 * @param types the model's, of which evidence must be
 * @param method the call, as its user wrote it
 * @param lexicons the model's own, if it has any
 * @throws {InputError} `input/option`
 */
export function compileTerms(
  { lexicon = [], always = [], never = [] }: TermOptions,
  types: readonly string[],
  method: string,
  lexicons?: Lexicons,
): TermLists | undefined {
  const lists: TermList[] = [];
  let longest = 1;
  const add = (rule: TermRule, terms: unknown, where: string): void => {
    const found = fingerprint(terms, `${method}: ${where}`);
    longest = Math.max(longest, found.longest);
    lists.push({ rule, fingerprints: found.fingerprints });
  };
  lexicon.forEach((entry, i) => {
    const where = `lexicon[${i}]`;
    const { type, terms, weight: given } = fieldsOf(
      entry,
      ["type", "terms", "weight"],
      `${method}: ${where}`,
    );
    const weight = given ?? DEFAULT_WEIGHT;
    if (!types.includes(type as string)) {
      fail(
        `${method}: ${where}.type is ${show(type)}; expected one of the model's types, ${
          types.join(", ")
        }. What it has not learnt can be had by "always".`,
      );
    }
    if (typeof weight !== "number" || !(Math.abs(weight) <= MAX_WEIGHT)) {
      fail(
        `${method}: ${where}.weight is ${
          show(weight)
        }; expected a number from -${MAX_WEIGHT} to ${MAX_WEIGHT}.`,
      );
    }
    const own = type as string;
    const learnt = given === undefined && lexicons !== undefined && knowsType(lexicons, own);
    const rule: TermRule = learnt
      ? { kind: "learnt", type: own }
      : { kind: "weight", type: own, weight: weight as number };
    add(rule, terms, `${where}.terms`);
  });
  always.forEach((entry, i) => {
    const where = `always[${i}]`;
    const { type, terms } = fieldsOf(entry, ["type", "terms"], `${method}: ${where}`);
    if (typeof type !== "string" || type === "") {
      fail(`${method}: ${where}.type is ${show(type)}; expected a name.`);
    }
    add({ kind: "always", type: type as string }, terms, `${where}.terms`);
  });
  if (never.length > 0) add({ kind: "never" }, never, "never");
  const count = lists.reduce((sum, list) => sum + list.fingerprints.length / 2, 0);
  if (count > MAX_TERMS) {
    fail(`${method}: there are ${count} terms; expected at most ${MAX_TERMS}.`);
  }
  return lists.length > 0 ? { longest, lists } : undefined;
}

/**
 * A model that carries terms beside those that it has: for `writePackage`, and for `Ner.fromBundle`.
 *
 * @throws {InputError} `input/option` for terms that cannot be
 */
export function addTerms(bundle: ModelBundle, options: TermOptions): ModelBundle {
  checkOptions(options, "addTerms", TERM_RULES);
  const types = typesOf(parseTags(bundle.weights.config.labels));
  const more = compileTerms(options, types, "addTerms", bundle.lexicons);
  return { ...bundle, terms: joinTerms(bundle.terms, more) };
}

/**
 * What finds a model's features, with those terms beside its own that count as such.
 *
 * @throws {ModelError} `model/lexicon` for terms that would, of a model that has no lexicons of their type
 */
export function findingTerms(
  finder: FeatureFinder | undefined,
  terms: TermLists | undefined,
): FeatureFinder | undefined {
  const { lists = [], longest = 1 } = terms ?? {};
  const more = lists.flatMap(({ rule, fingerprints }) => {
    if (rule.kind !== "learnt") return [];
    const { type } = rule;
    const beside = finder ? termsBeside(finder.lexicons, type, { fingerprints, longest }) : [];
    if (beside.length > 0) return beside;
    throw new ModelError(
      "model/lexicon",
      `The model's terms of the type ${
        show(type)
      } count as those of its lexicons, but it has none.`,
    );
  });
  return finder?.with(more);
}

/** Terms beside others, which come first. */
export function joinTerms(
  first: TermLists | undefined,
  second: TermLists | undefined,
): TermLists | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return {
    longest: Math.max(first.longest, second.longest),
    lists: [...first.lists, ...second.lists],
  };
}

/** Columns that evidence for a type raises: at a term's tokens, by whether one is its first and its last. */
type Columns = readonly (readonly number[])[];

/** Index among {@link Columns}. */
const position = (first: boolean, last: boolean): number => (first ? 2 : 0) + (last ? 1 : 0);

/** The labels that a type's evidence raises. */
function columnsOf(type: string, tags: readonly Tag[]): Columns {
  const own = tags.filter((tag) => tag.type === type && tag.role !== "outside");
  const has = (role: Tag["role"]): boolean => own.some((tag) => tag.role === role);
  const fits = ({ role }: Tag, first: boolean, last: boolean): boolean => {
    if (role === "single") return first && last;
    if (role === "end") return last;
    if (role === "begin") return first && !(last && has("single"));
    if (role === "inside") return !(last && has("end"));
    return true;
  };
  return [0, 1, 2, 3].map((at) => {
    const first = at >= 2, last = at % 2 === 1;
    return tags.flatMap((tag, i) => own.includes(tag) && fits(tag, first, last) ? [i] : []);
  });
}

/** Code units that are looked at without a pause, and more where there is no white space to end at. */
const PIECE_UNITS = 1 << 13;

/** The first white space from a place on, or the end of the text. */
function blankFrom(text: string, from: number): number {
  while (from < text.length && !/\s/.test(text[from])) from++;
  return Math.min(from, text.length);
}

/** Finds a caller's terms in texts, and says what follows. */
export class TermFinder {
  /** What it was made of. */
  readonly terms: TermLists;
  readonly #rules: readonly TermRule[];
  readonly #matcher: Matcher | undefined;
  readonly #labels: number;
  readonly #columns = new Map<string, Columns>();
  /** Fingerprints of terms that are no entities. */
  readonly #never = new Set<string>();

  /** For a model of these tags. */
  constructor(terms: TermLists, tags: readonly Tag[]) {
    this.terms = terms;
    this.#labels = tags.length;
    const sought = terms.lists.filter(({ rule }) =>
      rule.kind === "weight" || rule.kind === "always"
    );
    const names = sought.map(({ rule }) => `${rule.kind} ${(rule as { type: string }).type}`);
    const numbers = [...new Set(names)];
    this.#rules = sought.map(({ rule }) => rule);
    const sources = sought.map(({ fingerprints }, i) => ({
      list: numbers.indexOf(names[i]),
      fingerprints,
    }));
    const rules = { inflected: JOINED_ENDINGS, longest: terms.longest };
    this.#matcher = sources.length > 0 ? new Matcher(sources, rules) : undefined;
    for (const { rule, fingerprints } of terms.lists) {
      if (rule.kind === "weight") this.#columns.set(rule.type, columnsOf(rule.type, tags));
      if (rule.kind !== "never") continue;
      for (let i = 0; i < fingerprints.length; i += 2) {
        this.#never.add(`${fingerprints[i]},${fingerprints[i + 1]}`);
      }
    }
  }

  /** Where terms stand in a text; in pieces. */
  *matching(text: string): Generator<void, Match[]> {
    const stream = this.stream(), found: Match[] = [];
    for (let to = 0; stream !== undefined && to < text.length;) {
      to = blankFrom(text, stream.looked + PIECE_UNITS);
      found.push(...stream.look(text.slice(stream.looked, to), to === text.length));
      yield;
    }
    return found;
  }

  /** Where they stand in a text that comes in parts; undefined where there is nothing to look for. */
  stream(): MatchStream | undefined {
    return this.#matcher && new MatchStream(this.#matcher);
  }

  /** Adds the terms' evidence to emissions, float32 `[tokens, labels]`, of the text's tokens. */
  weigh(
    emissions: Float32Array,
    { starts, ends }: Pick<Encoding, "starts" | "ends">,
    matches: readonly Match[],
  ): void {
    let from = 0;
    for (const { source, start, end } of matches) {
      const rule = this.#rules[source];
      if (rule.kind !== "weight") continue;
      // Tokens are in order; a token without a place of its own is part of nothing.
      while (from < starts.length && ends[from] <= start) from++;
      const own: number[] = [];
      for (let t = from; t < starts.length && starts[t] < end; t++) {
        if (starts[t] < ends[t] && ends[t] > start) own.push(t);
      }
      const columns = this.#columns.get(rule.type)!;
      own.forEach((token, i) => {
        for (const column of columns[position(i === 0, i === own.length - 1)]) {
          emissions[token * this.#labels + column] += rule.weight;
        }
      });
    }
  }

  /** Types that rules give, the model's or not. */
  get types(): string[] {
    return this.#rules.flatMap((rule) => rule.kind === "always" ? [rule.type] : []);
  }

  /** Entities as the rules leave them, from left to right. */
  settle(text: string, entities: readonly Entity[], matches: readonly Match[]): Entity[] {
    const sure = matches.filter(({ source }) => this.#rules[source].kind === "always");
    const free = entities.filter(({ text, start, end }) =>
      !this.#isNever(text) && !sure.some((match) => match.start < end && start < match.end)
    );
    const ruled = sure.map(({ source, start, end }): Entity => ({
      type: (this.#rules[source] as { type: string }).type,
      text: text.slice(start, end),
      start,
      end,
      score: 1,
    }));
    return [...free, ...ruled].sort((a, b) => a.start - b.start || b.end - a.end);
  }

  #isNever(text: string): boolean {
    if (this.#never.size === 0) return false;
    const { words } = fingerprintsOf([text]);
    return words.length > 0 && this.#never.has(`${words[0]},${words[1]}`);
  }
}
