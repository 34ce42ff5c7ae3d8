/**
 * The text that `deflate.ts` packed.
 *
 * The build of `edge-ner/core` exchanges this file for `inflate_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
import { inflateSync } from "npm:fflate@0.8.3/browser";
import { FormatError } from "../../errors.ts";
import { decodeUtf8 } from "../json.ts";

/** No tokenizer is as large; a file that claims more is not unpacked. */
const MAX_TEXT_BYTES = 1 << 27;

/** Deflate's best ratio (RFC 1951: 258 bytes from 2 bits). */
const MAX_RATIO = 1032;

function fail(message: string): never {
  throw new FormatError("package/metadata", `The package's tokenizer_deflate ${message}.`);
}

/**
 * The text again. Throws {@link FormatError} `package/metadata` for anything that `deflateText` does
 * not write; no more memory is taken than the stated length, which the packed length bounds.
 */
export function inflateText(packed: string): string {
  const [, digits, base64] = /^([0-9]{1,10}):([A-Za-z0-9+/]*={0,2})$/.exec(packed) ??
    fail("is not LENGTH:BASE64");
  const length = Number(digits);
  if (length > MAX_TEXT_BYTES || length > base64.length * MAX_RATIO) {
    fail(`claims ${length} bytes, more than it can hold`);
  }
  let bytes: Uint8Array;
  try {
    const binary = atob(base64), deflated = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) deflated[i] = binary.charCodeAt(i);
    // One byte to spare, so that a text longer than stated does not pass for one that ends there.
    bytes = inflateSync(deflated, { out: new Uint8Array(length + 1) });
  } catch (error) {
    fail(`cannot be unpacked (${(error as Error).message})`);
  }
  if (bytes.length !== length) fail(`has ${bytes.length} bytes, not ${length}`);
  return decodeUtf8(bytes, "package/metadata", "The package's tokenizer");
}
