/**
 * What a folder with a model must hold, and which of its files are read.
 *
 * An export (`model.onnx` and what goes with it); or a Hugging Face checkpoint (`config.json` and
 * `model.safetensors`, perhaps in shards); or exactly one package. Only names that the folder itself listed are
 * ever opened: the names of external data that an ONNX file contains, and of shards that an index contains,
 * are looked up in that list, so `../../etc/passwd` is a missing file and not a path.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { CheckpointFiles } from "../formats/hf/checkpoint.ts";
import type { TokenizerFiles } from "../formats/hf/tokenizer.ts";
import type { ExportFiles } from "../formats/read_export.ts";
import { decodeModel } from "../formats/onnx/proto.ts";
import { PACKAGE_FORMAT } from "../formats/package/format.ts";
import { readSafetensors } from "../formats/safetensors/read.ts";
import type { Folder } from "./source.ts";

const PACKAGE = /\.(safetensors|ner)$/i;

/** The package in a folder, or the files of the export or of the checkpoint in it. */
export type FolderContent =
  | { readonly package: Uint8Array }
  | { readonly export: ExportFiles }
  | { readonly checkpoint: CheckpointFiles };

const CHECKPOINT = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** The names under which an ONNX file keeps weights outside itself. */
function externalNames(onnx: Uint8Array): Set<string> {
  const tensors = decodeModel(onnx).graph?.initializer ?? [];
  return new Set(
    tensors.flatMap(({ externalData }) => externalData)
      .filter(({ key }) => key === "location").map(({ value }) => value),
  );
}

/** The files that an export and a checkpoint have in common. */
async function readCommon(
  { location, names, read }: Folder,
  found: string,
): Promise<TokenizerFiles & Pick<ExportFiles, "config" | "crf" | "head">> {
  const optional = async (name: string): Promise<Uint8Array | undefined> =>
    names.includes(name) ? await read(name) : undefined;
  const config = await optional("config.json");
  if (config === undefined) {
    throw new RuntimeError(
      "runtime/folder",
      `${location} has ${found} but no config.json, which holds the names of the labels.`,
    );
  }
  return {
    config,
    tokenizer: await optional("tokenizer.json"),
    vocab: await optional("vocab.txt"),
    tokenizerConfig: await optional("tokenizer_config.json"),
    crf: await optional("crf.safetensors"),
    head: await optional("head.safetensors"),
  };
}

async function readExport(folder: Folder): Promise<ExportFiles> {
  const { names, read } = folder;
  const common = await readCommon(folder, "model.onnx");
  const model = await read("model.onnx");
  const external = new Map<string, Uint8Array>();
  for (const name of externalNames(model)) {
    // A missing file is the ONNX reader's to complain about: it knows the tensor.
    if (names.includes(name)) external.set(name, await read(name));
  }
  return { model, external, ...common };
}

/** Shards are all that look like one; which of them an index needs is for its reader to say. */
async function readShards(folder: Folder): Promise<CheckpointFiles> {
  const { names, read } = folder;
  const common = await readCommon(folder, INDEX);
  const model = new Map<string, Uint8Array>();
  for (const name of names) {
    if (/^model-\d+-of-\d+\.safetensors$/.test(name)) model.set(name, await read(name));
  }
  return { model, index: await read(INDEX), ...common };
}

/**
 * Reads a folder.
 *
 * @throws RuntimeError `runtime/folder` when it holds no export, no checkpoint and not exactly one package;
 * FormatError `safetensors/...` when a checkpoint is damaged.
 */
export async function readFolder(folder: Folder): Promise<FolderContent> {
  const { location, names } = folder;
  if (names.includes("model.onnx")) return { export: await readExport(folder) };
  if (names.includes(INDEX)) return { checkpoint: await readShards(folder) };
  if (names.includes(CHECKPOINT) && names.includes("config.json")) {
    const model = await folder.read(CHECKPOINT);
    // A package may have any name, this one too; it says what it is.
    if (readSafetensors(model).metadata.get("format") === PACKAGE_FORMAT) return { package: model };
    return { checkpoint: { model, ...await readCommon(folder, CHECKPOINT) } };
  }
  const packages = names.filter((name) => PACKAGE.test(name));
  if (packages.length === 1) return { package: await folder.read(packages[0]) };
  const count = packages.length === 0
    ? "no package"
    : `${packages.length} packages (${packages.slice(0, 3).join(", ")})`;
  throw new RuntimeError(
    "runtime/folder",
    `${location} holds no model.onnx and ${count}; expected an export (model.onnx, config.json, ` +
      "tokenizer.json or vocab.txt, and crf.safetensors for a CRF), a checkpoint (model.safetensors in " +
      "the place of model.onnx), or exactly one packed model (.safetensors or .ner)." +
      (names.includes("pytorch_model.bin")
        ? " pytorch_model.bin is a pickle, which can run code and is never read; save the model as " +
          "safetensors."
        : ""),
  );
}
