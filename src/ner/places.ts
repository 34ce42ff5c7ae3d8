/**
 * Where a run of tokens lies in the text.
 *
 * @module
 */

/**
 * UTF-16 start and end of tokens `first .. last`, given each token's; undefined if none of them has a place.
 * A token for white space alone (SentencePiece's `▁`) has no place of its own and takes none at the ends.
 */
export function placeOf(
  { first, last }: { readonly first: number; readonly last: number },
  starts: ArrayLike<number>,
  ends: ArrayLike<number>,
): { start: number; end: number } | undefined {
  while (first < last && starts[first] === ends[first]) first++;
  while (last > first && starts[last] === ends[last]) last--;
  const start = starts[first], end = ends[last];
  return start < end ? { start, end } : undefined;
}
