/**
 * A model's files as bytes: a package, or an export or checkpoint with what lies beside it.
 *
 * `Ner.load` reads these, too, but hands out a recogniser; `convert`, `inspect` and `verify` need the
 * model itself, and `verify` takes graphs that are not called `model.onnx`. A name written in a model is
 * never opened: an external data file is one that lies beside the model and that the model mentions.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bundleFromCheckpoint, bundleFromExport, readPackage } from "../../mod.ts";
import type { CheckpointFiles, ExportFiles, ModelBundle } from "../../mod.ts";
import { UsageError } from "./errors.ts";

/** What an export holds besides its graph, by the role that it has for `bundleFromExport`. */
const BESIDE = {
  config: "config.json",
  tokenizer: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  vocab: "vocab.txt",
  crf: "crf.safetensors",
  head: "head.safetensors",
} as const;

const CHECKPOINT = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const SHARD = /^model-\d+-of-\d+\.safetensors$/;

/** An export: its graph and what was found beside it. */
export interface ExportSource {
  readonly kind: "export";
  /** The graph's path. */
  readonly path: string;
  readonly files: ExportFiles;
  /** Sizes in bytes of all files that were read. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** A Hugging Face checkpoint. */
export interface CheckpointSource {
  readonly kind: "checkpoint";
  /** The folder's path. */
  readonly path: string;
  readonly files: CheckpointFiles;
  /** Sizes in bytes of all files that were read. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** A package. */
export interface PackageSource {
  readonly kind: "package";
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Reads a whole file as a plain view, without the surprises of Node's Buffer. */
export function readBytes(path: string): Uint8Array {
  const buffer = readFileSync(path);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** A folder's files, read by name, and the sizes of those that were. */
class FolderReader {
  readonly names: readonly string[];
  readonly sizes: Record<string, number> = {};
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  }

  read(name: string): Uint8Array {
    const bytes = readBytes(join(this.#folder, name));
    this.sizes[name] = bytes.length;
    return bytes;
  }

  /** What lies beside a model, by role. */
  beside(): Omit<CheckpointFiles, "model" | "index"> {
    const read = (name: string): Uint8Array | undefined =>
      this.names.includes(name) ? this.read(name) : undefined;
    const config = read(BESIDE.config);
    if (!config) {
      throw new UsageError(
        `${this.#folder}: holds no config.json, which names the labels; export it, too`,
      );
    }
    return {
      config,
      tokenizer: read(BESIDE.tokenizer),
      tokenizerConfig: read(BESIDE.tokenizerConfig),
      vocab: read(BESIDE.vocab),
      crf: read(BESIDE.crf),
      head: read(BESIDE.head),
    };
  }
}

function readExport(folder: string, graph: string): ExportSource {
  const reader = new FolderReader(folder), known: readonly string[] = Object.values(BESIDE);
  const model = reader.read(graph), text = new TextDecoder("latin1").decode(model);
  const external = reader.names.filter((name) =>
    !known.includes(name) && !/\.onnx$/i.test(name) && text.includes(name)
  );
  const files: ExportFiles = {
    model,
    external: new Map(external.map((name) => [name, reader.read(name)])),
    ...reader.beside(),
  };
  return { kind: "export", path: join(folder, graph), files, sizes: reader.sizes };
}

/** A folder with `model.safetensors` or its shards, and config.json. */
function readCheckpoint(folder: string): CheckpointSource {
  const reader = new FolderReader(folder), { names, sizes } = reader;
  const model = names.includes(INDEX)
    ? new Map(names.filter((name) => SHARD.test(name)).map((name) => [name, reader.read(name)]))
    : reader.read(CHECKPOINT);
  const index = names.includes(INDEX) ? reader.read(INDEX) : undefined;
  return {
    kind: "checkpoint",
    path: folder,
    files: { model, index, ...reader.beside() },
    sizes,
  };
}

/** Any of the three. */
export type ModelFiles = ExportSource | CheckpointSource | PackageSource;

/**
 * Reads a package, an export or checkpoint, or an ONNX file with what lies beside it; a folder of any of
 * these.
 */
export function readModelFiles(path: string): ModelFiles {
  if (!statSync(path).isDirectory()) {
    if (/\.onnx$/i.test(path)) return readExport(dirname(path), basename(path));
    return { kind: "package", path, bytes: readBytes(path) };
  }
  const names = readdirSync(path);
  const graphs = names.filter((name) => /\.onnx$/i.test(name));
  if (graphs.includes("model.onnx")) return readExport(path, "model.onnx");
  if (graphs.length === 1) return readExport(path, graphs[0]);
  if (
    graphs.length === 0 && names.includes(BESIDE.config) &&
    (names.includes(INDEX) || names.includes(CHECKPOINT))
  ) return readCheckpoint(path);
  const packages = names.filter((name) => /\.(safetensors|ner)$/i.test(name));
  if (graphs.length === 0 && packages.length === 1) return readModelFiles(join(path, packages[0]));
  const what = graphs.length > 1
    ? `${graphs.length} ONNX files, none of them model.onnx`
    : `no ONNX file and ${packages.length || "no"} packed models`;
  throw new UsageError(
    `${path}: holds ${what}; expected an export with model.onnx, a checkpoint with ` +
      "model.safetensors and config.json, or one package",
  );
}

/** The model in these files. */
export function bundleOf(
  model: ModelFiles,
  allowStripAccents = false,
): ModelBundle {
  switch (model.kind) {
    case "package":
      return readPackage(model.bytes, { allowStripAccents });
    case "checkpoint":
      return bundleFromCheckpoint(model.files, { allowStripAccents });
    case "export":
      return bundleFromExport(model.files, { allowStripAccents });
  }
}
