/**
 * Where parameters, their derivatives and moments lie in linear memory.
 *
 * A matrix keeps its own form, one row per output, so that a product may take it either way around; rows are
 * padded to 16 floats and their number to 16, with zeros, so that no kernel needs a tail. Zeros stay zeros: their
 * derivative is 0, and AdamW moves only what has one.
 *
 * All derivatives lie in one piece of memory, which is cleared and whose norm is found at once.
 *
 * @module
 */
import { InputError, ModelError } from "../../errors.ts";
import type { Arena } from "../../kernels/memory.ts";
import type { ModelConfig } from "../../model/config.ts";
import { visitWeights } from "../../model/roles.ts";
import type { F32Matrix, LinearWeights, Matrix } from "../../model/weights.ts";
import type { Parameter, ParameterKind, TrainableModel } from "../types.ts";

/** Floats of a row in memory, and rows of a matrix. */
export function padded(n: number): number {
  return (n + 15) & ~15;
}

/** Float32 rows in linear memory, `padded(width)` floats apart. */
export interface Tensor {
  readonly address: number;
  readonly width: number;
}

/** A parameter's places. */
export interface Place {
  readonly parameter: Parameter;
  readonly rows: number;
  readonly columns: number;
  /** Floats with padding. */
  readonly size: number;
  readonly value: number;
  /** Addresses of the derivative and of both moments; 0 if it is frozen. */
  readonly gradient: number;
  readonly first: number;
  readonly second: number;
}

/** A linear layer's parameters. */
export interface LinearPlaces {
  readonly weight: Place;
  readonly bias: Place;
}

/** A LayerNorm's parameters. */
export interface NormPlaces {
  readonly gamma: Place;
  readonly beta: Place;
}

/** A transformer layer's parameters. */
export interface LayerPlaces {
  readonly qkv: LinearPlaces;
  readonly attentionOutput: LinearPlaces;
  readonly attentionNorm: NormPlaces;
  readonly up: LinearPlaces;
  readonly down: LinearPlaces;
  readonly feedForwardNorm: NormPlaces;
}

/** What lexicon features add, a row for each: at the embeddings, and of three tokens at the emissions. */
export interface FeaturePlaces {
  readonly input: Place;
  readonly window: Place;
}

/** A model's parameters by role. */
export interface ModelPlaces {
  readonly config: ModelConfig;
  readonly words: Place;
  readonly positions: Place;
  readonly types: Place | undefined;
  readonly embeddingNorm: NormPlaces;
  readonly embeddingProjection: LinearPlaces | undefined;
  /** One object may occur more than once (ALBERT). */
  readonly layers: readonly LayerPlaces[];
  /** Inside a head of two layers. */
  readonly headDense: LinearPlaces | undefined;
  readonly classifier: LinearPlaces;
  /** Of a model with lexicons. */
  readonly features: FeaturePlaces | undefined;
  readonly masked:
    | { readonly dense: LinearPlaces; readonly norm: NormPlaces; readonly bias: Place }
    | undefined;
  readonly replaced:
    | { readonly dense: LinearPlaces; readonly prediction: LinearPlaces }
    | undefined;
}

/** A parameter before it has a place. */
export interface Source {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: ParameterKind;
  readonly data: Float32Array;
}

const KINDS: readonly (readonly [RegExp, ParameterKind])[] = [
  [/^embeddings\.(word|position|type)\.weight$/, "embedding"],
  [/^crf\./, "crf"],
  [/(^|\.)norm\.(weight|bias)$/, "norm"],
  [/(^|\.)bias$/, "bias"],
  [/\.weight$/, "matrix"],
];

/** Name of the word embedding. */
export const WORDS = "embeddings.word.weight";

/**
 * Lists a model's parameters in the order of the forward pass. A part that occurs more than once (ALBERT's
 * layers) is one parameter; `aliases` leads from each of its names to the first. Throws a {@link ModelError}
 * (`model/weights`) for a matrix that is not float32, or of another shape than the configuration says.
 */
export function listParameters(
  { weights, crf, masked, replaced }: TrainableModel,
): { sources: Source[]; aliases: ReadonlyMap<string, string> } {
  const { config } = weights, sources: Source[] = [];
  const aliases = new Map<string, string>(), names = new Map<Float32Array, string>();
  const add = (name: string, shape: readonly number[], data: Float32Array | undefined): void => {
    const size = shape.reduce((product, n) => product * n, 1);
    if (data === undefined || data.length !== size) {
      throw new ModelError(
        "model/weights",
        `${name} has ${data?.length ?? 0} numbers; expected ${size}, [${shape.join(", ")}].`,
      );
    }
    const first = names.get(data);
    if (first === undefined) {
      names.set(data, name);
      const kind = KINDS.find(([pattern]) => pattern.test(name))![1];
      sources.push({ name, shape, kind, data });
    }
    aliases.set(name, first ?? name);
  };
  const matrix = (name: string, rows: number, columns: number, part?: Matrix): Matrix => {
    if (part?.type !== "f32") {
      throw new ModelError(
        "model/weights",
        `${name} is ${
          part?.type ?? "missing"
        }; training needs float32 weights: take the model from before it ` +
          "was quantized.",
      );
    }
    add(name, [rows, columns], part.data);
    return part;
  };
  const vector = (name: string, size: number, part?: Float32Array): Float32Array => {
    add(name, [size], part);
    return part!;
  };
  const linear = (name: string, rows: number, columns: number, part: LinearWeights): void => {
    matrix(`${name}.weight`, rows, columns, part.weight);
    vector(`${name}.bias`, rows, part.bias);
  };
  visitWeights(config, {
    matrix,
    table: (name, rows, columns, part) => matrix(name, rows, columns, part) as F32Matrix,
    vector,
  }, weights);
  const { hiddenSize: h, embeddingSize: e } = config, labels = config.labels.length;
  if (crf) {
    add("crf.start", [labels], crf.start);
    add("crf.end", [labels], crf.end);
    add("crf.transitions", [labels, labels], crf.transitions);
  }
  if (masked) {
    linear("masked.dense", e, h, masked.dense);
    add("masked.norm.weight", [e], masked.norm.gamma);
    add("masked.norm.bias", [e], masked.norm.beta);
    add("masked.bias", [config.vocabSize], masked.bias);
  }
  if (replaced) {
    linear("replaced.dense", h, h, replaced.dense);
    linear("replaced.prediction", 1, h, replaced.prediction);
  }
  return { sources, aliases };
}

/** All places, in the parameters' order, and the one piece of memory that holds all derivatives. */
export interface Placed {
  readonly places: readonly Place[];
  readonly gradients: { readonly address: number; readonly size: number };
}

/** Places parameters; those of rate 0 have values alone. */
export function placeParameters(arena: Arena, parameters: readonly Parameter[]): Placed {
  const sized = parameters.map((parameter) => {
    const { shape, kind } = parameter;
    // A CRF's matrix is read whole by its kernels, and is too small to pad.
    const flat = shape.length === 1 || kind === "crf";
    const columns = flat ? shape.reduce((product, n) => product * n, 1) : shape[1];
    const rows = flat ? 1 : shape[0];
    const size = (flat ? 1 : padded(rows)) * padded(columns);
    return { parameter, rows, columns, size };
  });
  const take = (wanted: (parameter: Parameter) => boolean): number[] =>
    sized.map(({ parameter, size }) => wanted(parameter) ? arena.take(size * 4) : 0);
  const learned = ({ rate }: Parameter): boolean => rate > 0;
  const values = take(() => true);
  const start = arena.take(0);
  const gradients = take(learned);
  const end = arena.take(0);
  const first = take(learned), second = take(learned);
  const places = sized.map((place, i) => ({
    ...place,
    value: values[i],
    gradient: gradients[i],
    first: first[i],
    second: second[i],
  }));
  return { places, gradients: { address: start, size: (end - start) >> 2 } };
}

/** Gives places their roles. */
export function placesByRole(
  model: TrainableModel,
  aliases: ReadonlyMap<string, string>,
  places: readonly Place[],
): ModelPlaces {
  const { config } = model.weights;
  const named = new Map(places.map((place) => [place.parameter.name, place]));
  const at = (name: string): Place => named.get(aliases.get(name)!)!;
  const maybe = (name: string): Place | undefined => aliases.has(name) ? at(name) : undefined;
  const linear = (name: string): LinearPlaces => ({
    weight: at(`${name}.weight`),
    bias: at(`${name}.bias`),
  });
  const norm = (name: string): NormPlaces => ({
    gamma: at(`${name}.weight`),
    beta: at(`${name}.bias`),
  });
  return {
    config,
    words: at(WORDS),
    positions: at("embeddings.position.weight"),
    types: maybe("embeddings.type.weight"),
    embeddingNorm: norm("embeddings.norm"),
    embeddingProjection: aliases.has("embeddings.projection.weight")
      ? linear("embeddings.projection")
      : undefined,
    layers: Array.from({ length: config.layers }, (_, i) => ({
      qkv: linear(`layers.${i}.attention.qkv`),
      attentionOutput: linear(`layers.${i}.attention.output`),
      attentionNorm: norm(`layers.${i}.attention.norm`),
      up: linear(`layers.${i}.feed_forward.up`),
      down: linear(`layers.${i}.feed_forward.down`),
      feedForwardNorm: norm(`layers.${i}.feed_forward.norm`),
    })),
    headDense: config.head && linear("head.dense"),
    classifier: linear("classifier"),
    features: model.weights.features &&
      { input: at("features.input.weight"), window: at("features.window.weight") },
    masked: model.masked &&
      { dense: linear("masked.dense"), norm: norm("masked.norm"), bias: at("masked.bias") },
    replaced: model.replaced &&
      { dense: linear("replaced.dense"), prediction: linear("replaced.prediction") },
  };
}

/** Copies a parameter, or what lies like it at `address`, out of memory. */
export function readPlace(memory: Float32Array, place: Place, address: number): Float32Array {
  const { rows, columns } = place, out = new Float32Array(rows * columns), stride = padded(columns);
  for (let r = 0, at = address >> 2; r < rows; r++, at += stride) {
    out.set(memory.subarray(at, at + columns), r * columns);
  }
  return out;
}

/** Throws an {@link InputError} (`input/tensor`) unless `data` are as many numbers as the parameter. */
export function checkSize({ rows, columns, parameter }: Place, { length }: Float32Array): void {
  if (length === rows * columns) return;
  throw new InputError(
    "input/tensor",
    `${parameter.name} has ${rows * columns} numbers, [${
      parameter.shape.join(", ")
    }]; got ${length}.`,
  );
}

/** Copies a tensor into memory; throws as {@link checkSize}. */
export function writePlace(
  memory: Float32Array,
  place: Place,
  address: number,
  data: Float32Array,
): void {
  const { rows, columns } = place, stride = padded(columns);
  checkSize(place, data);
  for (let r = 0, at = address >> 2; r < rows; r++, at += stride) {
    memory.set(data.subarray(r * columns, (r + 1) * columns), at);
  }
}
