/**
 * Where a term may end inside a word, in every language that is known of here.
 *
 * @module
 */
import { ENDINGS } from "../tokenizer/endings.ts";

/** Endings that are joined to nouns, of all scripts. */
export const JOINED_ENDINGS: ReadonlySet<string> = new Set(Object.values(ENDINGS).flat());
