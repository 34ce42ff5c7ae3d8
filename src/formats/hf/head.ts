/**
 * The token classifier of an encoder, by its usual names in a safetensors file.
 *
 * An encoder that was exported alone (`last_hidden_state`) needs its head beside it, and a checkpoint has it
 * among the other parameters. transformers calls it `classifier`; other training code calls it otherwise,
 * and a file with nothing but a head may leave the module's name out.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { LinearWeights } from "../../model/weights.ts";
import { checkFinite } from "../check.ts";
import { readSafetensors, type SafeTensor, widenedFloats } from "../safetensors/read.ts";

/** Names of the linear map from hidden states to labels, the commonest first. */
const NAMES = [
  "classifier",
  "token_classifier",
  "classification_head",
  "emissions",
  "hidden2tag",
  "head",
  "linear",
  "fc",
  "score",
];

/** The head among these tensors; throws {@link FormatError} `head/tensor`. */
export function findHead(
  tensors: ReadonlyMap<string, SafeTensor>,
  labels: number,
  hidden?: number,
): LinearWeights {
  const bare = tensors.has("weight") && tensors.size <= 2 ? [""] : [];
  const [prefix] = [...bare, ...NAMES.map((name) => `${name}.`)].flatMap((name) =>
    // A wrapping module may have put its own name in front.
    [...tensors.keys()].filter((key) =>
      key === `${name}weight` || (name !== "" && key.endsWith(`.${name}weight`))
    ).filter((key) => tensors.get(key)!.shape.length === 2)
  ).map((key) => key.slice(0, -"weight".length));
  if (prefix === undefined) {
    throw new FormatError(
      "head/tensor",
      `There is no classifier: expected "classifier.weight" of shape [${labels}, ` +
        `${
          hidden ?? "hidden size"
        }] and "classifier.bias", in the checkpoint or handed in as a head.`,
    );
  }
  const weight = tensors.get(`${prefix}weight`)!, bias = tensors.get(`${prefix}bias`);
  const [rows, columns] = weight.shape as [number, number];
  const wrong = rows !== labels || (hidden !== undefined && columns !== hidden);
  if (wrong || (bias !== undefined && bias.shape.join() !== String(rows))) {
    throw new FormatError(
      "head/tensor",
      `The classifier ${
        JSON.stringify(`${prefix}weight`)
      } has shape [${weight.shape}] and its bias ` +
        `[${bias?.shape ?? "none"}], expected [${labels}, ${
          hidden ?? "hidden size"
        }] and [${labels}].`,
    );
  }
  const floats = (tensor: SafeTensor, part: string): Float32Array =>
    checkFinite(prefix + part, widenedFloats(tensor, prefix + part));
  return {
    weight: { type: "f32", rows, columns, data: floats(weight, "weight") },
    bias: bias === undefined ? new Float32Array(rows) : floats(bias, "bias"),
  };
}

/** The head of a safetensors file that was handed in; throws {@link FormatError} `head/tensor`. */
export function headFromTensors(bytes: Uint8Array, labels: number): LinearWeights {
  return findHead(readSafetensors(bytes).tensors, labels);
}
