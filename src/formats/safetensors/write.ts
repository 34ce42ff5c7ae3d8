/**
 * Writing safetensors, byte for byte as the reference implementation does.
 *
 * Tensors are sorted by type, widest first, then by name; the header is compact JSON padded with spaces
 * to eight bytes, so every tensor is aligned to its element size within the file. The same tensors give
 * the same bytes, whatever order they come in; metadata are sorted by key, where the reference keeps its
 * hash map's order.
 *
 * Weak: names are sorted by UTF-16 units, the reference sorts by UTF-8 bytes; they differ only for
 * characters beyond the Basic Multilingual Plane.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { DTYPES, type SafeTensor } from "./read.ts";

const ORDER = Object.keys(DTYPES);

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Makes a safetensors file. Throws {@link InputError} `input/tensor` for a tensor whose bytes are not
 * those that its shape and type need, or that is named `__metadata__`.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(([a, left], [b, right]) =>
    ORDER.indexOf(right.dtype) - ORDER.indexOf(left.dtype) || compare(a, b)
  );
  // An object would put integer-like names first, so the header is put together by hand.
  const entries: string[] = [];
  if (metadata !== undefined) {
    const pairs = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
    const fields = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    entries.push(`"__metadata__":{${fields.join()}}`);
  }
  let size = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    const need = shape.reduce((product, dim) => product * dim, DTYPES[dtype]);
    if (data.length !== need || name === "__metadata__") {
      throw new InputError(
        "input/tensor",
        `Tensor ${
          JSON.stringify(name)
        } has ${data.length} bytes; [${shape}] of ${dtype} needs ${need}.`,
      );
    }
    const info = { dtype, shape, data_offsets: [size, size + need] };
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    size += need;
  }

  const header = new TextEncoder().encode(`{${entries.join()}}`);
  const headerLength = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + size);
  new DataView(file.buffer).setUint32(0, headerLength, true);
  file.set(header, 8);
  file.fill(0x20, 8 + header.length, 8 + headerLength);
  let at = 8 + headerLength;
  for (const [, { data }] of sorted) {
    file.set(data, at);
    at += data.length;
  }
  return file;
}
