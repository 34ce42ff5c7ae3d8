/**
 * Checksums of a package: of each tensor, and of all else that its header says, so that a flipped bit is an error and not
 * another model.
 *
 * XXH32 (Yann Collet, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, seed 0): no table, and several bytes
 * a nanosecond in JavaScript, where SHA-256 would take longer than the rest of loading; who has kernels at hand gives theirs
 * ({@link Stripes}), which a process that starts has fast code of sooner. Each of its steps can be undone, so a change
 * within one of its four lanes (a bit, a byte, an aligned word) never leaves the sum as it was; of other damage one in
 * four thousand million goes unseen. It is against accidents: whoever wants to know whose a file is compares its SHA-256.
 *
 * They stand in the metadata under `xxh32`, as JSON from a tensor's name to eight hexadecimal digits; under the empty
 * name is the sum of the header. A package without them, of before they were written, is read unchecked; so is one whose
 * damage is to that very name.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import { viewInt32 } from "../floats.ts";
import { parseJsonObject } from "../json.ts";
import type { SafeTensor } from "../safetensors/read.ts";

const P1 = 0x9e3779b1, P2 = 0x85ebca77, P3 = 0xc2b2ae3d, P4 = 0x27d4eb2f, P5 = 0x165667b1;

/** The metadata's key. */
const KEY = "xxh32";

const turned = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

const round = (lane: number, word: number): number =>
  Math.imul(turned((lane + Math.imul(word, P2)) | 0, 13), P1);

/**
 * Takes whole stripes of 16 bytes into the four lanes of a sum. False only if no byte among them is 0x80, which is the one
 * that int8 weights must not be.
 */
export type Stripes = (lanes: Int32Array, bytes: Uint8Array) => boolean;

/** Without kernels; looks for no byte. */
const inJavaScript: Stripes = (lanes, bytes) => {
  const words = viewInt32(bytes);
  let a = lanes[0]!, b = lanes[1]!, c = lanes[2]!, d = lanes[3]!;
  for (let at = 0; at < words.length; at += 4) {
    a = round(a, words[at]!);
    b = round(b, words[at + 1]!);
    c = round(c, words[at + 2]!);
    d = round(d, words[at + 3]!);
  }
  lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
  return true;
};

/** XXH32 of bytes that come in pieces. */
export class Xxh32 {
  readonly #stripes: Stripes;
  readonly #lanes = Int32Array.of(P1 + P2, P2, 0, -P1);
  #least = false;
  #length = 0;
  /** Bytes of the last stripe of 16, as long as it is not full. */
  readonly #rest = new Uint8Array(16);

  /** Of no bytes yet. */
  constructor(stripes: Stripes = inJavaScript) {
    this.#stripes = stripes;
  }

  /** Takes the next bytes. */
  update(bytes: Uint8Array): this {
    let at = 0;
    const held = this.#length % 16;
    this.#length += bytes.length;
    if (held > 0) {
      at = Math.min(16 - held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), held);
      if (held + at < 16) return this;
      this.#take(this.#rest);
    }
    const whole = bytes.length - (bytes.length - at) % 16;
    if (whole > at) this.#take(bytes.subarray(at, whole));
    this.#rest.set(bytes.subarray(whole));
    return this;
  }

  #take(bytes: Uint8Array): void {
    const least = this.#stripes(this.#lanes, bytes);
    this.#least ||= least;
  }

  /** False only if no byte so far is 0x80. */
  get least(): boolean {
    return this.#least || this.#rest.subarray(0, this.#length % 16).includes(0x80);
  }

  /** The sum of all bytes so far, in eight hexadecimal digits. */
  hex(): string {
    const held = this.#length % 16, view = new DataView(this.#rest.buffer);
    const [a, b, c, d] = this.#lanes as unknown as [number, number, number, number];
    let sum = this.#length < 16 ? P5 : turned(a, 1) + turned(b, 7) + turned(c, 12) + turned(d, 18);
    sum = (sum + this.#length) | 0;
    let at = 0;
    for (; at + 4 <= held; at += 4) {
      sum = Math.imul(turned((sum + Math.imul(view.getInt32(at, true), P3)) | 0, 17), P4);
    }
    for (; at < held; at++) {
      sum = Math.imul(turned((sum + Math.imul(this.#rest[at], P5)) | 0, 11), P1);
    }
    sum = Math.imul(sum ^ (sum >>> 15), P2);
    sum = Math.imul(sum ^ (sum >>> 13), P3);
    return ((sum ^ (sum >>> 16)) >>> 0).toString(16).padStart(8, "0");
  }
}

type Described = ReadonlyMap<string, Pick<SafeTensor, "dtype" | "shape">>;

/** The sum of what a header says besides the sums: keys and names in order, so that whoever writes it does not matter. */
function sumOfHeader(tensors: Described, metadata: Iterable<readonly [string, string]>): string {
  const by = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
    a < b ? -1 : 1;
  const rest = [...metadata].filter(([key]) => key !== KEY).sort(by);
  const entries = [...tensors].sort(by).map(([name, { dtype, shape }]) => [name, dtype, shape]);
  return new Xxh32().update(new TextEncoder().encode(JSON.stringify([rest, entries]))).hex();
}

/** The metadata with the sums that belong to it and to these tensors. */
export function withChecksums(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  const sums = [...tensors].map(([name, { data }]) => [name, new Xxh32().update(data).hex()]);
  const all = [["", sumOfHeader(tensors, Object.entries(metadata))], ...sums];
  return { ...metadata, [KEY]: JSON.stringify(Object.fromEntries(all)) };
}

/**
 * What compares a tensor's sum, taken when all of its bytes were seen, with the one that the package states; undefined
 * for a package that states none.
 *
 * @throws {FormatError} `package/checksum` if a sum is another, here for the header's; `package/metadata` if there is none
 * for a tensor
 */
export function checksumsIn(
  tensors: Described,
  metadata: ReadonlyMap<string, string>,
): ((name: string, sum: Xxh32) => void) | undefined {
  const json = metadata.get(KEY);
  if (json === undefined) return undefined;
  const sums = new Map(
    Object.entries(parseJsonObject(json, "package/metadata", "The package's checksums")),
  );
  const compare = (name: string, what: string, sum: string): void => {
    const stated = sums.get(name);
    if (stated === undefined) {
      throw new FormatError("package/metadata", `The package has no checksum of ${what}.`);
    }
    if (stated === sum) return;
    throw new FormatError(
      "package/checksum",
      `The package is damaged: the checksum of ${what} is ${sum}, not ${
        String(stated).slice(0, 8)
      }. Download or copy it again.`,
    );
  };
  compare("", "its header", sumOfHeader(tensors, metadata));
  return (name, sum) => compare(name, `tensor ${JSON.stringify(name)}`, sum.hex());
}
