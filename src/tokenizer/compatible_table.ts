/**
 * Which characters compatibility forms change.
 *
 * The build of `edge-ner/core` exchanges this file for `compatible_table_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
export { CHANGES_K } from "./unicode_tables.ts";
