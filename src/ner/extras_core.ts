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

/** A class whose instances are refused. */
function refused<T>(what: string): T {
  return class {
    constructor() {
      refuse(what);
    }
  } as T;
}

/** Refused. */
export const DocumentReader: typeof extras.DocumentReader = refused("read documents in pieces");

/** Refused. */
export const TermFinder: typeof extras.TermFinder = refused("find terms");

/** None; any are refused. */
export const compileTerms: typeof extras.compileTerms = ({ lexicon, always, never }) =>
  (lexicon ?? always ?? never) === undefined ? undefined : refuse("find terms");

/** Of none. */
export const joinTerms: typeof extras.joinTerms = () => undefined;

/** What finds a model's own. */
export const findingTerms: typeof extras.findingTerms = (finder) => finder;
