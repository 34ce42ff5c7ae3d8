/**
 * Control characters as pictures, so that a file of text steers no terminal and keeps its lines; one for one, so that
 * offsets stay what they are.
 *
 * @module
 */

/** A text with U+2400 and on for control characters, U+FFFD for those that have no picture. */
export function picture(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
}
