/**
 * What a package knows of names besides its weights: the lexicons that its encoder was trained with, and terms that were
 * packed beside it.
 *
 * The build of `edge-ner/core` exchanges this file for `evidence_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { Lexicons } from "../../model/lexicon.ts";
import { lexiconsFromTensors } from "../lexicons.ts";
import type { SafeTensors } from "../safetensors/read.ts";
import { termsFromTensors } from "../terms.ts";

/** Takes both out of the names of tensors that are still unread. */
export function takeEvidence(
  file: SafeTensors,
  config: ModelConfig,
  unread: Set<string>,
): Pick<ModelBundle, "lexicons" | "terms"> {
  const lexicons = takeLexicons(file, config, unread);
  const described = file.metadata.get("terms");
  const terms = described === undefined ? undefined : termsFromTensors(file.tensors, described);
  for (const i of terms?.lists.keys() ?? []) unread.delete(`terms.${i}`);
  return { lexicons, terms };
}

/** The lexicons that a configuration asks for. */
function takeLexicons(
  { tensors, metadata }: SafeTensors,
  { features }: ModelConfig,
  unread: Set<string>,
): Lexicons | undefined {
  const description = metadata.get("lexicons");
  if (features === undefined && description === undefined) return undefined;
  if (features === undefined || description === undefined) {
    throw new FormatError(
      "package/metadata",
      features === undefined
        ? "The package has lexicons, but its configuration says nothing of features."
        : "The package has no lexicons in its metadata, but its encoder takes features.",
    );
  }
  const lexicons = lexiconsFromTensors(tensors, description, features, "package/tensor");
  for (const i of lexicons.lists.keys()) {
    unread.delete(`lexicons.${i}.terms`);
    if (lexicons.lists[i]!.type === undefined) unread.delete(`lexicons.${i}.rates`);
  }
  return lexicons;
}
