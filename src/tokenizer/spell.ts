/**
 * Pieces back to words: the `decoder` of a tokenizer.json, for those that people's models have.
 *
 * Only for showing: no place in a text is ever found by it. A decoder that is not known joins pieces by spaces, as
 * Hugging Face's tokenizers do without one.
 *
 * @module
 */
import { spellingOf } from "./components.ts";

/** The fields of a decoder, as the file has them. */
type Decoder = Readonly<Record<string, unknown>> | null | undefined;

/** WordPiece's `cleanup`, a piece at a time (tokenizers, `decoders/wordpiece.rs`). */
const CLEANUP: readonly (readonly [from: string, to: string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function wordPiece(pieces: readonly string[], prefix: string, cleanup: boolean): string {
  return pieces.map((piece, i) => {
    const spelt = i === 0
      ? piece
      : piece.startsWith(prefix)
      ? piece.slice(prefix.length)
      : ` ${piece}`;
    return cleanup ? CLEANUP.reduce((text, [from, to]) => text.replaceAll(from, to), spelt) : spelt;
  }).join("");
}

function metaspace(pieces: readonly string[], replacement: string, prepended: boolean): string {
  return pieces.map((piece, i) => {
    const own = i === 0 && prepended && piece.startsWith(replacement) ? piece.slice(1) : piece;
    return own.replaceAll(replacement, " ");
  }).join("");
}

/** The text that pieces in a row stand for. */
export function spell(decoder: Decoder, pieces: readonly string[]): string {
  switch (decoder?.type) {
    case "WordPiece":
      return wordPiece(pieces, String(decoder.prefix ?? "##"), decoder.cleanup !== false);
    case "Metaspace":
      return metaspace(
        pieces,
        String(decoder.replacement ?? "▁"),
        decoder.prepend_scheme !== "never" && decoder.add_prefix_space !== false,
      );
    case "ByteLevel":
      return spellingOf(pieces.join("")) ?? "";
    default:
      return pieces.join(" ");
  }
}
