/**
 * What `edge-ner train` starts from: a model, or a tokenizer and the sizes of an encoder of random weights.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { bundleFromFolder, readTokenizer } from "../../mod.ts";
import type { ModelBundle, Tokenizer } from "../../mod.ts";
import { freshModel } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readBytes, readModelFiles } from "./files.ts";
import { integer } from "./model.ts";
import { MODEL_FORMS } from "./named.ts";

/** What {@link addStartOptions} parses to. */
export interface StartOptions {
  readonly base?: string;
  readonly fresh?: string;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly feedForward?: number;
  readonly positions: number;
  readonly allowStripAccents?: boolean;
}

/** Adds the options about what training starts from. */
export function addStartOptions(command: Command): Command {
  return command
    .option("--base <model>", `model to start from: ${MODEL_FORMS}`)
    .option("--fresh <folder>", "start from random weights, with this folder's tokenizer")
    .option("--hidden <n>", "width of a fresh encoder", integer(1, 65536), 256)
    .option("--layers <n>", "layers of a fresh encoder", integer(1, 256), 4)
    .option("--heads <n>", "attention heads of a fresh encoder", integer(1, 4096), 4)
    .option(
      "--feed-forward <n>",
      "width of its feed-forward networks (default: 4 times --hidden)",
      integer(1, 65536),
    )
    .option("--positions <n>", "longest sequence of a fresh encoder", integer(3, 65536), 512)
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs");
}

/** A tokenizer, and how a model with it is made for a run. */
export interface Start {
  readonly tokenizer: Tokenizer;
  /** The model that was loaded; undefined for a fresh one. */
  readonly loaded: ModelBundle | undefined;
  /** The model for these labels and this seed. */
  make(labels: readonly string[], seed: number): ModelBundle;
}

/** Reads what the options name. Throws {@link UsageError} unless it is a model or a folder with a tokenizer. */
export async function startingModel(options: StartOptions): Promise<Start> {
  const { base, fresh, allowStripAccents } = options;
  if ((base === undefined) === (fresh === undefined)) {
    throw new UsageError(
      "name a model to start from (--base), or a tokenizer for a new one (--fresh), and not both",
    );
  }
  if (base !== undefined) {
    const loaded = bundleFromFolder((await readModelFiles(base)).content, { allowStripAccents });
    return { loaded, tokenizer: loaded.tokenizer, make: () => loaded };
  }
  const read = async (name: string): Promise<Uint8Array | undefined> => {
    const path = join(fresh!, name);
    return existsSync(path) ? await readBytes(path) : undefined;
  };
  const files = {
    tokenizer: await read("tokenizer.json"),
    vocab: await read("vocab.txt"),
    tokenizerConfig: await read("tokenizer_config.json"),
  };
  if (files.tokenizer === undefined && files.vocab === undefined) {
    throw new UsageError(`${fresh}: holds neither tokenizer.json nor vocab.txt`);
  }
  const tokenizer = readTokenizer(files, { allowStripAccents });
  const { hidden, layers, heads, feedForward = 4 * hidden, positions } = options;
  const sizes = {
    hiddenSize: hidden,
    layers,
    heads,
    feedForwardSize: feedForward,
    maxPositions: positions,
  };
  return {
    tokenizer,
    loaded: undefined,
    make: (labels, seed) => freshModel(sizes, tokenizer, labels, seed),
  };
}
