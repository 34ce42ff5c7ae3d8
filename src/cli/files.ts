/**
 * A model's files as bytes: a package, or an export with what lies beside it.
 *
 * `Ner.load` reads these, too, but hands out a recogniser; `convert`, `inspect` and `verify` need the
 * model itself, and `verify` takes graphs that are not called `model.onnx`. A name written in a model is
 * never opened: an external data file is one that lies beside the model and that the model mentions.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bundleFromExport, readPackage } from "../../mod.ts";
import type { ExportFiles, ModelBundle } from "../../mod.ts";
import { UsageError } from "./errors.ts";

/** What an export holds besides its graph, by the role that it has for `bundleFromExport`. */
const BESIDE = {
  config: "config.json",
  tokenizer: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  vocab: "vocab.txt",
  crf: "crf.safetensors",
} as const;

/** An export: its graph and what was found beside it. */
export interface ExportSource {
  readonly kind: "export";
  /** The graph's path. */
  readonly path: string;
  readonly files: ExportFiles;
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

function readExport(folder: string, graph: string): ExportSource {
  const onnx = readFileSync(join(folder, graph));
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && entry.name !== graph).map((entry) => entry.name);
  const sizes: Record<string, number> = { [graph]: onnx.length };
  const read = (name: string): Uint8Array => {
    const bytes = readBytes(join(folder, name));
    sizes[name] = bytes.length;
    return bytes;
  };
  const beside = (name: string): Uint8Array | undefined =>
    names.includes(name) ? read(name) : undefined;
  const config = beside(BESIDE.config);
  if (!config) {
    throw new UsageError(`${folder}: holds no config.json, which names the labels; export it, too`);
  }
  const known: readonly string[] = Object.values(BESIDE);
  const external = names.filter((name) =>
    !known.includes(name) && !/\.onnx$/i.test(name) && onnx.includes(name)
  );
  const files: ExportFiles = {
    model: new Uint8Array(onnx.buffer, onnx.byteOffset, onnx.byteLength),
    external: new Map(external.map((name) => [name, read(name)])),
    config,
    tokenizer: beside(BESIDE.tokenizer),
    tokenizerConfig: beside(BESIDE.tokenizerConfig),
    vocab: beside(BESIDE.vocab),
    crf: beside(BESIDE.crf),
  };
  return { kind: "export", path: join(folder, graph), files, sizes };
}

/** Reads a package, an export, or an ONNX file with what lies beside it; a folder of any of these. */
export function readModelFiles(path: string): ExportSource | PackageSource {
  if (!statSync(path).isDirectory()) {
    if (/\.onnx$/i.test(path)) return readExport(dirname(path), basename(path));
    return { kind: "package", path, bytes: readBytes(path) };
  }
  const names = readdirSync(path);
  const graphs = names.filter((name) => /\.onnx$/i.test(name));
  if (graphs.includes("model.onnx")) return readExport(path, "model.onnx");
  if (graphs.length === 1) return readExport(path, graphs[0]);
  const packages = names.filter((name) => /\.(safetensors|ner)$/i.test(name));
  if (graphs.length === 0 && packages.length === 1) return readModelFiles(join(path, packages[0]));
  const what = graphs.length > 1
    ? `${graphs.length} ONNX files, none of them model.onnx`
    : `no ONNX file and ${packages.length || "no"} packed models`;
  throw new UsageError(
    `${path}: holds ${what}; expected an export with model.onnx, or one package`,
  );
}

/** The model in these files. */
export function bundleOf(
  model: ExportSource | PackageSource,
  allowStripAccents = false,
): ModelBundle {
  return model.kind === "package"
    ? readPackage(model.bytes, { allowStripAccents })
    : bundleFromExport(model.files, { allowStripAccents });
}
