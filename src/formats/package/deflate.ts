/**
 * A long text inside a package's metadata: deflated, then base64.
 *
 * A vocabulary of a hundred thousand Bangla pieces is 3 MB of JSON, which deflate brings to a fifth. Short
 * texts stay readable instead; the limit is where it begins to matter.
 *
 * @module
 */
import { deflateSync, inflateSync } from "npm:fflate@0.8.3/browser";
import { FormatError } from "../../errors.ts";
import { decodeUtf8 } from "../json.ts";

/** Texts of fewer bytes are not worth it. */
export const DEFLATE_FROM = 1 << 20;

/** No tokenizer is as large; a file that claims more is not unpacked. */
const MAX_TEXT_BYTES = 1 << 27;

/** Deflate's best ratio (RFC 1951: 258 bytes from 2 bits). */
const MAX_RATIO = 1032;

function fail(message: string): never {
  throw new FormatError("package/metadata", `The package's tokenizer_deflate ${message}.`);
}

/** `LENGTH:BASE64` of a text: its length in UTF-8, and its deflated bytes. */
export function deflateText(text: string): string {
  const bytes = new TextEncoder().encode(text), packed = deflateSync(bytes, { level: 9 });
  let binary = "";
  for (let at = 0; at < packed.length; at += 8192) {
    binary += String.fromCharCode(...packed.subarray(at, at + 8192));
  }
  return `${bytes.length}:${btoa(binary)}`;
}

/**
 * The text again. Throws {@link FormatError} `package/metadata` for anything that {@link deflateText} does
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
