/**
 * What joins characters to grapheme clusters, as the reference's segmentation has it: what extends one, is prepended to
 * one, or always ends one.
 *
 * `Intl.Segmenter` would follow the engine's Unicode version and give other ids in another runtime.
 *
 * @module
 */

import {
  BREAKS as BREAKS_TABLE,
  EXTENDS_CHANGES,
  PREPENDS as PREPENDS_TABLE,
} from "./kind_tables.ts";
import { difference } from "./regex/sets.ts";
import { rangesOf, type TableBuilder } from "./unicode.ts";
import { MARK as MARK_TABLE } from "./unicode_tables.ts";

/** Belongs to the grapheme before it: Extend, SpacingMark, ZWJ. */
export const EXTENDS = 8;
/** Belongs to the grapheme after it: Prepend. */
export const PREPENDS = 16;
/** Stands alone whatever is beside it: Control, CR, LF. */
export const BREAKS = 32;

/** Adds the three flags to a table. */
export function addClusters(builder: TableBuilder): TableBuilder {
  return builder
    .addRanges(difference(rangesOf(MARK_TABLE), rangesOf(EXTENDS_CHANGES)), EXTENDS)
    .addRanges(rangesOf(PREPENDS_TABLE), PREPENDS)
    .addRanges(rangesOf(BREAKS_TABLE), BREAKS);
}
