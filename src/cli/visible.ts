/**
 * Text of others, so that it cannot steer the terminal that it is shown on.
 *
 * @module
 */

import { picture } from "../../mod.ts";

/**
 * Control characters as pictures. A tab and a line end stay in running text; in a label, which is one word of a line
 * (`whole`), they do not.
 */
export function visible(text: string, whole = false): string {
  return whole ? picture(text) : text.replace(/[^\t\n]+/g, picture);
}
