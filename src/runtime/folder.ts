/**
 * What a folder with a model must hold, and which of its files are read.
 *
 * Either an export (`model.onnx` and what goes with it), or exactly one package. Only names that the folder
 * itself listed are ever opened: the names of external data that an ONNX file contains are looked up in
 * that list, so `../../etc/passwd` is a missing file and not a path.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { ExportFiles } from "../formats/export.ts";
import { decodeModel } from "../formats/onnx/proto.ts";
import type { Folder } from "./source.ts";

const PACKAGE = /\.(safetensors|ner)$/i;

/** The package in a folder, or the files of the export in it. */
export type FolderContent = { readonly package: Uint8Array } | { readonly export: ExportFiles };

/** The names under which an ONNX file keeps weights outside itself. */
function externalNames(onnx: Uint8Array): Set<string> {
  const tensors = decodeModel(onnx).graph?.initializer ?? [];
  return new Set(
    tensors.flatMap(({ externalData }) => externalData)
      .filter(({ key }) => key === "location").map(({ value }) => value),
  );
}

async function readExport({ location, names, read }: Folder): Promise<ExportFiles> {
  const optional = async (name: string): Promise<Uint8Array | undefined> =>
    names.includes(name) ? await read(name) : undefined;
  const config = await optional("config.json");
  if (config === undefined) {
    throw new RuntimeError(
      "runtime/folder",
      `${location} has model.onnx but no config.json, which holds the names of the labels.`,
    );
  }
  const model = await read("model.onnx");
  const external = new Map<string, Uint8Array>();
  for (const name of externalNames(model)) {
    // A missing file is the ONNX reader's to complain about: it knows the tensor.
    if (names.includes(name)) external.set(name, await read(name));
  }
  return {
    model,
    external,
    config,
    tokenizer: await optional("tokenizer.json"),
    vocab: await optional("vocab.txt"),
    tokenizerConfig: await optional("tokenizer_config.json"),
    crf: await optional("crf.safetensors"),
  };
}

/**
 * Reads a folder.
 *
 * @throws RuntimeError `runtime/folder` when it holds neither an export nor exactly one package.
 */
export async function readFolder(folder: Folder): Promise<FolderContent> {
  const { location, names } = folder;
  if (names.includes("model.onnx")) return { export: await readExport(folder) };
  const packages = names.filter((name) => PACKAGE.test(name));
  if (packages.length === 1) return { package: await folder.read(packages[0]) };
  const count = packages.length === 0
    ? "no package"
    : `${packages.length} packages (${packages.slice(0, 3).join(", ")})`;
  throw new RuntimeError(
    "runtime/folder",
    `${location} holds no model.onnx and ${count}; expected an export (model.onnx, config.json, ` +
      "tokenizer.json or vocab.txt, and crf.safetensors for a CRF), or exactly one packed model " +
      "(.safetensors or .ner).",
  );
}
