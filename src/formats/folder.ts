/**
 * What a folder with a model holds, and which of its files are read.
 *
 * | found in it                                              | read as                                  |
 * | -------------------------------------------------------- | ---------------------------------------- |
 * | `model.onnx`, or one `.onnx` of another name beside `config.json`; `onnx/model.onnx` | an export    |
 * | `model.safetensors.index.json` or `model.safetensors`, beside `config.json` | a checkpoint          |
 * | beside `config.json` or in `onnx/`: `model_fp16.onnx`, `model_quantized.onnx` or another of {@link GRAPHS} | an export |
 * | one `.safetensors` or `.ner`                             | a package                                |
 *
 * The first that fits counts, and a package counts as one under whatever name. So it is the float32 weights that are
 * taken where there are some, which are quantized here better than twice over; `dtype` asks for others. The files that
 * go with a graph in `onnx/` lie above it, as on the Hugging Face hub, or beside it. Of a folder of
 * sentence-transformers' older layout, `0_Transformer/` is read.
 *
 * Whoever lists and reads the folder hands both in; nothing here opens a file. Only names that the folder itself listed
 * are ever asked for: the names of external data that an ONNX file contains, and of shards that an index contains, are
 * looked up in that list, so `../../etc/passwd` is a missing file and not a path.
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
  /** Names of the files in it; of those in a folder within it ({@link SUBFOLDERS}), `onnx/model.onnx`. */
  readonly names: readonly string[];
  /** Reads one of `names`; anything else is refused. */
  read(name: string): Promise<Uint8Array>;
}

/** The package in a folder, or the files of the export or of the checkpoint in it. */
export type FolderContent =
  | { readonly kind: "package"; readonly bytes: Uint8Array }
  | { readonly kind: "export"; readonly files: ExportFiles }
  | { readonly kind: "checkpoint"; readonly files: CheckpointFiles };

/** Types of the weights that a graph may have, as transformers.js names them, and their files' names on the hub. */
export const GRAPHS = {
  fp32: "model.onnx",
  fp16: "model_fp16.onnx",
  q8: "model_quantized.onnx",
  int8: "model_int8.onnx",
  uint8: "model_uint8.onnx",
  q4f16: "model_q4f16.onnx",
  q4: "model_q4.onnx",
  bnb4: "model_bnb4.onnx",
} as const;

/** Type of a graph's weights. */
export type GraphType = keyof typeof GRAPHS;

/** Where the hub keeps graphs. */
const ONNX = "onnx/";

/** The folder of the encoder in sentence-transformers' older layout. */
const TRANSFORMER = "0_Transformer/";

/** Folders within a folder that belong to a model. */
export const SUBFOLDERS: readonly string[] = [ONNX, TRANSFORMER];

/** Where a graph of a type may lie, the first place first. */
export function placesOf(type: GraphType): readonly string[] {
  return [GRAPHS[type], ONNX + GRAPHS[type]];
}

/** What a caller may ask for of a folder that holds several graphs. */
export interface GraphChoice {
  /** The ONNX file to take, one of the folder's names, whatever else it holds. */
  readonly graph?: string | undefined;
  /** The type that its weights have, by which it is named ({@link GRAPHS}). */
  readonly dtype?: GraphType | undefined;
}

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

/**
 * The files that an export and a checkpoint have in common; `model` is the one that they go with, above which they lie or
 * beside it.
 */
async function readBeside(folder: Folder, model: string): Promise<Beside> {
  const place = (name: string): string =>
    folder.names.includes(name) ? name : folderOf(model) + name;
  if (!folder.names.includes(place(CONFIG))) {
    throw new RuntimeError(
      "runtime/folder",
      `${folder.location} has ${model} but no config.json, which holds the names of the labels; it is saved ` +
        "with the model that was exported.",
    );
  }
  const found = await readListed(folder, [CONFIG, ...Object.values(BESIDE)].map(place));
  const roles = Object.entries(BESIDE).map(([role, name]) => [role, found.get(place(name))]);
  return { config: found.get(place(CONFIG))!, ...Object.fromEntries(roles) };
}

/** The folder within the folder that a name is of, with its slash; empty for one directly in it. */
function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

async function readExport(folder: Folder, graph: string): Promise<FolderContent> {
  const beside = await readBeside(folder, graph), model = await folder.read(graph);
  // A missing file is the ONNX reader's to complain about: it knows the tensor.
  const at = folderOf(graph), names = [...externalNames(model)];
  const found = await readListed(folder, names.map((name) => at + name));
  const external = new Map([...found].map(([name, data]) => [name.slice(at.length), data]));
  return { kind: "export", files: { model, external, ...beside } };
}

/** The graph of a type; throws {@link RuntimeError} `runtime/folder` where there is none. */
function graphOf({ location, names }: Folder, dtype: GraphType): string {
  const found = placesOf(dtype).find((name) => names.includes(name));
  if (found !== undefined) return found;
  const graphs = names.filter((name) => /\.onnx$/i.test(name));
  throw new RuntimeError(
    "runtime/folder",
    `${location} has no graph of dtype ${JSON.stringify(dtype)} (${
      GRAPHS[dtype]
    }, in it or in onnx/); ` +
      (graphs.length === 0 ? "it has no ONNX file." : `it has ${graphs.slice(0, 8).join(", ")}.`),
  );
}

/** A folder within a folder. */
function within({ location, names, read }: Folder, name: string): Folder {
  return {
    location: `${location.replace(/\/$/, "")}/${name.slice(0, -1)}`,
    names: names.filter((own) => own.startsWith(name)).map((own) => own.slice(name.length)),
    read: (own) => read(name + own),
  };
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
 * @throws {RuntimeError} `runtime/folder` when it holds nothing of the table above
 * @throws {FormatError} `safetensors/...` and `onnx/...` when what it holds is damaged
 */
export async function readFolder(
  folder: Folder,
  { graph, dtype }: GraphChoice = {},
): Promise<FolderContent> {
  const { location, names } = folder, has = (name: string): boolean => names.includes(name);
  if (!has(CONFIG) && has(TRANSFORMER + CONFIG) && graph === undefined) {
    return await readFolder(within(folder, TRANSFORMER), { dtype });
  }
  const graphs = names.filter((name) => /^[^/]*\.onnx$/i.test(name));
  const only = graphs.length === 1 && has(CONFIG) ? graphs[0] : undefined;
  const first = (...types: readonly GraphType[]): string | undefined =>
    types.flatMap(placesOf).find(has);
  const asked = graph ?? (dtype && graphOf(folder, dtype));
  const taken = asked ?? (has(GRAPHS.fp32) ? GRAPHS.fp32 : only ?? first("fp32"));
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
  const [, ...smaller] = Object.keys(GRAPHS) as GraphType[], other = first(...smaller);
  if (other !== undefined && (has(CONFIG) || has(folderOf(other) + CONFIG))) {
    return await readExport(folder, other);
  }
  const packages = names.filter((name) =>
    /^[^/]*\.(safetensors|ner)$/i.test(name) && !SHARD.test(name)
  );
  if (packages.length === 1) return { kind: "package", bytes: await folder.read(packages[0]!) };
  const count = (files: readonly string[], what: string): string =>
    files.length === 0
      ? `no ${what}`
      : `${files.length} ${what}${files.length > 1 ? "s" : ""} (${files.slice(0, 3).join(", ")}${
        files.length > 3 ? ", ..." : ""
      })`;
  throw new RuntimeError(
    "runtime/folder",
    `${location} holds no model.onnx; found ${count(graphs, "other ONNX file")}, ` +
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
