/**
 * What tokenizers are made of besides WordPiece and BERT's own steps: two thirds of the tokenizers' code.
 *
 * The build of `edge-ner/core` exchanges this file for `components_core.ts` (`tools/build/platform.ts`), so that nobody
 * pays for a regex engine or a table of scripts to read a model that has none.
 *
 * @module
 */
export { readBpe } from "./bpe.ts";
export { spellingOf } from "./byte_level.ts";
export { compileCharsmap } from "./charsmap.ts";
export { compileCompatible } from "./compatible.ts";
export { compileCut } from "./cutters.ts";
export { compileReplace } from "./replace.ts";
export { compilePrepend, compileStrip } from "./strip.ts";
export { readUnigram } from "./unigram.ts";
