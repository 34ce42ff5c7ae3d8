/**
 * `edge-ner export`: a model to a folder of files that other engines load.
 *
 * The folder appears under its name only when it is whole (`replace.ts`) and was read back.
 *
 * @module
 */
import { Option } from "commander";
import type { Command } from "commander";
import { bundleFromFolder, withoutLexicons, writeExport } from "../../mod.ts";
import { readModelFiles } from "./files.ts";
import { MODEL_FORMS } from "./named.ts";
import { print } from "./output.ts";
import { checkFolder, replaceFolder } from "./replace.ts";
import { bytes as size, table } from "./table.ts";

interface ExportOptions {
  readonly output: string;
  readonly dtype: "f32" | "int8";
  readonly force?: boolean;
  readonly withoutLexicons?: boolean;
  readonly allowStripAccents?: boolean;
}

const HELP = `
Writes model.onnx (operator set 17; inputs input_ids, attention_mask and token_type_ids, any batch and
length), config.json, tokenizer.json, tokenizer_config.json and, for a model with a CRF, crf.safetensors.
--dtype int8 quantizes weights per output channel, and activations at run time with
DynamicQuantizeLinear. Engines know no CRF: what they call the best labels is without it.

Other engines compute no lexicon features: a model that was trained with some, as the default one was, is refused unless
--without-lexicons leaves them out. It finds less that way.

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
    .argument("<model>", MODEL_FORMS)
    .requiredOption("-o, --output <folder>", "folder to write")
    .addOption(
      new Option("--dtype <type>", "how the graph computes").choices(["f32", "int8"])
        .default("f32"),
    )
    .option("--without-lexicons", "write a model that was trained with lexicons as it is without")
    .option("--force", "write into a folder that holds something, over files of the same names")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs")
    .addHelpText("after", HELP)
    .action(exportModel);
}

async function exportModel(source: string, options: ExportOptions): Promise<void> {
  const { output, dtype, force = false, allowStripAccents } = options;
  checkFolder(output, { force });
  const whole = bundleFromFolder((await readModelFiles(source)).content, { allowStripAccents });
  const bundle = options.withoutLexicons ? withoutLexicons(whole) : whole;
  const files = writeExport(bundle, { dtype });
  await replaceFolder(output, files, {
    force,
    stale: ["crf.safetensors", "features.safetensors"],
    async check(copy) {
      bundleFromFolder((await readModelFiles(copy)).content, { allowStripAccents: true });
    },
  });

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
