/**
 * Where words begin and end.
 *
 * The build of `edge-ner/core` exchanges this file for `segments_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
export { wordBreaks } from "../segment/words.ts";
