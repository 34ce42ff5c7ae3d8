/**
 * Names of medicines from RxNorm's `RXNCONSO.RRF`
 * (https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html, section 12.4): 18 fields, each closed by a bar.
 *
 * Of its term types the ingredients and the brands are read unless others are asked for: `acetaminophen 325 MG Oral Tablet` is
 * how a pharmacy speaks, not a note.
 *
 * @module
 */
import { type Lines, malformed, numbered, type Terms } from "./lines.ts";

const FIELDS = 18, LANGUAGE = 1, SOURCE = 11, TERM_TYPE = 12, STRING = 14, SUPPRESS = 16;

/** What of RxNorm is read. */
export interface RxNormOptions {
  /** The type of all terms. */
  readonly type: string;
  /** Term types (TTY) that count; default ingredients, precise ones, several together, brands: IN, PIN, MIN, BN. */
  readonly termTypes?: readonly string[] | undefined;
  /** Source vocabularies (SAB) that count; default RXNORM. */
  readonly sources?: readonly string[] | undefined;
  /** Language (LAT); default ENG. */
  readonly language?: string | undefined;
}

/** Reads `RXNCONSO.RRF`; suppressed names are left out. Throws `FormatError` `label/terms` for a line of other fields. */
export async function* readRxNorm(lines: Lines, name: string, options: RxNormOptions): Terms {
  const termTypes = new Set(options.termTypes ?? ["IN", "PIN", "MIN", "BN"]);
  const sources = new Set(options.sources ?? ["RXNORM"]), language = options.language ?? "ENG";
  for await (const [line, number] of numbered(lines)) {
    if (line === "") continue;
    const fields = line.split("|");
    if (fields.length !== FIELDS + 1 || fields[FIELDS] !== "") {
      throw malformed(
        name,
        number,
        `has ${fields.length - 1} fields; RXNCONSO.RRF has ${FIELDS}, each closed by "|".`,
      );
    }
    const wanted = fields[LANGUAGE] === language && sources.has(fields[SOURCE]!) &&
      termTypes.has(fields[TERM_TYPE]!) && fields[SUPPRESS] === "N";
    if (wanted && fields[STRING] !== "") yield { text: fields[STRING]!, type: options.type };
  }
}
