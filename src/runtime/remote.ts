/**
 * What a URL names: one file, or a folder of files in the Hugging Face hub's layout.
 *
 * HTTP cannot list a folder, so a model's files are asked for by the names that they have there; which of them exist
 * makes the folder, and `formats/folder.ts` decides what it holds, as it does on a disk. No name that a file contains
 * is asked for, except the ones that exporters give an ONNX file's external data.
 *
 * Weak where: that a file is not there is not kept in a cache, so a model of several files is not loaded without a network.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { externalNames } from "../formats/onnx/external.ts";
import { type Folder, GRAPHS, type GraphType, placesOf } from "../formats/folder.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import { collect, download, MOST_BESIDE, told, type Wanted } from "./download.ts";
import { type ModelCache, type Opened, shortUrl } from "./source.ts";
import type { SourceOptions } from "./source_options.ts";

/** Where `hf:OWNER/NAME` is. */
const HUB = "https://huggingface.co/";

/** Owner and name, or the name alone of one of the hub's first models; and a file or folder in it. */
const HUB_PATH = /^([\w.-]+(?:\/[\w.-]+)?)((?:\/[\w.-]+)*\/?)$/;

/** The URL of a model of the hub, or of a file of it. */
function hubUrl({ pathname }: URL, revision: string): URL {
  const [, id, rest] = HUB_PATH.exec(pathname) ?? [];
  if (id === undefined || pathname.split("/").some((part) => /^\.+$/.test(part))) {
    throw new RuntimeError(
      "runtime/source",
      `${JSON.stringify(`hf:${pathname.slice(0, 200)}`)} names no model of the Hugging Face hub; ` +
        "expected hf:OWNER/NAME, or a file of one, hf:OWNER/NAME/onnx/model_quantized.onnx.",
    );
  }
  return new URL(`${id}/resolve/${encodeURIComponent(revision)}${rest === "" ? "/" : rest}`, HUB);
}

/** The last part of a URL's path, for people. */
const nameOf = ({ protocol, pathname }: URL): string =>
  protocol.startsWith("http") ? decodeURIComponent(pathname.split("/").at(-1)!) : protocol;

/** Gets files, from the cache where they are there, and tells of what comes. */
class Files {
  readonly #options: SourceOptions;
  readonly #cache: ModelCache | undefined;
  readonly #kept: string[] = [];

  constructor(options: SourceOptions, cache: ModelCache | undefined) {
    this.#options = options;
    this.#cache = cache;
  }

  async get(url: URL, file: string, wanted: Wanted): Promise<ByteSource | undefined> {
    const cache = url.protocol.startsWith("http") ? this.#cache : undefined;
    const kept = await cache?.get(url.href);
    if (kept !== undefined) {
      this.#kept.push(url.href);
      return told(kept, file, true, this.#options);
    }
    const body = await download(url, wanted, this.#options);
    if (body === undefined) return undefined;
    const coming = told(body, file, false, this.#options);
    if (cache === undefined) return coming;
    this.#kept.push(url.href);
    return await cache.put(url.href, coming);
  }

  /** Drops from the cache what was got: it was no model. */
  async forget(): Promise<void> {
    for (const url of this.#kept) await this.#cache?.delete(url);
  }
}

/** Files beside a model that are asked for at once, and those for a tokenizer without tokenizer.json. */
const BESIDE = ["tokenizer.json", "crf.safetensors", "head.safetensors"];
const VOCABULARY = ["vocab.txt", "tokenizer_config.json"];

/** Names of weights in the order in which `formats/folder.ts` takes them. */
function weightsOf(dtype: GraphType | undefined): readonly string[] {
  if (dtype !== undefined) return placesOf(dtype);
  const [first, ...others] = Object.keys(GRAPHS) as GraphType[];
  return [...placesOf(first), "model.safetensors", ...others.flatMap(placesOf)];
}

/** A folder whose names are those that were found by asking. */
class RemoteFolder {
  readonly #files: Files;
  readonly #found = new Map<string, Uint8Array>();
  readonly root: URL;

  constructor(root: URL, files: Files) {
    this.root = root;
    this.#files = files;
  }

  /** Asks for a file and keeps it; whether it is there. */
  async has(name: string, most?: number): Promise<boolean> {
    const url = new URL(name, this.root);
    const source = await this.#files.get(url, name, { most, optional: true });
    if (source !== undefined) this.#found.set(name, await collect(source));
    return source !== undefined;
  }

  /** The files beside a model; those in `sub` where they are not above it. */
  async askBeside(sub: string): Promise<void> {
    const ask = async (name: string): Promise<boolean> =>
      await this.has(name, MOST_BESIDE) || sub !== "" && await this.has(sub + name, MOST_BESIDE);
    const [tokenizer] = await Promise.all(BESIDE.map(ask));
    if (!tokenizer) await Promise.all(VOCABULARY.map(ask));
  }

  /** Data that a graph keeps outside of itself, under the names that exporters give them. */
  async askExternal(graph: string): Promise<void> {
    const stem = graph.replace(/\.onnx$/i, ""), at = graph.slice(0, graph.lastIndexOf("/") + 1);
    const usual = [`${graph}_data`, `${graph}.data`, `${stem}.data`, `${stem}.onnx_data`];
    for (const name of externalNames(this.#found.get(graph)!)) {
      if (usual.includes(at + name)) await this.has(at + name);
    }
  }

  /** What was found. */
  folder(): Folder {
    const found = this.#found;
    return {
      location: shortUrl(this.root),
      names: [...found.keys()],
      read: (name) => Promise.resolve(found.get(name)!),
    };
  }
}

async function openFolder(
  url: URL,
  files: Files,
  { dtype }: SourceOptions,
): Promise<Folder & { readonly graph?: string }> {
  const base = new URL("./", url), named = url.pathname.slice(base.pathname.length);
  const last = base.pathname.split("/").at(-2)!, above = `${last}/`;
  // What lies in onnx/ belongs to the folder above it, unless it has a configuration of its own.
  let remote = new RemoteFolder(base, files), sub = "";
  if (!await remote.has("config.json", MOST_BESIDE)) {
    const parent = new RemoteFolder(new URL("../", base), files);
    const inside = last === "onnx" || named !== "";
    if (inside && await parent.has("config.json", MOST_BESIDE)) remote = parent, sub = above;
    else if (named === "" && await remote.has("model.safetensors")) return remote.folder();
    else {
      throw new RuntimeError(
        "runtime/folder",
        `${
          shortUrl(base)
        } has no config.json; expected a model in the layout of the Hugging Face hub, or the URL of a ` +
          "packed model itself.",
      );
    }
  }
  let graph: string | undefined;
  const wanted = named !== "" ? [named] : weightsOf(dtype);
  for (const name of wanted) {
    // Below onnx/ nothing has another onnx/ to look into.
    const place = sub !== "" && !name.startsWith(sub) ? sub + name : name;
    if (await remote.has(place)) {
      graph = place;
      break;
    }
  }
  if (graph === undefined) {
    throw new RuntimeError(
      "runtime/folder",
      `${shortUrl(remote.root)} has config.json, but ${
        named !== "" || dtype !== undefined
          ? `not ${wanted.join(" nor ")}`
          : "neither a graph (onnx/model.onnx, onnx/model_quantized.onnx, ...) nor model.safetensors"
      }.`,
    );
  }
  await remote.askBeside(graph.slice(0, graph.lastIndexOf("/") + 1));
  if (!/\.onnx$/i.test(graph)) return remote.folder();
  await remote.askExternal(graph);
  return { ...remote.folder(), graph };
}

/**
 * Opens a URL that can be fetched: a folder where it ends in a slash or names an ONNX file, else one file.
 *
 * @throws what {@link download} throws; {@link RuntimeError} `runtime/folder` for a folder without a model,
 * `runtime/source` for a name that no model of the hub can have
 */
export async function openUrl(
  url: URL,
  options: SourceOptions,
  cache: ModelCache | undefined,
): Promise<Opened> {
  const place = url.protocol === "hf:" ? hubUrl(url, options.revision ?? "main") : url;
  const files = new Files(options, cache);
  const forget = (): Promise<void> => files.forget();
  const isFolder = place.protocol.startsWith("http") && /(\/|\.onnx)$/i.test(place.pathname);
  if (isFolder) return { ...await openFolder(place, files, options), forget };
  return { ...(await files.get(place, nameOf(place), {}))!, forget };
}
