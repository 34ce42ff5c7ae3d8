/**
 * Made-up sentences about made-up medicines, to try a whole pipeline on in minutes and without anyone's data.
 *
 * What is to be learnt is there to be learnt: a medicine, a disease, an organ and a dose each have endings of their own,
 * and stand where only some of them can stand; half of the names of the test texts never occur in training. And there
 * is something to get wrong: the words that announce a type announce other things as well, diseases have adjectives, and
 * some words look like names and are none.
 *
 * @module
 */

/** An entity of a sentence. */
export interface Entity {
  readonly type: "MED" | "DIS" | "ORG" | "DOS";
  readonly start: number;
  readonly end: number;
}

/** A sentence with its entities. */
export interface Sentence {
  readonly text: string;
  readonly entities: readonly Entity[];
}

/** Numbers from 0 to below 1, from a seed (mulberry32). */
export function numbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Next = () => number;

function pick<T>(next: Next, list: readonly T[]): T {
  return list[Math.floor(next() * list.length)]!;
}

const ONSETS = "b d f g k l m n p r s t v z br dr kl pr tr".split(" ");
const VOWELS = "a e i o u".split(" ");
const ENDINGS = {
  MED: "olin azol imab oprin".split(" "),
  DIS: "itis oma osis emia".split(" "),
  ORG: "urn ulus aver".split(" "),
} as const;
const UNITS = "mg ml drops tablets".split(" ");
const ADJECTIVES = "chronic acute mild early".split(" ");
/** Words that end like names and are none. */
const DECOYS = "violin stigma return overnight analysis patrol".split(" ");
const PEOPLE = "she he the patient my brother a child everyone".split(" ");

/** A name of a type. */
function nameOf(next: Next, type: keyof typeof ENDINGS): string {
  let stem = "";
  for (let n = next() < 0.5 ? 1 : 2; n > 0; n--) stem += pick(next, ONSETS) + pick(next, VOWELS);
  return stem + pick(next, ONSETS) + pick(next, ENDINGS[type]);
}

/** `{MED}` stands for a name of the type, `(` and `)` around what may be left out. */
const SENTENCES = [
  "{WHO} takes {MED}( {DOS})( for {DIS})",
  "{WHO} was given {DOS} of {MED} against {DIS}",
  "{DIS} of the {ORG} is treated with {MED}( or {MED})",
  "after {MED} the {ORG} felt better",
  "is {MED} safe with {DIS} ?",
  "{MED} helps with {DIS} , not with {DIS}",
  "the {ORG} and the {ORG} were examined( because of {DIS})",
  "{WHO} takes the bus for {DECOY}",
  "the {DECOY} of the week was given to {WHO}",
  "{WHO} plays the {DECOY} with 5 friends",
  "stop {MED} and take {DOS} of {MED} instead",
  "no sign of {DIS} in the {ORG} , said the doctor",
] as const;

/** Names that sentences are made of. */
export type Names = Readonly<Record<keyof typeof ENDINGS, readonly string[]>>;

/** So many names of each type. */
export function makeNames(seed: number, count: number): Names {
  const next = numbers(seed);
  const of = (type: keyof typeof ENDINGS): string[] =>
    Array.from({ length: count }, () => nameOf(next, type));
  return { MED: of("MED"), DIS: of("DIS"), ORG: of("ORG") };
}

/** So many sentences of these names. */
export function makeSentences(seed: number, count: number, names: Names): Sentence[] {
  const next = numbers(seed);
  return Array.from({ length: count }, () => {
    const form = pick(next, SENTENCES).replace(
      /\(([^)]*)\)/g,
      (_, part) => next() < 0.5 ? part : "",
    );
    const entities: Entity[] = [];
    let text = "";
    for (const part of form.split(/(\{[A-Z]+\})/)) {
      const what = /^\{([A-Z]+)\}$/.exec(part)?.[1];
      if (what === undefined) {
        text += part;
        continue;
      }
      if (what === "WHO") text += pick(next, PEOPLE);
      else if (what === "DECOY") text += pick(next, DECOYS);
      else {
        const type = what as Entity["type"];
        const word = type === "DOS"
          ? `${1 + Math.floor(next() * 500)} ${pick(next, UNITS)}`
          : (type === "DIS" && next() < 0.3 ? `${pick(next, ADJECTIVES)} ` : "") +
            pick(next, names[type]);
        entities.push({ type, start: text.length, end: text.length + word.length });
        text += word;
      }
    }
    return { text: `${text} .`, entities };
  });
}
