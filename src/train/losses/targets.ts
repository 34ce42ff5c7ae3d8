/**
 * What all losses over tokens agree on.
 *
 * @module
 */

/** The label of a token that a loss leaves out (PyTorch's `ignore_index`). */
export const IGNORED: number = -100;

/** The label of a token of which only a set of labels is known that it has one of. */
export const OPEN: number = -1;
