/**
 * Terms that were packed beside a model (formats/terms.ts): what its owner knows of names, and training did not.
 *
 * The build of `edge-ner/core` exchanges this file for `packed_terms_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
import type { TermLists } from "../../model/terms.ts";
import type { SafeTensors } from "../safetensors/read.ts";
import { termsFromTensors } from "../terms.ts";

/** Takes them out of the names of tensors that are still unread; undefined where there are none. */
export function takeTerms(
  { tensors, metadata }: SafeTensors,
  unread: Set<string>,
): TermLists | undefined {
  const described = metadata.get("terms");
  if (described === undefined) return undefined;
  const terms = termsFromTensors(tensors, described);
  for (const i of terms.lists.keys()) unread.delete(`terms.${i}`);
  return terms;
}
