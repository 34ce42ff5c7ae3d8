/**
 * The stages of a reproduction: each a line of `edge-ner`, and how it is known that it is done.
 *
 * For each seed a teacher with a CRF and one without, students of both, their ablations, and an int8 package; of the first
 * seed the teacher with fewer layers, and what was tried of temperature and mixing, on validation texts. All models
 * are scored on the test texts by `eval --record`.
 *
 * @module
 */
import { join } from "node:path";
import type { ModelRecord } from "../../train.ts";
import type { SyntheticSizes } from "./data.ts";
import type { Stage } from "./stages.ts";
import { words } from "./words.ts";

/** What a reproduction is like: sizes and options of commands. */
export interface Sizes {
  readonly synthetic?: SyntheticSizes;
  /** Only the first file of the plain text is read. */
  readonly firstFile?: boolean;
  readonly unlabelled: number;
  readonly seeds: number;
  readonly vocab: readonly string[];
  readonly encoder: readonly string[];
  /** Nothing: teachers start from random weights. */
  readonly pretrain?: readonly string[];
  readonly teacher: readonly string[];
  readonly student: readonly string[];
  readonly layers: number;
  /** Layers of the teacher that the student keeps. */
  readonly kept: string;
  readonly truncations: readonly number[];
  readonly temperatures: readonly number[];
  readonly alphas: readonly number[];
}

/** Minutes on one core, made-up text. */
export const QUICK: Sizes = {
  synthetic: { train: 240, validation: 60, test: 120, text: 3000, unlabelled: 200 },
  unlabelled: 0,
  seeds: 2,
  vocab: words("--size 400"),
  encoder: words("--hidden 32 --layers 12 --heads 2 --feed-forward 64 --positions 64"),
  pretrain: words("--steps 60 --length 48 --batch-tokens 768 --rate 3e-3 --look 30"),
  teacher: words("--epochs 5 --rate 3e-3 --batch-texts 8"),
  student: words("--epochs 4 --rate 3e-3 --batch-texts 8"),
  layers: 12,
  kept: "1,5,9,12",
  truncations: [2, 4, 8],
  temperatures: [1, 4],
  alphas: [0.2, 0.8],
};

/**
 * An hour or two on one core, a real corpus: the paper's depths and every row of its tables, at a twelfth of its width. Models of
 * this size compare with one another, and with nothing else. Teachers start from random weights, because minutes of pretraining teach such an encoder
 * how frequent pieces are, and no more; and their gradients are clipped early, docs/reproduction.md says why.
 */
export const SMALL: Sizes = {
  firstFile: true,
  unlabelled: 2000,
  seeds: 3,
  vocab: words("--size 8000"),
  encoder: words("--hidden 64 --layers 12 --heads 2 --positions 512"),
  teacher: words("--epochs 5 --rate 1e-3 --warmup 0.15 --clip 0.1 --beta2 0.98 --average 0.99"),
  student: words("--epochs 4 --rate 1e-3 --clip 0.1 --beta2 0.98 --average 0.99"),
  layers: 12,
  kept: "1,5,9,12",
  truncations: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  temperatures: [1, 2, 8],
  alphas: [0.2, 0.8],
};

/** Hours on a few cores, a real corpus; the encoder as deep as the paper's and narrower. */
export const FULL: Sizes = {
  unlabelled: 20_000,
  seeds: 3,
  vocab: words("--size 16000"),
  encoder: words("--hidden 256 --layers 12 --heads 4 --positions 512"),
  pretrain: words("--steps 10000 --batch-tokens 4096 --save-steps 100"),
  teacher: words("--epochs 12 --save-steps 100 --average 0.99"),
  student: words("--epochs 15 --save-steps 100 --average 0.99"),
  layers: 12,
  kept: "1,5,9,12",
  truncations: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  temperatures: [1, 2, 4, 8],
  alphas: [0.1, 0.3, 0.5, 0.7, 0.9],
};

/** What is different in a student: options of `distill`, and its teacher. */
interface Ablation {
  readonly name: string;
  readonly args: readonly string[];
}

/** The paper's values. */
const ALPHA = 0.5, TEMPERATURE = 4;

/** All stages in order, for data in `OUT/data` and plain text in `text`. */
export function stagesOf(out: string, text: string, sizes: Sizes): Stage[] {
  const at = (...parts: string[]): string => join(out, ...parts);
  const results = at("results.jsonl");
  const data = (name: string): string => at("data", name);
  const labelled = [
    ...["--data", data("train.jsonl"), "--validation", data("validation.jsonl")],
    ...["--test-share", "0"],
  ];
  const resume = "--resume";
  const seeds = Array.from({ length: sizes.seeds }, (_, i) => i + 1);
  const stages: Stage[] = [];
  const add = (name: string, path: string, args: readonly string[]): void => {
    stages.push({ name, args, done: { path } });
  };
  const run = (name: string, folder: string, command: string, args: readonly string[]): void => {
    add(name, join(folder, "report.json"), [command, ...args, "-o", folder, resume]);
  };
  const score = (
    model: string,
    role: ModelRecord["role"],
    name: string,
    seed: number,
    { int8 = false, file = "test.jsonl", remove }: {
      int8?: boolean;
      file?: string;
      remove?: string;
    } = {},
  ): void => {
    const record = ["--record", results, "--as", role, "--name", name, "--seed", String(seed)];
    const backend = ["--backend", int8 ? "int8" : "fp32"];
    const ort = ["teacher", "student", "int8"].includes(role) ? ["--ort"] : [];
    stages.push({
      name: `score ${name}, seed ${seed}`,
      args: ["eval", data(file), "--model", model, ...backend, ...record, ...ort],
      done: { role, name, seed },
      ...(remove !== undefined && { remove }),
    });
  };

  add("vocabulary", at("vocab"), [
    ...["vocab", text, "--entities", data("train.jsonl"), "-o", at("vocab")],
    ...sizes.vocab,
  ]);
  const fresh = ["--fresh", at("vocab"), ...sizes.encoder];
  if (sizes.pretrain !== undefined) {
    const heldOut = ["validation.jsonl", "test.jsonl"];
    run("pretrain", at("encoder"), "pretrain", [
      ...[text, ...fresh, ...sizes.pretrain],
      // Made-up sentences are so much alike that all of them share something.
      ...(sizes.synthetic ? [] : heldOut.flatMap((file) => ["--without", data(file)])),
    ]);
  }
  const start = sizes.pretrain === undefined ? fresh : ["--base", at("encoder")];

  const teacherOf = (seed: number): string => at(`seed-${seed}`, "teacher");
  for (const seed of seeds) {
    const own = (name: string): string => at(`seed-${seed}`, name);
    const common = [...start, ...sizes.teacher, "--seed", String(seed), ...labelled];
    run(`teacher, seed ${seed}`, own("teacher"), "train", common);
    run(`teacher without a CRF, seed ${seed}`, own("teacher-plain"), "train", [
      ...common,
      "--no-crf",
    ]);
    score(own("teacher"), "teacher", "teacher", seed);
    score(own("teacher-plain"), "ablation", "teacher without a CRF", seed);
    for (const kind of ["teacher", "teacher-plain"]) {
      const student = own(kind.replace("teacher", "start"));
      add(`${kind}'s layers, seed ${seed}`, student, [
        ...["student", "--base", own(kind), "--layers", sizes.kept, "-o", student],
      ]);
    }
  }

  // The teacher with fewer layers, untrained.
  for (const count of sizes.truncations) {
    const folder = at("truncated", String(count));
    const first = Array.from({ length: count }, (_, i) => i + 1).join(",");
    add(`first ${count} layers`, folder, [
      ...["student", "--base", teacherOf(1), "--layers", first, "-o", folder],
    ]);
    score(folder, "truncation", `first ${count}`, 1, { remove: folder });
  }

  const distil = (seed: number, name: string, folder: string, args: readonly string[]): void =>
    run(`${name}, seed ${seed}`, folder, "distill", [
      ...[...labelled, ...sizes.student, "--seed", String(seed)],
      ...args,
    ]);
  const lesson = (alpha: number, temperature: number): string[] => [
    ...["--alpha", String(alpha), "--temperature", String(temperature)],
  ];
  const paper = lesson(ALPHA, TEMPERATURE);

  // Temperature and mixing, on validation texts.
  const tried = [
    ...sizes.temperatures.map((value) => ["temperature", value, lesson(ALPHA, value)] as const),
    ...sizes.alphas.map((value) => ["alpha", value, lesson(value, TEMPERATURE)] as const),
  ];
  for (const [option, value, args] of tried) {
    const name = `${option} ${value}`, folder = at("sweep", `${option}-${value}`);
    const from = ["--base", at("seed-1", "start"), "--teacher", teacherOf(1)];
    distil(1, name, folder, [...from, ...args]);
    score(folder, "sweep", name, 1, { file: "validation.jsonl" });
  }

  for (const seed of seeds) {
    const own = (name: string): string => at(`seed-${seed}`, name);
    const base = ["--base", own("start")], teacher = ["--teacher", own("teacher")];
    distil(seed, "student", own("student"), [...base, ...teacher, ...paper]);
    score(own("student"), "student", "student", seed);
    const packed = own("student.safetensors");
    add(`int8, seed ${seed}`, packed, ["convert", own("student"), "-o", packed]);
    score(packed, "int8", "int8", seed, { int8: true });

    run(`no distillation, seed ${seed}`, own("alone"), "train", [
      ...[...labelled, ...sizes.student, "--seed", String(seed), ...base],
    ]);
    score(own("alone"), "ablation", "no distillation", seed);
    const plain = ["--base", own("start-plain"), "--teacher", own("teacher-plain"), ...paper];
    const ablations: readonly Ablation[] = [
      { name: "teacher without a CRF, student with one", args: [...plain, "--crf", "learned"] },
      { name: "neither with a CRF", args: [...plain, "--crf", "none"] },
      {
        name: "the teacher's CRF, frozen",
        args: [...base, ...teacher, ...paper, "--crf", "frozen"],
      },
      {
        name: "a CRF of its own, from nothing",
        args: [...base, ...teacher, ...paper, "--crf", "learned"],
      },
      { name: "no CRF", args: [...base, ...teacher, ...paper, "--crf", "none"] },
      {
        name: "the CRF's marginals",
        args: [...base, ...teacher, ...lesson(ALPHA, 1), "--lesson", "marginals"],
      },
      {
        name: "hidden states, too",
        args: [...base, ...teacher, ...paper, "--states", sizes.kept, "--states-weight", "0.1"],
      },
      {
        name: `the teachers of ${sizes.seeds} seeds`,
        args: [...base, ...seeds.flatMap((one) => ["--teacher", teacherOf(one)]), ...paper],
      },
      {
        name: "unlabelled text, too",
        args: [...base, ...teacher, ...paper, "--unlabelled", data("unlabelled.txt")],
      },
      {
        name: "random weights to start from",
        args: [...fresh, "--layers", "4", ...teacher, ...paper],
      },
      { name: "attention, too", args: [...base, ...teacher, ...paper, "--attention", sizes.kept] },
    ];
    ablations.forEach(({ name, args }, i) => {
      const folder = own(`ablation-${i + 1}`);
      distil(seed, name, folder, args);
      score(folder, "ablation", name, seed);
    });
  }

  add("report", at("report"), [
    ...["report", results, "-o", at("report"), "--note", noteOf(sizes)],
    ...["--run", `teacher=${teacherOf(1)}`, "--run", `student=${at("seed-1", "student")}`],
    ...["--run", `student, no distillation=${at("seed-1", "alone")}`],
  ]);
  return stages;
}

/** What the report says of the sizes. */
function noteOf({ vocab, encoder, pretrain, teacher, student, seeds, unlabelled }: Sizes): string {
  const lines = pretrain === undefined
    ? { vocab, train: [...encoder, ...teacher], distill: student }
    : { vocab, pretrain: [...encoder, ...pretrain], train: teacher, distill: student };
  const options = Object.entries(lines).map(([name, args]) => `\`${name} ${args.join(" ")}\``);
  return `Sizes of this run: ${options.join(", ")}; ${seeds} seeds` +
    (unlabelled > 0 ? `; ${unlabelled} texts without labels.` : ".");
}
