/**
 * The corpus of `edge-ner pretrain`: text files tokenized once, into a file from which sequences are read in any order.
 *
 * | name          | content                                                                   |
 * | ------------- | ------------------------------------------------------------------------- |
 * | `tokens.bin`  | marked tokens, 32 bits each in the machine's order, sequence after sequence |
 * | `lengths.bin` | tokens of each sequence, 16 bits                                          |
 * | `corpus.json` | what it was made of, and its hash; written last                           |
 *
 * Texts stream through: memory is taken for ten bytes a sequence and nothing else. What is held out is decided by a
 * hash of each line, so that two lines that are the same fall on one side.
 *
 * @module
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Corpus, CorpusHash, type HeldOut, Packer } from "../../train.ts";
import type { PackingOptions, Tokenizer } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readLines } from "./lines.ts";
import { complain } from "./output.ts";
import { Progress } from "./progress.ts";
import { openText, textFiles } from "./text_files.ts";

/** Marked tokens that are kept before they are written: 1 MiB. */
const BUFFER = 1 << 18;

/** How a corpus is made. */
export interface CorpusOptions extends PackingOptions {
  /** Share of the lines that are held out. */
  readonly heldOut: number;
  /** Most sequences that are held out; the lines beyond are learnt from. */
  readonly mostHeldOut: number;
}

/** A corpus in a file. */
export class CorpusFile implements Corpus {
  readonly lengths: Uint16Array;
  readonly fingerprint: string;
  readonly #file: number;
  readonly #starts: Float64Array;

  /** Opens the corpus in a folder. */
  constructor(folder: string, fingerprint: string) {
    const bytes = readFileSync(join(folder, "lengths.bin"));
    this.lengths = new Uint16Array(Uint8Array.from(bytes).buffer);
    this.#starts = new Float64Array(this.lengths.length);
    for (let i = 1; i < this.#starts.length; i++) {
      this.#starts[i] = this.#starts[i - 1]! + this.lengths[i - 1]!;
    }
    this.fingerprint = fingerprint;
    this.#file = openSync(join(folder, "tokens.bin"), "r");
  }

  read(sequence: number): Uint32Array {
    const tokens = new Uint32Array(this.lengths[sequence]!);
    const bytes = new Uint8Array(tokens.buffer), from = 4 * this.#starts[sequence]!;
    for (let done = 0; done < bytes.length;) {
      const count = readSync(this.#file, bytes, done, bytes.length - done, from + done);
      if (count === 0) throw new UsageError("tokens.bin ends early: remove the corpus's folder");
      done += count;
    }
    return tokens;
  }

  /** Gives the file back. */
  close(): void {
    closeSync(this.#file);
  }
}

/** Writes sequences to a new folder. */
class CorpusWriter {
  readonly #folder: string;
  readonly #file: number;
  readonly #hash = new CorpusHash();
  #lengths = new Uint16Array(1 << 12);
  #count = 0;
  #buffer = new Uint32Array(BUFFER);
  #used = 0;

  constructor(folder: string) {
    mkdirSync(folder);
    this.#folder = folder;
    this.#file = openSync(join(folder, "tokens.bin"), "wx");
  }

  get count(): number {
    return this.#count;
  }

  add(sequence: Uint32Array): void {
    this.#hash.add(sequence);
    if (this.#count === this.#lengths.length) {
      const grown = new Uint16Array(2 * this.#count);
      grown.set(this.#lengths);
      this.#lengths = grown;
    }
    this.#lengths[this.#count++] = sequence.length;
    if (this.#used + sequence.length > BUFFER) this.#flush();
    this.#buffer.set(sequence, this.#used);
    this.#used += sequence.length;
  }

  #flush(): void {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, 4 * this.#used);
    for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes.subarray(done));
    this.#used = 0;
  }

  /** Writes what is left; the corpus's hash. */
  close(): string {
    this.#flush();
    closeSync(this.#file);
    const lengths = this.#lengths.subarray(0, this.#count);
    writeFileSync(
      join(this.#folder, "lengths.bin"),
      new Uint8Array(lengths.buffer, 0, lengths.byteLength),
    );
    return this.#hash.fingerprint;
  }
}

/** What `corpus.json` says. */
interface Described {
  readonly of: unknown;
  readonly train: string;
  readonly heldOut: string;
  /** Lines that share a stretch with a held-out text. */
  readonly left: number;
  readonly lines: number;
}

/** A corpus and what is held out of it. */
export interface Corpora {
  readonly train: CorpusFile;
  readonly heldOut: CorpusFile;
  readonly lines: number;
  readonly left: number;
}

/**
 * The corpus in `folder`, made there if it is not. `tokenizer` and `without` are looked at only when it is made; a
 * corpus of other files or options is refused.
 */
export async function corpusOf(
  folder: string,
  paths: readonly string[],
  tokenizer: Tokenizer,
  without: HeldOut | undefined,
  options: CorpusOptions,
): Promise<Corpora> {
  const files = textFiles(paths);
  const of = { files: files.map((path) => [path, statSync(path).size]), options };
  if (!existsSync(folder)) await make(folder, of, files, tokenizer, without, options);
  const described = JSON.parse(readFileSync(join(folder, "corpus.json"), "utf8")) as Described;
  if (JSON.stringify(described.of) !== JSON.stringify(of)) {
    throw new UsageError(
      `${folder}: was made of other files, or with other options; remove it, or name another output`,
    );
  }
  const { lines, left } = described;
  return {
    train: new CorpusFile(join(folder, "train"), described.train),
    heldOut: new CorpusFile(join(folder, "held-out"), described.heldOut),
    lines,
    left,
  };
}

async function make(
  folder: string,
  of: unknown,
  files: readonly string[],
  tokenizer: Tokenizer,
  without: HeldOut | undefined,
  options: CorpusOptions,
): Promise<void> {
  const temporary = `${folder}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const train = new CorpusWriter(join(temporary, "train"));
  const heldOut = new CorpusWriter(join(temporary, "held-out"));
  const packTrain = new Packer(tokenizer, options, (sequence) => train.add(sequence));
  const packHeldOut = new Packer(tokenizer, options, (sequence) => heldOut.add(sequence));
  const progress = new Progress(files.reduce((sum, path) => sum + statSync(path).size, 0));
  let lines = 0, left = 0, read = 0;
  try {
    for (const path of files) {
      for await (const chunk of readLines(openText(path), path, complain)) {
        for (const { text } of chunk) {
          read += text.length;
          if (without?.shares(text)) left++;
          else if (heldOut.count < options.mostHeldOut && isHeldOut(text, options.heldOut)) {
            packHeldOut.add(text);
          } else packTrain.add(text);
          if (text.trim() !== "") lines++;
        }
        progress.update(read, lines);
      }
      // Two files are two documents.
      packTrain.end();
      packHeldOut.end();
    }
  } finally {
    progress.stop();
  }
  const described: Described = { of, train: train.close(), heldOut: heldOut.close(), left, lines };
  writeFileSync(join(temporary, "corpus.json"), JSON.stringify(described, undefined, 2) + "\n");
  renameSync(temporary, folder);
}

/** Whether a line is held out: by a hash of it (FNV-1a), so that the same line always is, or never. */
function isHeldOut(text: string, share: number): boolean {
  if (share === 0 || text.trim() === "") return false;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  // Its low bits hang too much on the last letter.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32 < share;
}
