/**
 * What all losses over tokens agree on.
 *
 * @module
 */

/** The label of a token that a loss leaves out (PyTorch's `ignore_index`). */
export const IGNORED: number = -100;
