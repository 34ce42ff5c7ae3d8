/**
 * A weighted sum of losses on the same emissions, for instance of labels and of a teacher.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Loss } from "../types.ts";

/** The sum of each loss's own mean times its weight. All must be of one head and of the same rows. */
export function sumLoss(parts: readonly { readonly loss: Loss; readonly weight: number }[]): Loss {
  const [first] = parts.map(({ loss }) => loss);
  if (
    !first || parts.some(({ loss: { head, rows } }) => head !== first.head || rows !== first.rows)
  ) {
    throw new InputError(
      "input/option",
      "a sum needs losses, all of one head and of the same rows.",
    );
  }
  const { head, rows, count } = first;
  return {
    name: parts.map(({ loss }) => loss.name).join(" + "),
    head,
    rows,
    count,
    evaluate: (input) =>
      parts.reduce((sum, { loss, weight }) => {
        // Each is a sum over its own count; the whole is divided by the first's.
        const factor = loss.count === 0 ? 0 : weight * count / loss.count;
        return sum + factor * loss.evaluate({ ...input, scale: input.scale * factor });
      }, 0),
  };
}
