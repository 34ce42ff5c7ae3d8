/**
 * Help that fits the terminal: its paragraphs are broken anew at the width that there is, as its options are.
 *
 * What is indented (options, examples) is left as it stands, and so is a paragraph that fits.
 *
 * @module
 */

/** Words in lines of at most so many characters; a longer word has a line of its own. */
function broken(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** A text whose paragraphs have lines of at most so many characters. */
export function wrapParagraphs(text: string, width: number): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    const fits = paragraph.every((line) => line.length <= width);
    lines.push(...(fits ? paragraph : broken(paragraph.join(" ").split(/\s+/), width)));
    paragraph = [];
  };
  for (const line of text.split("\n")) {
    if (/^\S/.test(line)) {
      paragraph.push(line);
      continue;
    }
    flush();
    lines.push(line);
  }
  flush();
  return lines.join("\n");
}
