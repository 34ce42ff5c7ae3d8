/**
 * The files that a model of a description learns from and is judged by, made from a data folder.
 *
 * | name                                       | content                                                            |
 * | ------------------------------------------ | ------------------------------------------------------------------ |
 * | `random-{train,validation,test}.jsonl`     | the model's own labelled texts                                     |
 * | `NAME-{train,validation,test}.jsonl`       | the same, split with groups kept apart                             |
 * | `open.jsonl`                               | texts that no split holds out: for the vocabulary                  |
 * | `also-NAME.jsonl`, `held-NAME.jsonl`       | a further corpus: learnt texts, and held ones; types as ours       |
 * | `unseen.jsonl`                             | held-out texts in which reserved names stand for others            |
 * | `lexicon-NAME.txt`, `names-NAME.txt`, `vocabulary-NAME.txt` | terms, one a line                                 |
 * | `unlabelled.txt`                           | plain texts that a student learns from                             |
 * | `SPLIT-sample.txt`                         | training texts, a line each, by which weights are rounded          |
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type LabelledText, readTexts, type Split } from "../../train.ts";
import { jsonl, Refusal, textIn, writeWhole } from "../reproduce/files.ts";
import type { Description, TermList } from "./descriptions.ts";
import { PythonRandom } from "./mersenne.ts";
import { groupedSplit, groupsOf, shuffledSplit } from "./splits.ts";
import { columnOf, listTerms, reservedTerms, type TermData } from "./terms.ts";

/** Decides which terms of long lists are names. */
const NAMES_SEED = 1;

/** A description without the corpora that forbid commercial use, and without what is made from them alone. */
export function withoutNonCommercial(model: Description): Description {
  const further = Object.fromEntries(
    Object.entries(model.further).filter(([, { nonCommercial }]) => !nonCommercial),
  );
  const lists = (all: readonly TermList[]): TermList[] =>
    all.map((list) => ({
      ...list,
      from: list.from.filter(({ entities }) => !entities || entities.corpus in further),
    })).filter(({ from }) => from.length > 0);
  const { unlabelled, ...rest } = model;
  return {
    ...rest,
    further,
    lexicons: lists(model.lexicons),
    names: lists(model.names),
    ...(unlabelled && unlabelled.corpus in further && { unlabelled }),
  };
}

function read(folder: string, path: string): string {
  const full = join(folder, path);
  if (!existsSync(full)) throw new Refusal(`${full} is not there`);
  return textIn(full);
}

function labelled(
  folder: string,
  path: string,
  types?: Readonly<Record<string, string>>,
): readonly LabelledText[] {
  const name = path.replace(/\.gz$/, "");
  return readTexts(read(folder, path), name, types && { types }).texts;
}

/** The texts with the entities of these types alone, which are called as ours are. */
function renamed(
  texts: readonly LabelledText[],
  types: Readonly<Record<string, string>>,
): LabelledText[] {
  return texts.map((one) => ({
    ...one,
    entities: one.entities.filter(({ type }) => type in types)
      .map((entity) => ({ ...entity, type: types[entity.type]! })),
  }));
}

/** The texts that have entities of a type, with names in their place; the same one for the same one in a text. */
export function exchanged(
  texts: readonly LabelledText[],
  type: string,
  names: readonly string[],
  seed: number,
): Pick<LabelledText, "text" | "entities">[] {
  const random = new PythonRandom(seed);
  return texts.filter(({ entities }) => entities.some((one) => one.type === type)).map((
    { text, entities },
  ) => {
    const chosen = new Map<string, string>();
    let made = "", at = 0;
    const moved = entities.map((entity) => {
      let surface = text.slice(entity.start, entity.end);
      if (entity.type === type) {
        // Drawn for each mention, whether it is needed or not: the committed figures' texts were.
        const drawn = random.pick(names);
        if (!chosen.has(surface)) chosen.set(surface, drawn);
        surface = chosen.get(surface)!;
      }
      made += text.slice(at, entity.start);
      const start = made.length;
      made += surface;
      at = entity.end;
      return { type: entity.type, start, end: made.length };
    });
    return { text: made + text.slice(at), entities: moved };
  });
}

/** The splits by name; the first is the one that the model is made with. */
function splitsOf(folder: string, model: Description): Map<string, Split> {
  const { file, types, test, seed, apart } = model.labelled;
  const texts = labelled(folder, file, types);
  const splits = new Map([
    ["random", shuffledSplit(texts, seed, test === undefined ? undefined : labelled(folder, test))],
  ]);
  if (apart) {
    const groups = groupsOf(texts, read(folder, file), apart.column);
    splits.set(apart.name, groupedSplit(texts, groups, seed));
  }
  return splits;
}

/** Makes the files of a description, unless the folder is there. */
export function makeModelData(out: string, folder: string, model: Description): void {
  if (existsSync(out)) return;
  const files: Record<string, string> = {};
  const splits = splitsOf(folder, model), { train, validation, test } = splits.get("random")!;
  const heldOut = new Set<string>();
  for (const [name, split] of splits) {
    for (const part of ["train", "validation", "test"] as const) {
      files[`${name}-${part}.jsonl`] = jsonl(split[part]);
      if (part !== "train") { for (const { where } of split[part]) heldOut.add(where); }
    }
    files[`${name}-sample.txt`] = split.train
      .map(({ text }) => text.replaceAll("\n", " ") + "\n").join("");
  }
  files["open.jsonl"] = jsonl(train.filter(({ where }) => !heldOut.has(where)));

  const corpora = new Map<string, readonly LabelledText[]>();
  for (const [name, { file, types, held }] of Object.entries(model.further)) {
    const all = labelled(folder, file);
    const order = held ? new PythonRandom(held.seed).shuffled(all) : all;
    const learnt = order.slice(held?.count ?? 0);
    corpora.set(name, learnt);
    files[`also-${name}.jsonl`] = jsonl(renamed(learnt, types));
    if (held) files[`held-${name}.jsonl`] = jsonl(renamed(order.slice(0, held.count), types));
  }

  const { reserved, unlabelled } = model;
  const kept = reserved ? reservedTerms(columnOf(folder, reserved.column), train) : [];
  if (reserved && kept.length > 0) {
    const asked = exchanged([...validation, ...test], reserved.type, kept, reserved.seed);
    files["unseen.jsonl"] = jsonl(asked);
  }
  const data: TermData = { folder, corpora, reserved: kept }, random = new PythonRandom(NAMES_SEED);
  const write = (kind: string, lists: readonly TermList[]): void => {
    for (const list of lists) {
      const terms = listTerms(list, data, random)!;
      files[`${kind}-${list.name}.txt`] = terms.map((term) => term + "\n").join("");
    }
  };
  write("vocabulary", model.vocabulary.terms ?? []);
  write("lexicon", model.lexicons);
  write("names", model.names);
  if (unlabelled) {
    const order = new PythonRandom(unlabelled.seed).shuffled(corpora.get(unlabelled.corpus)!);
    files["unlabelled.txt"] = order.slice(0, unlabelled.count)
      .map(({ text }) => text.replaceAll("\n", " ") + "\n").join("");
  }
  writeWhole(out, files);
}
