/**
 * A long text inside a package's metadata: deflated, then base64.
 *
 * A vocabulary of a hundred thousand Bangla pieces is 3 MB of JSON, which deflate brings to a fifth. Short
 * texts stay readable instead; the limit is where it begins to matter.
 *
 * @module
 */
import { deflateSync } from "npm:fflate@0.8.3/browser";

/** Texts of fewer bytes are not worth it. */
export const DEFLATE_FROM = 1 << 20;

/** `LENGTH:BASE64` of a text: its length in UTF-8, and its deflated bytes. */
export function deflateText(text: string): string {
  const bytes = new TextEncoder().encode(text), packed = deflateSync(bytes, { level: 9 });
  let binary = "";
  for (let at = 0; at < packed.length; at += 8192) {
    binary += String.fromCharCode(...packed.subarray(at, at + 8192));
  }
  return `${bytes.length}:${btoa(binary)}`;
}
