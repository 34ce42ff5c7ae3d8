/**
 * Options of a command as one types them, which is how plans and descriptions are easiest to read.
 *
 * @module
 */

/** The words of a line; none of them may have a space in it. */
export function words(line: string): string[] {
  return line.split(" ");
}
