/**
 * Terms of an ontology in OBO, format 1.2 and 1.4 (https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html): the
 * Disease Ontology, ChEBI, HPO.
 *
 * Read are the names and synonyms of `[Term]` stanzas that are not obsolete. Of synonyms, the exact ones unless others are
 * asked for: a narrow one names something else, and a related one often a hope.
 *
 * @module
 */
import { type Lines, malformed, numbered, type Terms } from "./lines.ts";

/** How near a synonym must be. */
export type SynonymScope = "EXACT" | "NARROW" | "BROAD" | "RELATED";

/** What of an ontology is read. */
export interface OboOptions {
  /** The type of all terms. */
  readonly type: string;
  /** Scopes of the synonyms that count; default `EXACT`. */
  readonly scopes?: readonly SynonymScope[] | undefined;
  /** Only terms whose `namespace` is one of these; default: all. */
  readonly namespaces?: readonly string[] | undefined;
}

interface Stanza {
  texts: string[];
  obsolete: boolean;
  namespace: string | undefined;
}

const SYNONYM = /^"((?:[^"\\]|\\.)*)"\s+(EXACT|NARROW|BROAD|RELATED)\b/;
const SPACES: Readonly<Record<string, string>> = { n: " ", t: "\t", W: " " };

/** `\,` and the like; a line end becomes a space. */
function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => SPACES[character] ?? character);
}

/** Reads an ontology. Throws `FormatError` `label/terms` for a line that is no tag and value. */
export async function* readObo(lines: Lines, name: string, options: OboOptions): Terms {
  const scopes: ReadonlySet<string> = new Set(options.scopes ?? ["EXACT"]);
  const { namespaces, type } = options;
  let stanza: Stanza | undefined, fallback: string | undefined, header = true;
  function* finish(): Generator<{ text: string; type: string }> {
    if (stanza === undefined || stanza.obsolete) return;
    const { namespace = fallback } = stanza;
    if (namespaces !== undefined && !(namespace !== undefined && namespaces.includes(namespace))) {
      return;
    }
    for (const text of stanza.texts) yield { text, type };
  }
  for await (const [line, number] of numbered(lines)) {
    if (line.trim() === "" || line.startsWith("!")) continue;
    if (line.startsWith("[")) {
      yield* finish();
      header = false;
      stanza = line.trim() === "[Term]"
        ? { texts: [], obsolete: false, namespace: undefined }
        : undefined;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 1) {
      throw malformed(
        name,
        number,
        "expected a stanza such as [Term], or a tag, a colon and a value.",
      );
    }
    const tag = line.slice(0, colon), value = line.slice(colon + 1).trim();
    if (header && tag === "default-namespace") fallback = value;
    if (stanza === undefined) continue;
    if (tag === "name") stanza.texts.unshift(unescape(value.replace(/\s+(!.*|\{[^}]*\})$/, "")));
    else if (tag === "namespace") stanza.namespace = value;
    else if (tag === "is_obsolete") stanza.obsolete = /^true\b/.test(value);
    else if (tag === "synonym") {
      const match = SYNONYM.exec(value);
      if (match === null) {
        throw malformed(
          name,
          number,
          "a synonym is a text in quotes and EXACT, NARROW, BROAD or RELATED.",
        );
      }
      if (scopes.has(match[2]!)) stanza.texts.push(unescape(match[1]!));
    }
  }
  yield* finish();
}
