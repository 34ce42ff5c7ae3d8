/**
 * What a folder with a model holds, and which of its files are read.
 *
 * | found in it                                              | read as                                  |
 * | -------------------------------------------------------- | ---------------------------------------- |
 * | `model.onnx`, or one `.onnx` of another name beside `config.json` | an export                       |
 * | `model.safetensors.index.json` or `model.safetensors`, beside `config.json` | a checkpoint          |
 * | one `.safetensors` or `.ner`                             | a package                                |
 *
 * The first that fits counts, and a package counts as one under whatever name. Whoever lists and reads the folder
 * hands both in; nothing here opens a file. Only names that the folder itself listed are ever asked for: the names
 * of external data that an ONNX file contains, and of shards that an index contains, are looked up in that list, so
 * `../../etc/passwd` is a missing file and not a path.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { ModelBundle } from "../model/bundle.ts";
import type { TokenizerOptions } from "../tokenizer/types.ts";
import { bundleFromCheckpoint, type CheckpointFiles } from "./hf/checkpoint.ts";
import { externalNames } from "./onnx/external.ts";
import { PACKAGE_FORMAT } from "./package/format.ts";
import { readPackage } from "./package/read.ts";
import { bundleFromExport, type ExportFiles } from "./read_export.ts";
import { readSafetensors } from "./safetensors/read.ts";

/** A folder's regular files. */
export interface Folder {
  /** Where it is, for messages. */
  readonly location: string;
  /** Names of the files that lie directly in it. */
  readonly names: readonly string[];
  /** Reads one of `names`; anything else is refused. */
  read(name: string): Promise<Uint8Array>;
}

/** The package in a folder, or the files of the export or of the checkpoint in it. */
export type FolderContent =
  | { readonly kind: "package"; readonly bytes: Uint8Array }
  | { readonly kind: "export"; readonly files: ExportFiles }
  | { readonly kind: "checkpoint"; readonly files: CheckpointFiles };

const GRAPH = "model.onnx";
const CHECKPOINT = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const CONFIG = "config.json";
const SHARD = /^model-\d+-of-\d+\.safetensors$/;

/** What lies beside an export or a checkpoint, by its role. */
const BESIDE = {
  tokenizer: "tokenizer.json",
  vocab: "vocab.txt",
  tokenizerConfig: "tokenizer_config.json",
  crf: "crf.safetensors",
  head: "head.safetensors",
} as const;

/** Lexicon features, which a checkpoint may have and a graph has not. */
const FEATURES = "features.safetensors";

type Beside = Partial<Record<keyof typeof BESIDE, Uint8Array>> & { config: Uint8Array };

/** The files of these names, those that the folder has. */
async function readListed(
  { names, read }: Folder,
  wanted: Iterable<string>,
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const name of wanted) if (names.includes(name)) found.set(name, await read(name));
  return found;
}

/** The files that an export and a checkpoint have in common; `model` is the one that they go with. */
async function readBeside(folder: Folder, model: string): Promise<Beside> {
  if (!folder.names.includes(CONFIG)) {
    throw new RuntimeError(
      "runtime/folder",
      `${folder.location} has ${model} but no config.json, which holds the names of the labels; it is saved ` +
        "with the model that was exported.",
    );
  }
  const found = await readListed(folder, [CONFIG, ...Object.values(BESIDE)]);
  const roles = Object.entries(BESIDE).map(([role, name]) => [role, found.get(name)]);
  return { config: found.get(CONFIG)!, ...Object.fromEntries(roles) };
}

async function readExport(folder: Folder, graph: string): Promise<FolderContent> {
  const beside = await readBeside(folder, graph), model = await folder.read(graph);
  // A missing file is the ONNX reader's to complain about: it knows the tensor.
  const external = await readListed(folder, externalNames(model));
  return { kind: "export", files: { model, external, ...beside } };
}

async function readFeatures({ names, read }: Folder): Promise<{ features?: Uint8Array }> {
  return names.includes(FEATURES) ? { features: await read(FEATURES) } : {};
}

/** Shards are all that look like one; which of them an index needs is for its reader to say. */
async function readShards(folder: Folder): Promise<FolderContent> {
  const beside = await readBeside(folder, INDEX), index = await folder.read(INDEX);
  const model = await readListed(folder, folder.names.filter((name) => SHARD.test(name)));
  return { kind: "checkpoint", files: { model, index, ...beside, ...await readFeatures(folder) } };
}

/**
 * Reads a folder.
 *
 * @param graph the ONNX file to take, one of the folder's names, whatever else it holds
 * @throws {RuntimeError} `runtime/folder` when it holds nothing of the table above
 * @throws {FormatError} `safetensors/...` and `onnx/...` when what it holds is damaged
 */
export async function readFolder(
  folder: Folder,
  { graph }: { readonly graph?: string } = {},
): Promise<FolderContent> {
  const { location, names } = folder, has = (name: string): boolean => names.includes(name);
  const graphs = names.filter((name) => /\.onnx$/i.test(name));
  const only = graphs.length === 1 && has(CONFIG) ? graphs[0] : undefined;
  const taken = graph ?? (has(GRAPH) ? GRAPH : only);
  if (taken !== undefined) return await readExport(folder, taken);
  if (has(INDEX) && has(CONFIG)) return await readShards(folder);
  if (has(CHECKPOINT) && has(CONFIG)) {
    const model = await folder.read(CHECKPOINT);
    // A package may have any name, this one too; it says what it is.
    if (readSafetensors(model).metadata.get("format") === PACKAGE_FORMAT) {
      return { kind: "package", bytes: model };
    }
    const beside = { ...await readBeside(folder, CHECKPOINT), ...await readFeatures(folder) };
    return { kind: "checkpoint", files: { model, ...beside } };
  }
  const packages = names.filter((name) => /\.(safetensors|ner)$/i.test(name) && !SHARD.test(name));
  if (packages.length === 1) return { kind: "package", bytes: await folder.read(packages[0]!) };
  const count = (files: readonly string[], what: string): string =>
    files.length === 0
      ? `no ${what}`
      : `${files.length} ${what}${files.length > 1 ? "s" : ""} (${files.slice(0, 3).join(", ")}${
        files.length > 3 ? ", ..." : ""
      })`;
  throw new RuntimeError(
    "runtime/folder",
    `${location} holds no model.onnx, but ${count(graphs, "other ONNX file")}, ` +
      `${count(packages, "packed model")} and ${
        has(CONFIG) ? "a" : "no"
      } config.json; expected an export ` +
      "(model.onnx, or one ONNX file of another name; config.json, tokenizer.json or vocab.txt, and " +
      "crf.safetensors for a CRF), a checkpoint (model.safetensors in the place of model.onnx), or exactly " +
      "one packed model (.safetensors or .ner)." +
      (has("pytorch_model.bin")
        ? " pytorch_model.bin is a pickle, which can run code and is never read; save the model as " +
          "safetensors."
        : ""),
  );
}

/**
 * The model in what a folder held.
 *
 * @throws what {@link readPackage}, {@link bundleFromExport} and {@link bundleFromCheckpoint} throw
 */
export function bundleFromFolder(content: FolderContent, options?: TokenizerOptions): ModelBundle {
  switch (content.kind) {
    case "package":
      return readPackage(content.bytes, options);
    case "export":
      return bundleFromExport(content.files, options);
    case "checkpoint":
      return bundleFromCheckpoint(content.files, options);
  }
}
