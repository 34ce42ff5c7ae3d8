/**
 * `edge-ner export`: a model to a folder of files that other engines load.
 *
 * The folder appears under its name only when it is whole: it is written beside its place, read back, and
 * then renamed. In a folder that is there already, the files are exchanged one by one, each whole, and what
 * else lies in it is left alone.
 *
 * Weak: while files of an old export are exchanged, a reader can meet some of either.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import { writeExport } from "../../mod.ts";
import { writeNew } from "./convert.ts";
import { UsageError } from "./errors.ts";
import { bundleOf, readModelFiles } from "./files.ts";
import { print } from "./output.ts";
import { bytes as size, table } from "./table.ts";

interface ExportOptions {
  readonly output: string;
  readonly dtype: "f32" | "int8";
  readonly force?: boolean;
  readonly allowStripAccents?: boolean;
}

const HELP = `
Writes model.onnx (operator set 17; inputs input_ids, attention_mask and token_type_ids, any batch and
length), config.json, tokenizer.json, tokenizer_config.json and, for a model with a CRF, crf.safetensors.
--dtype int8 quantizes weights per output channel, and activations at run time with
DynamicQuantizeLinear. Engines know no CRF: what they call the best labels is without it.

In transformers.js the folder loads with
  pipeline("token-classification", folder, { subfolder: "", dtype: "fp32" })
where dtype only says which file: it is model.onnx for either --dtype.

Examples:
  edge-ner export my-model.safetensors -o ./my-export
  edge-ner export my-model.safetensors -o ./my-export-int8 --dtype int8
  edge-ner verify ./my-export`;

/** Defines the command. */
export function exportCommand(program: Command): void {
  program.command("export")
    .description("write a model as ONNX, for other engines")
    .argument("<model>", "packed model, export folder or .onnx file")
    .requiredOption("-o, --output <folder>", "folder to write")
    .addOption(
      new Option("--dtype <type>", "how the graph computes").choices(["f32", "int8"])
        .default("f32"),
    )
    .option("--force", "write into a folder that holds something, over files of the same names")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .addHelpText("after", HELP)
    .action(exportModel);
}

/** Says what is wrong with writing a folder to `path`, before any work is done. */
function checkFolder(path: string, force: boolean): void {
  const parent = dirname(resolve(path));
  if (!existsSync(parent) || !statSync(parent).isDirectory()) {
    throw new UsageError(`${path}: ${parent} is not a folder`);
  }
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) throw new UsageError(`${path}: is a file, not a folder`);
  if (!force && readdirSync(path).length > 0) {
    throw new UsageError(`${path}: holds files already; --force writes over those of an export`);
  }
}

/**
 * Writes a folder of files. A new one is either not there or whole; in an old one each file is. `check` gets
 * the path of the copy that is to get the name; what it throws leaves everything as it was. `stale` are
 * names that must not stay behind in an old folder.
 */
export function replaceFolder(
  path: string,
  files: ReadonlyMap<string, Uint8Array>,
  force: boolean,
  check: (copy: string) => void,
  stale: readonly string[] = [],
): void {
  // In the same folder, so that renaming never copies; resolved, since `.` lies in no folder by name.
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  try {
    mkdirSync(temporary);
    for (const [name, bytes] of files) writeNew(join(temporary, name), bytes);
    check(temporary);
    // Someone else may have made it meanwhile.
    checkFolder(path, force);
    if (!existsSync(path)) renameSync(temporary, target);
    else {
      // The graph comes first among `files` and last into the folder, which without it is no export.
      for (const name of [...files.keys()].reverse()) {
        renameSync(join(temporary, name), join(path, name));
      }
      for (const name of stale) if (!files.has(name)) rmSync(join(path, name), { force: true });
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function exportModel(source: string, options: ExportOptions): Promise<void> {
  const { output, dtype, force = false, allowStripAccents } = options;
  checkFolder(output, force);
  const bundle = bundleOf(readModelFiles(source), allowStripAccents);
  const files = writeExport(bundle, { dtype });
  replaceFolder(output, files, force, (copy) => {
    bundleOf(readModelFiles(copy), true);
  }, ["crf.safetensors"]);

  const { wordEmbedding, layers } = bundle.weights;
  const packed = [wordEmbedding, layers[0].up.weight].some(({ type }) => type !== "f32");
  const rows = [...files].map(([name, bytes]) => [name, size(bytes.length)]);
  const total = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  await print(
    `${output}: ${files.size} files, ${size(total)}; read back\n\n` +
      table(["file", "size"], rows) +
      (dtype === "f32" && packed
        ? `\n${source} is quantized: the float32 weights are what its integers stand for.\n`
        : ""),
  );
}
