/**
 * Text of others, so that it cannot steer the terminal that it is shown on.
 *
 * @module
 */

/**
 * Control characters as pictures, U+2400 and on. A tab and a line end stay in running text; in a label, which is one
 * word of a line (`whole`), they do not.
 */
export function visible(text: string, whole = false): string {
  // deno-lint-ignore no-control-regex
  const controls = whole ? /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g : /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
  return text.replace(controls, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
}
