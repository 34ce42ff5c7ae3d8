/**
 * A labeler by regular expressions, in time linear in the text: RE2's syntax and guarantees, by re2js.
 *
 * An expression from a configuration file is input like any other, and a backtracking engine can be made to spend
 * years on a line. What RE2 leaves out for that (back references, look-around) is refused when the labeler is made.
 *
 * @module
 */
import { RE2JS } from "npm:re2js@2.10.0";
import { InputError } from "../errors.ts";
import { checkConfidence } from "./dictionary.ts";
import { type Labeler, type LabelSpan, withoutOverlap } from "./labeler.ts";

/** An expression and what it finds. */
export interface Pattern {
  /** In RE2's syntax (https://github.com/google/re2/wiki/Syntax). */
  readonly pattern: string;
  /** Entity type. */
  readonly type: string;
  /** Letters match in either case; default false. */
  readonly ignoreCase?: boolean | undefined;
  /** The group that is the entity, by number or name; default 0, the whole match. */
  readonly group?: number | string | undefined;
  /** Above 0 to 1; default 1. */
  readonly confidence?: number | undefined;
}

/** Makes a labeler of expressions. Throws {@link InputError} `input/option` for one that RE2 does not know. */
export function regexLabeler(name: string, patterns: readonly Pattern[]): Labeler {
  const compiled = patterns.map((each, i) => ({
    ...each,
    confidence: checkConfidence(each.confidence ?? 1),
    ...compile(each, `${name}, pattern ${i + 1}`),
  }));
  const find = (text: string): LabelSpan[] =>
    withoutOverlap(compiled.flatMap(({ expression, type, group, confidence }) => {
      const matcher = expression.matcher(text), found: LabelSpan[] = [];
      while (matcher.find()) {
        const start = matcher.start(group), end = matcher.end(group);
        // A group that took no part, or an empty match.
        if (start >= 0 && end > start) found.push({ type, start, end, confidence });
      }
      return found;
    }));
  return {
    name,
    types: [...new Set(patterns.map(({ type }) => type))],
    label: (texts) => Promise.resolve(Array.from(texts, find)),
  };
}

function compile(
  { pattern, ignoreCase, group = 0 }: Pattern,
  where: string,
): { expression: RE2JS; group: number } {
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (cause) {
    throw new InputError(
      "input/option",
      `${where}: ${
        (cause as Error).message
      }; RE2's syntax is expected, without look-around or back references.`,
      { cause },
    );
  }
  const named = expression.namedGroups();
  const index = typeof group === "string" ? named[group] : group;
  if (
    index !== undefined && Number.isInteger(index) && index >= 0 && index <= expression.groupCount()
  ) {
    return { expression, group: index };
  }
  throw new InputError(
    "input/option",
    `${where}: there is no group ${group}; the expression has ${expression.groupCount()}.`,
  );
}
