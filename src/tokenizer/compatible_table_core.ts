/**
 * What `edge-ner/core` has in the place of `compatible_table.ts`: none, as compatibility forms are refused
 * (`components_core.ts`).
 *
 * @module
 */

/** No character. */
export const CHANGES_K: string = "";
