/**
 * The token classifier of an encoder, by its usual names in a safetensors file.
 *
 * An encoder that was exported alone (`last_hidden_state`) needs its head beside it, and a checkpoint has it
 * among the other parameters. transformers calls it `classifier`; other training code calls it otherwise,
 * and a file with nothing but a head may leave the module's name out.
 *
 * A head of two layers is a module with `dense` and `out_proj`, as transformers' RobertaClassificationHead and
 * ElectraClassificationHead have them, or a `torch.nn.Sequential` with two linear maps. What stands between the
 * two is in no file of parameters: it is `classifier_activation` of config.json, or what those two classes compute.
 *
 * @module
 */
import { FormatError, ModelError } from "../../errors.ts";
import {
  type Activation,
  ACTIVATION_NAMES,
  activationNamed,
  ACTIVATIONS,
} from "../../model/activations.ts";
import type { HeadConfig } from "../../model/config.ts";
import type { LinearWeights } from "../../model/weights.ts";
import { checkFinite } from "../check.ts";
import { readSafetensors, type SafeTensor, widenedFloats } from "../safetensors/read.ts";
import type { HfConfig } from "./config.ts";

/** Names of the head, the commonest first. */
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

/** What transformers' classes of a head with `dense` and `out_proj` compute in between, by `model_type`. */
const BETWEEN: Readonly<Record<string, Activation>> = {
  roberta: "tanh",
  "xlm-roberta": "tanh",
  camembert: "tanh",
  electra: "gelu",
};

/** A head as it was found. */
export interface Head {
  /** What the names of its parameters begin with. */
  readonly prefixes: readonly string[];
  /** The linear map to the labels. */
  readonly classifier: LinearWeights;
  /** The one in front of it, in a head of two layers. */
  readonly dense?: { readonly linear: LinearWeights; readonly config: HeadConfig };
}

type Tensors = ReadonlyMap<string, SafeTensor>;

function fail(message: string): never {
  throw new FormatError("head/tensor", message);
}

/** Prefixes of the module's linear maps, input first: one or two. */
function linearsIn(tensors: Tensors): string[] | undefined {
  const names = [...tensors.keys()];
  const isMatrix = (name: string): boolean => tensors.get(name)?.shape.length === 2;
  if (isMatrix("weight") && tensors.size <= 2) return [""];
  for (const name of NAMES) {
    // A wrapping module may have put its own name in front.
    const single = names.find((key) => `.${key}`.endsWith(`.${name}.weight`) && isMatrix(key));
    if (single !== undefined) return [single.slice(0, -"weight".length)];
    const module = names.flatMap((key) =>
      new RegExp(`^(?:.*\\.)?${name}\\.(?=(?:dense|\\d+)\\.weight$)`).exec(key) ?? []
    )[0];
    if (module !== undefined) {
      return pairIn(
        module,
        names.filter((key) =>
          key.startsWith(module)
        ),
      );
    }
  }
  return undefined;
}

/** The two linear maps of a module; throws {@link FormatError} `head/tensor` for one that has anything else. */
function pairIn(module: string, names: readonly string[]): string[] {
  const parts = new Set(names.map((name) => name.slice(module.length).replace(/\.[^.]*$/, "")));
  const pair = parts.has("dense")
    ? ["dense", "out_proj"]
    : [...parts].sort((a, b) => Number(a) - Number(b));
  const known = pair.flatMap((part) => [`${module}${part}.weight`, `${module}${part}.bias`]);
  // A Sequential of one linear map has something else beside it, which may be an activation in front.
  if (pair.length !== 2 || !names.every((name) => known.includes(name))) {
    fail(
      `The head ${JSON.stringify(module.slice(0, -1))} has the tensors ${
        names.join(", ")
      }; expected ` +
        `${JSON.stringify(`${module}weight`)} alone, or two linear maps.`,
    );
  }
  return pair.map((part) => `${module}${part}.`);
}

/** What a head of two layers computes between them; throws {@link ModelError} `config/unsupported`. */
function activationOf(
  prefixes: readonly string[],
  { headActivation, modelType = "" }: Pick<HfConfig, "headActivation" | "modelType">,
): Activation {
  const usual = prefixes[0]!.endsWith("dense.") && Object.hasOwn(BETWEEN, modelType)
    ? BETWEEN[modelType]
    : undefined;
  const activation = headActivation === undefined ? usual : activationNamed(headActivation);
  if (activation !== undefined) return activation;
  const known = ACTIVATION_NAMES.flatMap((each) => ACTIVATIONS[each].names).join(", ");
  const names = prefixes.map((prefix) => prefix.slice(0, -1)).join(" and ");
  throw new ModelError(
    "config/unsupported",
    `The head has two layers, ${names}, and what stands between them is ` +
      `${headActivation === undefined ? "not said" : JSON.stringify(headActivation)}: ` +
      `config.json's classifier_activation must be one of ${known}.`,
  );
}

/**
 * The head among these tensors. Throws {@link FormatError} `head/tensor` where there is none or it does not fit, and
 * {@link ModelError} `config/unsupported` for one of two layers that config.json does not say enough about.
 */
export function findHead(
  tensors: Tensors,
  config: Pick<HfConfig, "labels" | "headActivation" | "modelType">,
  hidden?: number,
): Head {
  const labels = config.labels.length, columns = hidden ?? "hidden size";
  const prefixes = linearsIn(tensors) ??
    fail(
      `There is no classifier: expected "classifier.weight" of shape [${labels}, ${columns}] and ` +
        '"classifier.bias", in the checkpoint or handed in as a head.',
    );
  const linear = (prefix: string, outputs?: number, inputs?: number): LinearWeights => {
    const weight = tensors.get(`${prefix}weight`), bias = tensors.get(`${prefix}bias`);
    const [rows = 0, found = 0] = weight?.shape ?? [];
    const fits = weight?.shape.length === 2 && rows === (outputs ?? rows) &&
      found === (inputs ?? found) && (bias === undefined || bias.shape.join() === String(rows));
    if (!fits) {
      const sizes = [outputs ?? "any", inputs ?? "hidden size"];
      fail(
        `The classifier ${JSON.stringify(`${prefix}weight`)} has shape [${
          weight?.shape ?? "none"
        }] and its bias [${bias?.shape ?? "none"}], expected [${sizes.join(", ")}] and [${
          sizes[0]
        }].`,
      );
    }
    const floats = (tensor: SafeTensor, part: string): Float32Array =>
      checkFinite(prefix + part, widenedFloats(tensor, prefix + part));
    return {
      weight: { type: "f32", rows, columns: found, data: floats(weight, "weight") },
      bias: bias === undefined ? new Float32Array(rows) : floats(bias, "bias"),
    };
  };
  const [first, second] = prefixes as [string, string?];
  if (second === undefined) return { prefixes, classifier: linear(first, labels, hidden) };
  const activation = activationOf(prefixes, config), inner = linear(first, undefined, hidden);
  const size = inner.weight.rows;
  return {
    prefixes,
    classifier: linear(second, labels, size),
    dense: { linear: inner, config: { size, activation } },
  };
}

/** The head of a safetensors file that was handed in; throws as {@link findHead} does. */
export function headFromTensors(
  bytes: Uint8Array,
  config: Pick<HfConfig, "labels" | "headActivation" | "modelType">,
): Head {
  return findHead(readSafetensors(bytes).tensors, config);
}
