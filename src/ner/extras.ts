/**
 * What few recognisers need besides their model: a caller's terms, documents in pieces, sentences one by one.
 *
 * The build of `edge-ner/core` exchanges this file for `extras_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
export { bySentences } from "./by_sentences.ts";
export { readDocument } from "./document.ts";
export { compileTerms, findingTerms, joinTerms, TermFinder } from "./terms.ts";
