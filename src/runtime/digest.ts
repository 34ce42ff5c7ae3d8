/**
 * How a SHA-256 is written: as Subresource Integrity has it, or in hexadecimal digits. Apart from what computes one, which is
 * loaded when somebody asks for it.
 *
 * @module
 */
const BASE64 = /^sha256-([A-Za-z0-9+/]{43}=)$/, HEX = /^[0-9a-f]{64}$/i;

/** Whether a text is a digest in one of the two spellings. */
export function isDigest(text: string): boolean {
  return BASE64.test(text) || HEX.test(text);
}

/** Hexadecimal digits of bytes. */
export const hexOf = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Hexadecimal digits of a digest in either spelling. */
export function digitsOf(digest: string): string {
  const base64 = BASE64.exec(digest)?.[1];
  return base64 === undefined
    ? digest.toLowerCase()
    : hexOf(Array.from(atob(base64), (character) => character.charCodeAt(0)));
}
