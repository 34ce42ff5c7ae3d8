/**
 * What few recognisers need besides their model: a caller's terms, documents in pieces.
 *
 * The build of `edge-ner/core` exchanges this file for `extras_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
export { DocumentReader } from "./document.ts";
export { compileTerms, findingTerms, joinTerms, TermFinder } from "./terms.ts";
