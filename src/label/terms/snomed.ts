/**
 * Terms from a description file of SNOMED CT's Release Format 2, the snapshot
 * (`sct2_Description_Snapshot-en_*.txt`; https://confluence.ihtsdotools.org/display/DOCRELFMT).
 *
 * What a concept is, a disorder or a substance, stands in its fully specified name alone: `Asthma (disorder)`. So names are
 * read to the end before the first term is told, and what is kept of them meanwhile grows with the file: about 200 MB for
 * the international edition. A Full file has every version of a description and is refused: whether its last one is active
 * is told by no single line.
 *
 * Weak where: case significance is not used; letters are folded as in all lists.
 *
 * @module
 */
import { type Lines, malformed, numbered, type Terms } from "./lines.ts";

const HEADER =
  "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId";
const FULLY_SPECIFIED = "900000000000003001", SYNONYM = "900000000000013009";

/** What of SNOMED CT is read. */
export interface SnomedOptions {
  /** Types by semantic tag: `{ disorder: "Disease", finding: "Disease", substance: "Chemical" }`; others are left out. */
  readonly tags: Readonly<Record<string, string>>;
  /** Language code; default en. */
  readonly language?: string | undefined;
}

/** Reads a snapshot of descriptions. Throws `FormatError` `label/terms` for another file. */
export async function* readSnomed(lines: Lines, name: string, options: SnomedOptions): Terms {
  const { tags, language = "en" } = options;
  const types = new Map<string, string>(), texts: [concept: string, text: string][] = [];
  const seen = new Set<string>();
  for await (const [line, number] of numbered(lines)) {
    if (number === 1) {
      if (line === HEADER) continue;
      throw malformed(
        name,
        1,
        "is not the header of an RF2 description file (id, effectiveTime, active, ...).",
      );
    }
    if (line === "") continue;
    const fields = line.split("\t");
    if (fields.length !== 9) {
      throw malformed(name, number, `has ${fields.length} fields; expected 9.`);
    }
    const [id, , active, , concept, code, kind, text] = fields as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    if (seen.has(id)) {
      throw malformed(
        name,
        number,
        `the description ${id} is there twice; a Snapshot is expected, not a Full release.`,
      );
    }
    seen.add(id);
    if (active !== "1" || code !== language) continue;
    if (kind === FULLY_SPECIFIED) {
      const tag = /\(([^()]*)\)$/.exec(text)?.[1] ?? "";
      if (Object.hasOwn(tags, tag)) {
        types.set(concept, tags[tag]!);
        texts.push([concept, text.slice(0, -tag.length - 2).trim()]);
      }
    } else if (kind === SYNONYM) texts.push([concept, text]);
  }
  for (const [concept, text] of texts) {
    const type = types.get(concept);
    if (type !== undefined) yield { text, type };
  }
}
