/**
 * `edge-ner distill`: a student learns from teachers and from labelled texts.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { bundleFromFolder } from "../../mod.ts";
import type { CrfWeights, ModelBundle } from "../../mod.ts";
import { createTrainer, LESSONS, meanCrf, type Teacher, teacherOf } from "../../train.ts";
import type { DistillOptions, LabelledText } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readModelFiles } from "./files.ts";
import { readLines } from "./lines.ts";
import { decimal } from "./model.ts";
import { MODEL_FORMS } from "./named.ts";
import { complain } from "./output.ts";
import { parseLayers } from "./shrink.ts";
import { openText } from "./text_files.ts";
import { addTuningOptions, train, type TrainOptions } from "./train.ts";
import { addDataOptions, list } from "./train_data.ts";
import { addStartOptions } from "./train_start.ts";

/** What a student's CRF is: a copy of the teachers' that learns on or stays, one of its own from nothing, or none. */
const CRFS = ["teacher", "frozen", "learned", "none"] as const;

interface DistillCommandOptions
  extends Omit<TrainOptions, "crf">, Omit<DistillOptions, "states" | "attention"> {
  readonly teacher: readonly string[];
  readonly unlabelled?: readonly string[];
  readonly crf: typeof CRFS[number];
  readonly states?: readonly number[];
  readonly statesWeight: number;
  readonly attention?: readonly number[];
  readonly attentionWeight: number;
}

/** Most tokens of a batch where --batch-tokens does not say it, as in training. */
const TOKENS = 1024;

const HELP = `
The loss is a * labels + (1 - a) * T^2 * KL, where KL compares what a teacher and the student say of each token, both
divided by T. The defaults of --alpha and --temperature are those of arXiv 2605.25463. --lesson marginals compares the
distributions of their CRFs over label paths in the place of emissions.

--states names a layer of the teacher for each of the student's: the mean squared distance of their hidden states is added.
It takes one teacher, as wide as the student. --attention does the same with their attention: the divergence of what each
head looks at, or of the mean over heads where the teacher has more or fewer; any width will do.

Of several teachers the mean is taught. They must have the student's tokenizer and labels; a package of int8 weights
will do. What they say is computed once where the texts are the same in each epoch.

Teachers may have lexicons, and so may the student (--lexicon, --dictionary). A teacher that was trained with the same data
and lists sees what the student sees of each text: a dictionary that does not know it. Another sees all that its own say.

--crf teacher starts from the teacher's CRF and learns on, frozen keeps it as it is, learned starts from nothing, and
none has no CRF. --unlabelled names plain text, a line each, from which the student learns what its teachers say.

All else is as in "train": data, options, the output folder, --resume. Distillation without a teacher is "train --base
STUDENT", and a teacher without a CRF is one of "train --no-crf".

Examples:
  edge-ner distill --data train.jsonl --base my-student --teacher my-teacher -o my-run
  edge-ner distill --data train.jsonl --base my-student --teacher t1 --teacher t2 --unlabelled more.txt.gz -o my-run`;

/** Defines the command. */
export function distillCommand(program: Command): void {
  const command = program.command("distill")
    .description("teach a student by teachers and labelled texts")
    .requiredOption("-o, --output <folder>", "folder for the run and its model")
    .requiredOption("--teacher <model>", `${MODEL_FORMS}; repeatable`, list)
    .option("--alpha <x>", "weight of the labels' loss (default: 0.5)", decimal(0, 0.999999))
    .option("--temperature <x>", "what scores are divided by (default: 4)", decimal(1e-3, 1e3))
    .addOption(
      new Option("--lesson <name>", "what is learnt of a teacher (default: emissions)")
        .choices(LESSONS),
    )
    .option(
      "--states <list>",
      "also come near these layers of the teacher, like 1,5,9,12",
      parseLayers,
    )
    .option("--states-weight <x>", "weight of that", decimal(1e-9, 1e9), 1)
    .option("--attention <list>", "also attend like these layers of the teacher", parseLayers)
    .option("--attention-weight <x>", "weight of that", decimal(1e-9, 1e9), 1)
    .option("--unlabelled <file>", "plain text to learn from, too; repeatable", list)
    .addOption(new Option("--crf <name>", "the student's CRF").choices(CRFS).default("teacher"));
  addTuningOptions(addStartOptions(addDataOptions(command)))
    .addHelpText("after", HELP)
    .action(distill);
}

async function distill(options: DistillCommandOptions): Promise<void> {
  const { alpha, temperature, lesson, crf } = options;
  const bundles: ModelBundle[] = [];
  for (const path of options.teacher) {
    const { content } = await readModelFiles(path);
    bundles.push(
      bundleFromFolder(content, { allowStripAccents: options.allowStripAccents }),
    );
  }
  if ((crf === "teacher" || crf === "frozen") && bundles.every((teacher) => !teacher.crf)) {
    throw new UsageError(`no teacher has a CRF to copy; --crf learned or --crf none does without`);
  }
  const unlabelled = await readPlain(options.unlabelled ?? []);
  const teachers: Teacher[] = [];
  try {
    for (const bundle of bundles) {
      teachers.push(
        await teacherOf(
          (model, trainerOptions) =>
            createTrainer(model, {
              ...trainerOptions,
              ...(options.threads !== undefined && { threads: options.threads }),
            }),
          bundle,
          options.batchTokens ?? TOKENS,
          { attention: options.attention !== undefined },
        ),
      );
    }
    await train(
      {
        ...options,
        crf: crf !== "none",
        ...(crf === "frozen" && { crfRate: 0 }),
      },
      {
        teaching: {
          ...{ teachers, alpha, temperature, lesson, unlabelled },
          states: options.states && { layers: options.states, weight: options.statesWeight },
          attention: options.attention &&
            { layers: options.attention, weight: options.attentionWeight },
        },
        start: (model) => ({ ...model, crf: startingCrf(crf, teachers, model) }),
      },
    );
  } finally {
    for (const teacher of teachers) teacher.close();
  }
}

/** The CRF that a student begins with; undefined: of zeros. */
function startingCrf(
  crf: typeof CRFS[number],
  teachers: readonly Teacher[],
  { weights: { config: { labels } } }: ModelBundle,
): CrfWeights | undefined {
  const same = teachers.every((teacher) =>
    labels.length === teacher.labels.length && labels.every((one) => teacher.labels.includes(one))
  );
  // Of other labels nothing can be copied: the run refuses such teachers, and says why.
  return same && (crf === "teacher" || crf === "frozen") ? meanCrf(teachers, labels) : undefined;
}

/** Lines of plain text. */
async function readPlain(paths: readonly string[]): Promise<LabelledText[]> {
  const texts: LabelledText[] = [];
  for (const path of paths) {
    for await (const lines of readLines(openText(path), path, complain)) {
      for (const { text, number } of lines) {
        if (text.trim() !== "") {
          texts.push({ text, entities: [], where: `${path}, line ${number}` });
        }
      }
    }
  }
  return texts;
}
