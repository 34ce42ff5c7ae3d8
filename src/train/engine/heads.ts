/**
 * What stands on the encoder, forward and backward: emissions of labels, of masked word pieces, of replaced
 * tokens.
 *
 * labels:   x W^T + b, x being drop(hidden), or activation(dense drop(hidden)) in a head of two layers
 * masked:   LayerNorm(activation(dense x)) E^T + b, E being the word embedding (Devlin et al., arXiv 1810.04805)
 * replaced: prediction(activation(dense x)) (Clark et al., arXiv 2003.10555)
 *
 * A head sees all tokens, or those that its loss asks for: of 1000 tokens 150 are masked, and each has as many
 * logits as there are word pieces.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Activation } from "../../model/activations.ts";
import type { Head } from "../types.ts";
import { classifierSite } from "./encoder.ts";
import type { Operations } from "./operations.ts";
import type { LinearPlaces, ModelPlaces, Tensor } from "./places.ts";

/** A head's tensors; those that it does not use are undefined. */
export interface HeadTensors {
  /** Rows of the hidden state that were asked for; in the labels' head what dropout leaves of them. */
  readonly gathered: Tensor;
  /** Inside the masked head, the replaced one and one of two layers: before and after the activation, after the norm. */
  readonly inner: Tensor | undefined;
  readonly active: Tensor | undefined;
  readonly normed: Tensor | undefined;
  readonly dInner: Tensor | undefined;
  readonly dNormed: Tensor | undefined;
  readonly emissions: Tensor;
  readonly cotangent: Tensor;
  /** Which rows, int32. */
  readonly indices: number;
}

/** emissions = head(hidden), for `rows` of the tokens at `t.indices` or, without, for all. */
export function headForward(
  ops: Operations,
  model: ModelPlaces,
  head: Head,
  hidden: Tensor,
  t: HeadTensors,
  rows: number | undefined,
): void {
  const { config: { layerNormEpsilon }, masked, replaced, classifier, features } = model;
  const m = rows ?? ops.tokens, x = inputOf(ops, head, hidden, t, rows);
  const window = head === "labels" ? features?.window : undefined;
  if (window && rows !== undefined) {
    throw new InputError(
      "input/option",
      "with lexicon features, a loss on labels is one of all tokens.",
    );
  }
  if (rows !== undefined) ops.gather(hidden, t.indices, x, m);
  if (head === "labels") {
    ops.drop(rows === undefined ? hidden : x, t.gathered, classifierSite(model.config), m);
  }
  const inner = innerOf(model, head);
  if (inner === undefined) ops.linear(x, classifier, t.emissions, m);
  else {
    ops.linear(x, inner.dense, t.inner!, m);
    ops.activate(t.inner!, inner.activation, t.active!, m);
    if (head === "labels") ops.linear(t.active!, classifier, t.emissions, m);
    else if (head === "replaced") ops.linear(t.active!, replaced!.prediction, t.emissions, m);
    else {
      ops.norm(t.active!, masked!.norm, layerNormEpsilon, t.normed!, { rows: m });
      ops.linear(t.normed!, { weight: model.words, bias: masked!.bias }, t.emissions, m);
    }
  }
  if (window) ops.addFeatures(t.emissions, window);
}

/** dHidden from the cotangent; undefined: nothing below the head learns. */
export function headBackward(
  ops: Operations,
  model: ModelPlaces,
  head: Head,
  hidden: Tensor,
  t: HeadTensors,
  rows: number | undefined,
  dHidden: Tensor | undefined,
): void {
  const { config: { layerNormEpsilon }, masked, replaced, classifier, features } = model;
  const m = rows ?? ops.tokens, x = inputOf(ops, head, hidden, t, rows);
  if (head === "labels" && features) ops.featuresBackward(t.cotangent, features.window);
  const dx = dHidden && (rows === undefined ? dHidden : t.gathered);
  const inner = innerOf(model, head);
  if (inner === undefined) ops.linearBackward(x, classifier, t.cotangent, dx, { rows: m });
  else {
    if (head === "labels") {
      ops.linearBackward(t.active!, classifier, t.cotangent, t.dInner!, { rows: m });
    } else if (head === "replaced") {
      ops.linearBackward(t.active!, replaced!.prediction, t.cotangent, t.dInner!, { rows: m });
    } else {
      const decoder = { weight: model.words, bias: masked!.bias };
      ops.linearBackward(t.normed!, decoder, t.cotangent, t.dNormed!, { rows: m });
      // deno-fmt-ignore
      ops.normBackward(t.dNormed!, t.active!, masked!.norm, layerNormEpsilon, t.dInner!, { rows: m });
    }
    ops.activateBackward(t.inner!, inner.activation, t.dInner!, m);
    ops.linearBackward(x, inner.dense, t.dInner!, dx, { rows: m });
  }
  if (dx && head === "labels") ops.drop(dx, dx, classifierSite(model.config), m);
  if (dHidden && rows !== undefined) {
    ops.clear(dHidden, ops.tokens);
    ops.gatherBackward(t.gathered, t.indices, dHidden, m);
  }
}

/** What a head reads: the hidden state itself where all rows are asked for and nothing of them is dropped. */
function inputOf(
  ops: Operations,
  head: Head,
  hidden: Tensor,
  t: HeadTensors,
  rows: number | undefined,
): Tensor {
  return rows === undefined && !(head === "labels" && ops.dropping) ? hidden : t.gathered;
}

/** A head's inner layer; undefined for a classifier that reads the hidden state. */
function innerOf(
  { config, headDense, masked, replaced }: ModelPlaces,
  head: Head,
): { readonly dense: LinearPlaces; readonly activation: Activation } | undefined {
  if (head === "labels") {
    return headDense && { dense: headDense, activation: config.head!.activation };
  }
  const dense = (head === "masked" ? masked : replaced)?.dense;
  if (dense) return { dense, activation: config.activation };
  throw new InputError(
    "input/option",
    `the loss asks for the head "${head}", which this model does not have.`,
  );
}
