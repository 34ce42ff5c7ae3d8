/**
 * A caller's terms as a package's tensors: `terms.N` is I32 `[terms, 2]`, the fingerprints of list N, and what follows
 * from them stands in the metadata as JSON:
 *
 * `{"longest": 24, "lists": [{"type": "MED", "weight": 4}, {"type": "DIS", "always": true}, {"never": true}]}`
 *
 * A type alone: the terms count as those of the model's own lexicons.
 *
 * @module
 */
import { FormatError, show } from "../errors.ts";
import { FINGERPRINT_WORDS } from "../model/lexicon.ts";
import { checkTerms, type TermLists, type TermRule } from "../model/terms.ts";
import { parseJsonObject } from "./json.ts";
import { bytesOfWords, wordsOfTensor } from "./lexicons.ts";
import type { SafeTensor } from "./safetensors/read.ts";

const WHERE = "The terms' description";

/** A rule in the fewest words. */
function plainRule(rule: TermRule): object {
  if (rule.kind === "never") return { never: true };
  const { type } = rule;
  if (rule.kind === "learnt") return { type };
  return rule.kind === "always" ? { type, always: true } : { type, weight: rule.weight };
}

/** The rule again. */
function ruleOf(plain: unknown, list: number): TermRule {
  const fields = typeof plain === "object" && plain !== null
    ? plain as Record<string, unknown>
    : {};
  const { type, weight } = fields, names = Object.keys(fields).sort().join();
  if (names === "never" && fields["never"] === true) return { kind: "never" };
  if (names === "always,type" && fields["always"] === true) {
    return { kind: "always", type: type as string };
  }
  if (names === "type") return { kind: "learnt", type: type as string };
  if (names === "type,weight" && typeof weight === "number") {
    return { kind: "weight", type: type as string, weight };
  }
  throw new FormatError(
    "package/metadata",
    `${WHERE}: list ${list} is ${
      show(plain)
    }; expected a type, a type and a weight, a type and always, or never.`,
  );
}

/** Terms as tensors and a description. Throws ModelError `model/lexicon` for lists that cannot be. */
export function termTensors(
  terms: TermLists,
): { readonly tensors: Map<string, SafeTensor>; readonly description: string } {
  const { longest, lists } = checkTerms(terms), tensors = new Map<string, SafeTensor>();
  lists.forEach(({ fingerprints }, i) => {
    const shape = [fingerprints.length / FINGERPRINT_WORDS, FINGERPRINT_WORDS];
    tensors.set(`terms.${i}`, { dtype: "I32", shape, data: bytesOfWords(fingerprints) });
  });
  const plain = { longest, lists: lists.map(({ rule }) => plainRule(rule)) };
  return { tensors, description: JSON.stringify(plain) };
}

/**
 * Terms of a package. Throws {@link FormatError} `package/metadata` for a description that is none, `package/tensor` for a
 * tensor that is missing or of another shape; ModelError `model/lexicon` for lists that cannot be.
 */
export function termsFromTensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  description: string,
): TermLists {
  const { longest, lists } = parseJsonObject(description, "package/metadata", WHERE);
  if (!Array.isArray(lists)) {
    throw new FormatError("package/metadata", `${WHERE} has no lists.`);
  }
  return checkTerms({
    longest: longest as number,
    lists: lists.map((plain, i) => {
      const rule = ruleOf(plain, i), name = `terms.${i}`, tensor = tensors.get(name);
      if (
        tensor?.dtype !== "I32" || tensor.shape.length !== 2 ||
        tensor.shape[1] !== FINGERPRINT_WORDS
      ) {
        throw new FormatError(
          "package/tensor",
          tensor === undefined
            ? `The package has no tensor ${JSON.stringify(name)}.`
            : `Tensor ${
              JSON.stringify(name)
            } is ${tensor.dtype} [${tensor.shape}], expected I32 [terms,2].`,
        );
      }
      return { rule, fingerprints: wordsOfTensor(tensor) };
    }),
  });
}
