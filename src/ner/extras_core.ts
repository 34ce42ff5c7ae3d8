/**
 * What `edge-ner/core` has in the place of `extras.ts`: refusals. Terms do not get past them, so what would be made of
 * some is made of none.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type * as extras from "./extras.ts";

function refuse(what: string): never {
  throw new RuntimeError(
    "runtime/unsupported",
    `edge-ner/core does not ${what}. The entry edge-ner does.`,
  );
}

/** Refused. */
export const bySentences: typeof extras.bySentences = () => refuse("cut texts into sentences");

/** Refused. */
export const readDocument: typeof extras.readDocument = () => refuse("read documents in pieces");

/** Refused. */
export const TermFinder: typeof extras.TermFinder = class {
  constructor() {
    refuse("find terms");
  }
} as unknown as typeof extras.TermFinder;

/** None; any are refused. */
export const compileTerms: typeof extras.compileTerms = ({ lexicon, always, never }) =>
  (lexicon ?? always ?? never) === undefined ? undefined : refuse("find terms");

/** Of none. */
export const joinTerms: typeof extras.joinTerms = () => undefined;

/** What finds a model's own. */
export const findingTerms: typeof extras.findingTerms = (finder) => finder;
