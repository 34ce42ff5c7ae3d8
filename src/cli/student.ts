/**
 * `edge-ner student`: some layers of a teacher, as the model that a student starts from.
 *
 * @module
 */
import type { Command } from "commander";
import { bundleFromFolder, chooseLayers, writeCheckpoint } from "../../mod.ts";
import { parseLayers } from "./shrink.ts";
import { readModelFiles } from "./files.ts";
import { MODEL_FORMS } from "./named.ts";
import { print } from "./output.ts";
import { checkFolder, replaceFolder } from "./replace.ts";
import { bytes } from "./table.ts";

interface StudentOptions {
  readonly base: string;
  readonly layers: readonly number[];
  readonly output: string;
  readonly allowStripAccents?: boolean;
  readonly force?: boolean;
}

const HELP = `
Layers are counted from 1, as in arXiv 2605.25463, whose student has the layers 1, 5, 9 and 12 of its teacher. They are
copied as they are, and so are the embeddings, the classifier and the CRF; config.json says how many layers there are.
Such a model finds little until it is trained ("train --base") or distilled ("distill --base").

Examples:
  edge-ner student --base my-teacher --layers 1,5,9,12 -o my-student`;

/** Defines the command. */
export function studentCommand(program: Command): void {
  program.command("student")
    .description("keep some layers of a model, for a student to start from")
    .requiredOption("--base <model>", `teacher: ${MODEL_FORMS}`)
    .requiredOption("--layers <list>", "layers to keep, from 1, ascending", parseLayers)
    .requiredOption("-o, --output <folder>", "folder for the checkpoint")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .option("--force", "write over a checkpoint")
    .addHelpText("after", HELP)
    .action(student);
}

async function student(options: StudentOptions): Promise<void> {
  const { base, layers, output, force = false, allowStripAccents } = options;
  checkFolder(output, { force });
  const teacher = bundleFromFolder((await readModelFiles(base)).content, { allowStripAccents });
  // Its scores have to be calibrated anew.
  const weights = chooseLayers(teacher.weights, layers);
  const files = writeCheckpoint({ ...teacher, weights, temperature: undefined });
  await replaceFolder(output, files, {
    force,
    check: () => {},
    stale: ["crf.safetensors", "features.safetensors"],
  });
  const size = files.get("model.safetensors")!.length;
  await print(
    `${output}: layers ${layers.join(", ")} of ${teacher.weights.config.layers}, ${
      bytes(size)
    } in ` +
      `float32\nTeach it: edge-ner distill --data FILE --base ${output} --teacher ${base} -o RUN\n`,
  );
}
