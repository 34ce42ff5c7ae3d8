/**
 * Where texts are cut: at words, at sentences.
 *
 * The build of `edge-ner/core` exchanges this file for `segments_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
export { sentencesOf } from "../segment/sentences.ts";
export { wordBreaks } from "../segment/words.ts";
