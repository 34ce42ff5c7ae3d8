/**
 * A model's files: a package, an export or a checkpoint, and how large they are.
 *
 * `Ner.load` reads these, too, but hands out a recogniser; `convert`, `inspect` and `verify` need the model
 * itself and its files.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { type ModelFiles, openModel, type SourceOptions } from "../../mod.ts";
import { modelSource } from "./named.ts";

/** Reads a whole file as a plain view, without the surprises of Node's Buffer. */
export async function readBytes(path: string): Promise<Uint8Array> {
  const buffer = await readFile(path);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** How a command opens a model: what comes from the hub is kept, as the hub's own tools do. */
export function sourceOptions(path: string): SourceOptions {
  return /^hf:/i.test(path) ? { cache: true } : {};
}

/** Reads a package, an ONNX file with what lies beside it, a folder that `readFolder` understands, or what has a name. */
export async function readModelFiles(path: string): Promise<ModelFiles> {
  const source = modelSource(path);
  return await openModel(source, sourceOptions(source));
}
