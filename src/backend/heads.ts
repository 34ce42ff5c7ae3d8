/**
 * Where columns go when a kernel wants every head to fill its vectors.
 *
 * The rows of the QKV weights and the columns of the attention output's weights are permuted once, when they are loaded, so
 * that no kernel ever meets a head that does not.
 *
 * @module
 */
import type { ModelConfig } from "../model/config.ts";

/** Place of a logical index; undefined: identity. */
export type Places = Int32Array | undefined;

/**
 * Where the columns of `parts` stacks of heads go when each head is padded to `wide` columns: logical column
 * `part * hiddenSize + head * d + i` to `(part * heads + head) * wide + i`.
 */
export function headPlaces(
  { hiddenSize, heads }: ModelConfig,
  parts: number,
  wide: number,
): Places {
  const d = hiddenSize / heads;
  if (d === wide) return undefined;
  return Int32Array.from(
    { length: parts * hiddenSize },
    (_, i) => Math.floor(i / d) * wide + i % d,
  );
}
