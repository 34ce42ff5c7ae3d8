/**
 * The stages that make a model of a description: each a line of `edge-ner`.
 *
 * A vocabulary; models from random weights, as many as there are starts; where there is more than one, a student that learns
 * from their mean; the package, rounded by training texts, with its temperature; scores. Where texts are split a second time,
 * as many models of that split, whose test tells how others of these models would do on what they know nothing of.
 *
 * Nothing is chosen by test texts: training sees validation texts alone, and tests are scored last.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { Stage } from "../reproduce/stages.ts";
import type { Description, TermList } from "./descriptions.ts";

/** What a plan is told beside its model. */
export interface PlanOptions {
  /** The data folder. */
  readonly data: string;
  /** Learn a vocabulary where one could be taken from a package. */
  readonly learnVocabulary: boolean;
}

/** What the records of `eval` call a start, the model that learnt of several, and the package. */
const ROLES = { teacher: "start", student: "student", int8: "package" } as const;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** All stages in order, for files in `OUT/data` as `data.ts` makes them. */
export function stagesOf(out: string, model: Description, options: PlanOptions): Stage[] {
  const at = (...parts: string[]): string => join(out, ...parts);
  const file = (name: string): string => at("data", name);
  const many = (option: string, values: readonly string[]): string[] =>
    values.flatMap((value) => [option, value]);
  const typed = (option: string, kind: string, lists: readonly TermList[]): string[] =>
    many(option, lists.map(({ name, type }) => `${type}=${file(`${kind}-${name}.txt`)}`));
  const results = at("results.jsonl");
  const stages: Stage[] = [];
  const add = (name: string, path: string, args: readonly string[]): void => {
    stages.push({ name: `${model.name}: ${name}`, args, done: { path } });
  };
  const score = (
    role: keyof typeof ROLES,
    name: string,
    seed: number,
    path: string,
    texts: string,
  ): void => {
    stages.push({
      name: `${model.name}: score ${ROLES[role]}, ${name}, seed ${seed}`,
      args: [
        ...["eval", file(texts), "--model", path, "--backend", role === "int8" ? "int8" : "fp32"],
        ...["--record", results, "--as", role, "--name", name, "--seed", String(seed)],
      ],
      done: { role, name, seed },
    });
  };

  const { kept, texts, terms = [], options: sizes } = model.vocabulary,
    vocabulary = at("vocabulary");
  add(
    "vocabulary",
    vocabulary,
    kept !== undefined && !options.learnVocabulary
      ? ["export", join(ROOT, kept), "-o", vocabulary]
      : [
        "vocab",
        ...texts.map((path) => join(options.data, path)),
        ...terms.map(({ name }) => file(`vocabulary-${name}.txt`)),
        ...["--entities", file("open.jsonl"), "-o", vocabulary, ...sizes],
      ],
  );

  const corpora = Object.entries(model.further);
  const types = [...new Set(corpora.flatMap(([, { types }]) => Object.values(types)))];
  const partial = [
    ...many("--also", corpora.map(([name]) => file(`also-${name}.jsonl`))),
    ...many("--also-type", types.map((type) => `${type}=${type}`)),
  ];
  const lessons = (split: string): string[] => [
    ...["--data", file(`${split}-train.jsonl`)],
    // The test texts are for the end: what a run reports on are those that it was chosen by.
    ...many("--validation", [file(`${split}-validation.jsonl`)]),
    ...many("--test", [file(`${split}-validation.jsonl`)]),
    ...(corpora.length > 0 ? model.training : withoutFurther(model.training)),
    ...typed("--names", "names", model.names),
    ...typed("--lexicon", "lexicon", model.lexicons),
    ...partial,
    "--resume",
  ];
  const seeds = Array.from({ length: model.starts }, (_, i) => i + 1);
  const start = (split: string, seed: number): string => {
    const folder = at(`${split}-${seed}`);
    add(`${split}, seed ${seed}`, join(folder, "report.json"), [
      ...["train", ...lessons(split), "--fresh", vocabulary, ...model.encoder, ...model.train],
      ...["--seed", String(seed), "-o", folder],
    ]);
    return folder;
  };
  const starts = seeds.map((seed) => start("random", seed));
  let made = starts[0]!;
  if (starts.length > 1) {
    const folder = at("distilled");
    add("student", join(folder, "report.json"), [
      ...["distill", ...lessons("random"), "--base", made, ...many("--teacher", starts)],
      ...(model.unlabelled ? ["--unlabelled", file("unlabelled.txt")] : []),
      ...[...model.distill, "--seed", "1", "-o", folder],
    ]);
    made = folder;
  }
  const plain = at("plain.safetensors"), packed = at(`${model.name}-int8.safetensors`);
  const pack = (name: string, from: string, split: string, to: string): void =>
    add(name, to, [
      ...["convert", from, "-o", to, ...model.convert, ...shifting(model)],
      ...["--sample", file(`${split}-sample.txt`)],
    ]);
  pack("package", made, "random", plain);
  add("temperature", packed, [
    ...["calibrate", plain, "--data", file("random-validation.jsonl"), "-o", packed],
  ]);

  const held = corpora.filter(([, { held }]) => held).map(([name]) => `held-${name}`);
  for (const name of ["random-validation", ...held, ...(model.reserved ? ["unseen"] : [])]) {
    score("int8", name, 1, packed, `${name}.jsonl`);
  }
  if (model.labelled.apart) {
    const { name } = model.labelled.apart;
    for (const seed of seeds) {
      const own = at(`${name}-${seed}.safetensors`);
      pack(`${name}, seed ${seed}, package`, start(name, seed), name, own);
      score("int8", `${name}-test`, seed, own, `${name}-test.jsonl`);
    }
  }
  starts.forEach((path, i) => score("teacher", "random-test", i + 1, path, "random-test.jsonl"));
  if (made !== starts[0]) score("student", "random-test", 1, made, "random-test.jsonl");
  score("int8", "random-test", 1, packed, "random-test.jsonl");
  return stages;
}

/** Options of `convert` for a description's shifts: one at all words, and what is added to it at unknown ones. */
function shifting({ shifts = {} }: Description): string[] {
  return Object.entries(shifts).flatMap(([type, { known, unknown }]) => [
    ...(known === 0 ? [] : ["--shift", `${type}=${known}`]),
    ...["--shift-unknown", `${type}=${Number((unknown - known).toFixed(6))}`],
  ]);
}

/** Options without those that only further corpora have. */
function withoutFurther(options: readonly string[]): string[] {
  const at = options.indexOf("--also-texts");
  return at < 0 ? [...options] : options.toSpliced(at, 2);
}
