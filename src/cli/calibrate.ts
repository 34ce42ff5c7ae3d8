/**
 * `edge-ner calibrate`: a temperature that makes scores probabilities, fitted on labelled texts.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import {
  bundleFromFolder,
  type Calibration,
  CALIBRATION_BINS,
  calibrationOf,
  type CalibrationText,
  type Entity,
  fitTemperature,
  judgeEntities,
  type ModelBundle,
  Ner,
  readPackage,
  writePackage,
} from "../../mod.ts";
import type { LabelledText } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readModelFiles } from "./files.ts";
import { integer } from "./model.ts";
import { MODEL_FORMS } from "./named.ts";
import { complain, print } from "./output.ts";
import { checkFile, replaceFile } from "./replace.ts";
import { table } from "./table.ts";
import { readLabelled } from "./labelled.ts";
import { list } from "./train_data.ts";

interface CalibrateOptions {
  readonly data: readonly string[];
  readonly test?: readonly string[];
  readonly output?: string;
  readonly backend?: "int8" | "fp32";
  readonly threads?: number;
  readonly allowStripAccents?: boolean;
  readonly force?: boolean;
}

/** Texts that go through the model together. */
const BATCH = 32;

/** Entities of which the share that is right is known to a twentieth (its standard error at one half). */
const ENOUGH = 100;

const HELP = `
A score is the probability, under the model, that an entity is exactly right. Models are surer than they are right, and a
temperature by which all path scores are divided mends what is too high or too low alike (Guo et al., ICML 2017). It is fitted by the
logarithmic loss of the scores of what the model finds in --data; what is found, and emissions, stay the same.

Take texts that the model was not trained on: best those by which its epochs were chosen, and others for --test. The
expected calibration error is the mean distance between scores and the share that is right, over ${CALIBRATION_BINS} bins of scores.

Without --output nothing is written. The temperature stands in the package's metadata, and every runtime applies it.

Examples:
  edge-ner calibrate my-model.safetensors --data validation.jsonl
  edge-ner calibrate my-model.safetensors --data validation.jsonl --test test.jsonl -o calibrated.safetensors`;

function backendOf(value: string): "int8" | "fp32" {
  if (value === "int8" || value === "fp32") return value;
  throw new InvalidArgumentError("Expected int8 or fp32.");
}

/** Defines the command. */
export function calibrateCommand(program: Command): void {
  program.command("calibrate")
    .description("fit a temperature, so that scores are probabilities")
    .argument("<model>", MODEL_FORMS)
    .requiredOption("--data <file>", "labelled texts to fit it on; repeatable", list)
    .option("--test <file>", "other labelled texts to judge it by; repeatable", list)
    .option("-o, --output <file>", "write the calibrated model as a package")
    .option("-b, --backend <name>", "kernels to run (default: int8)", backendOf)
    .option("--threads <n>", "threads to use (default: one for each core)", integer(1, 64))
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .option("--force", "overwrite the output")
    .addHelpText("after", HELP)
    .action(calibrate);
}

/** What is found in texts, with its scores. */
async function found(ner: Ner, texts: readonly LabelledText[]): Promise<Entity[][]> {
  const entities: Entity[][] = [];
  for (let i = 0; i < texts.length; i += BATCH) {
    entities.push(...await ner.extractBatch(texts.slice(i, i + BATCH).map(({ text }) => text)));
  }
  return entities;
}

/** Emissions of texts, and which of the spans in them are right: those whose entities are. */
async function* judged(
  ner: Ner,
  texts: readonly LabelledText[],
  entities: readonly (readonly Entity[])[],
): AsyncGenerator<CalibrationText> {
  for (const [i, { text, entities: gold }] of texts.entries()) {
    const { tokens, data } = await ner.emissions(text), own = entities[i];
    const right = judgeEntities([gold], [own]);
    yield {
      emissions: data,
      isRight({ type, first, last }) {
        const start = tokens[first].start, end = tokens[last].end;
        // As the recogniser fits it to characters; spans of one text do not overlap.
        const at = own.findIndex((one) => one.type === type && one.start < end && start < one.end);
        return at >= 0 && right[at].right;
      },
    };
  }
}

async function calibrate(source: string, options: CalibrateOptions): Promise<void> {
  const { output, force = false, backend = "int8", threads, allowStripAccents } = options;
  if (output !== undefined) checkFile(output, { force });
  const read = (paths: readonly string[]) => paths.flatMap((path) => readLabelled(path));
  const texts = read(options.data), test = options.test && read(options.test);
  const bundle = bundleFromFolder((await readModelFiles(source)).content, { allowStripAccents });
  const before = bundle.temperature ?? 1;
  const run = async <T>(model: ModelBundle, use: (ner: Ner) => Promise<T>): Promise<T> => {
    const ner = await Ner.fromBundle(model, { backend, ...(threads && { threads }) });
    try {
      return await use(ner);
    } finally {
      ner.close();
    }
  };
  const errorOf = (gold: readonly LabelledText[], entities: Entity[][]): Calibration =>
    calibrationOf(judgeEntities(gold.map((one) => one.entities), entities));
  const { temperature, old } = await run(bundle, async (ner) => {
    const entities = await found(ner, texts), all: CalibrationText[] = [];
    for await (const text of judged(ner, texts, entities)) all.push(text);
    return {
      temperature: fitTemperature(all, bundle.weights.config.labels, bundle.crf),
      old: [errorOf(texts, entities), test && errorOf(test, await found(ner, test))] as const,
    };
  });
  if (old[0].entities === 0) {
    throw new UsageError(`${options.data.join(", ")}: the model finds nothing in it to fit to`);
  }
  // As it is told in four digits, so it is kept.
  const calibrated = { ...bundle, temperature: Number(temperature.toPrecision(4)) };
  const packed = output === undefined ? undefined : writePackage(calibrated);
  const model = packed ? readPackage(packed, { allowStripAccents }) : calibrated;
  const now = await run(model, async (ner) =>
    [
      errorOf(texts, await found(ner, texts)),
      test && errorOf(test, await found(ner, test)),
    ] as const);
  if (old[0].entities < ENOUGH) {
    complain(
      `warning: the model finds ${old[0].entities} entities in ${
        options.data.join(", ")
      }, and a temperature that is fitted ` +
        `to fewer than ${ENOUGH} may be far off`,
    );
  }
  const percent = (value: number): string => (100 * value).toFixed(2);
  const row = (name: string, was: Calibration, is: Calibration): string[] => [
    name,
    String(was.entities),
    percent(was.error),
    percent(is.error),
  ];
  const rows = [row(options.data.join(", "), old[0], now[0])];
  if (old[1] && now[1]) rows.push(row(options.test!.join(", "), old[1], now[1]));
  await print(
    `temperature ${calibrated.temperature} (before: ${before})\n\n` +
      table(["expected calibration error, %", "entities", "before", "after"], rows),
  );
  if (packed === undefined) return;
  await replaceFile(output!, packed, { force, check: () => {} });
  await print(`\n${output}: written\n`);
}
