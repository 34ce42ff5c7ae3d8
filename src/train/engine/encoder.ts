/**
 * A BERT encoder's forward and backward pass, side by side, top to bottom.
 *
 * Post-norm transformer layers (Devlin et al., arXiv 1810.04805) with dropout on embeddings, attention weights and
 * each sublayer's output. Each backward function reads its forward one from the last line to the first. What
 * is kept in between is a layer's {@link Activations}: the input of every product, the argument of every norm
 * and activation, and no attention weights, which attention computes again.
 *
 * @module
 */
import type { ModelConfig } from "../../model/config.ts";
import type { Operations } from "./operations.ts";
import type { LayerPlaces, ModelPlaces, Place, Tensor } from "./places.ts";

/** What one layer keeps for its backward pass; shared by all layers where they are computed again. */
export interface Activations {
  readonly qkv: Tensor;
  readonly context: Tensor;
  /** Arguments of the two norms. */
  readonly attentionSum: Tensor;
  readonly feedForwardSum: Tensor;
  /** Between the sublayers. */
  readonly middle: Tensor;
  /** The feed-forward network before and after its activation. */
  readonly inner: Tensor;
  readonly active: Tensor;
}

/** All tensors of a pass. */
export interface Tensors {
  readonly embeddingSum: Tensor;
  /** The embeddings, where they are narrower or wider than the hidden state. */
  readonly embedded: Tensor;
  /** Input of each layer, and at last the output of the last. */
  readonly hidden: readonly Tensor[];
  readonly layers: readonly Activations[];
  /** A sublayer's output before it joins the hidden state. */
  readonly update: Tensor;
  /** Derivatives by a layer's output and then its input, by what lies between, and by an update. */
  readonly dHidden: Tensor;
  readonly dMiddle: Tensor;
  readonly dUpdate: Tensor;
  readonly dInner: Tensor;
  readonly dContext: Tensor;
  readonly dQkv: Tensor;
  readonly dEmbedded: Tensor;
  readonly dEmbeddingSum: Tensor;
}

/** The dropout sites of layer `l`: one a head, then those of the two sublayers' outputs. */
function sites(
  { heads }: ModelConfig,
  l: number,
): { heads: number; attention: number; feedForward: number } {
  const first = l * (heads + 2);
  return { heads: first, attention: first + heads, feedForward: first + heads + 1 };
}

/** The dropout site before the classifier, after the layers' and the embeddings'. */
export function classifierSite(config: ModelConfig): number {
  return sites(config, config.layers).heads + 1;
}

/** hidden[0] = project(drop(LayerNorm(word[id] + position + type) + features)). */
export function embedForward(ops: Operations, model: ModelPlaces, t: Tensors): void {
  const { config, words, positions, types, embeddingNorm, embeddingProjection, features } = model;
  ops.embed(words, positions, types, t.embeddingSum);
  const site = sites(config, config.layers).heads, epsilon = config.layerNormEpsilon;
  if (features) {
    ops.norm(t.embeddingSum, embeddingNorm, epsilon, t.embedded);
    ops.addFeatures(t.embedded, features.input);
    ops.drop(t.embedded, t.embedded, site);
  } else ops.norm(t.embeddingSum, embeddingNorm, epsilon, t.embedded, { site });
  if (embeddingProjection) ops.linear(t.embedded, embeddingProjection, t.hidden[0]);
}

export function embedBackward(ops: Operations, model: ModelPlaces, t: Tensors): void {
  const { config, words, positions, types, embeddingNorm, embeddingProjection, features } = model;
  if (embeddingProjection) {
    ops.linearBackward(t.embedded, embeddingProjection, t.dHidden, t.dEmbedded);
  }
  const site = sites(config, config.layers).heads;
  ops.drop(t.dEmbedded, t.dEmbedded, site);
  if (features) ops.featuresBackward(t.dEmbedded, features.input);
  ops.normBackward(
    t.dEmbedded,
    t.embeddingSum,
    embeddingNorm,
    config.layerNormEpsilon,
    t.dEmbeddingSum,
  );
  ops.embedBackward(t.dEmbeddingSum, words, positions, types);
}

/** hidden[l + 1] from hidden[l]. */
export function layerForward(ops: Operations, model: ModelPlaces, t: Tensors, l: number): void {
  const { config, layers: { [l]: layer } } = model, { heads, layerNormEpsilon } = config;
  const { [l]: a } = t.layers, { [l]: x, [l + 1]: y } = t.hidden, site = sites(config, l);

  ops.linear(x, layer.qkv, a.qkv);
  ops.attention(a.qkv, a.context, heads, site.heads);
  ops.linear(a.context, layer.attentionOutput, t.update);
  // deno-fmt-ignore
  ops.addNorm(x, t.update, layer.attentionNorm, layerNormEpsilon, a.attentionSum, a.middle, site.attention);

  ops.linear(a.middle, layer.up, a.inner);
  ops.activate(a.inner, config.activation, a.active);
  ops.linear(a.active, layer.down, t.update);
  // deno-fmt-ignore
  ops.addNorm(a.middle, t.update, layer.feedForwardNorm, layerNormEpsilon, a.feedForwardSum, y, site.feedForward);
}

/**
 * From dHidden, the derivative by hidden[l + 1], that by hidden[l], in its place, unless nobody needs it. `dWeights`: where the
 * derivative by the layer's attention weights lies, or 0.
 */
export function layerBackward(
  ops: Operations,
  model: ModelPlaces,
  t: Tensors,
  l: number,
  { needed, dWeights }: { readonly needed: boolean; readonly dWeights: number },
): void {
  const { config, layers: { [l]: layer } } = model, { heads, layerNormEpsilon } = config;
  const { [l]: a } = t.layers, { [l]: x } = t.hidden, site = sites(config, l);
  // Where nothing is dropped, an update's derivative is the sum's.
  const dropped = (d: Tensor): Tensor => ops.dropping ? t.dUpdate : d;

  // deno-fmt-ignore
  ops.normBackward(t.dHidden, a.feedForwardSum, layer.feedForwardNorm, layerNormEpsilon, t.dMiddle, { update: { d: t.dUpdate, site: site.feedForward } });
  ops.linearBackward(a.active, layer.down, dropped(t.dMiddle), t.dInner);
  ops.activateBackward(a.inner, config.activation, t.dInner);
  ops.linearBackward(a.middle, layer.up, t.dInner, t.dMiddle, { add: true });

  // deno-fmt-ignore
  ops.normBackward(t.dMiddle, a.attentionSum, layer.attentionNorm, layerNormEpsilon, t.dHidden, { update: { d: t.dUpdate, site: site.attention } });
  ops.linearBackward(a.context, layer.attentionOutput, dropped(t.dHidden), t.dContext);
  ops.attentionBackward(a.qkv, t.dContext, t.dQkv, heads, site.heads, dWeights);
  ops.linearBackward(x, layer.qkv, t.dQkv, needed ? t.dHidden : undefined, { add: true });
}

/** Whether a parameter is learned. */
function learned(place: Place | undefined): boolean {
  return place !== undefined && place.gradient !== 0;
}

function layerLearned({ attentionNorm, feedForwardNorm, ...linears }: LayerPlaces): boolean {
  return [attentionNorm, feedForwardNorm].some((norm) =>
    learned(norm.gamma) || learned(norm.beta)
  ) ||
    Object.values(linears).some(({ weight, bias }) => learned(weight) || learned(bias));
}

/** How far back derivatives are needed: the lowest layer that learns, -1 for the embeddings; none: all layers. */
export function lowestLearned(model: ModelPlaces): number {
  const { words, positions, types, embeddingNorm, embeddingProjection, layers } = model;
  const embeddings = [words, positions, types, embeddingNorm.gamma, embeddingNorm.beta];
  if (embeddingProjection) embeddings.push(embeddingProjection.weight, embeddingProjection.bias);
  if (model.features) embeddings.push(model.features.input);
  if (embeddings.some(learned)) return -1;
  const lowest = layers.findIndex(layerLearned);
  return lowest < 0 ? layers.length : lowest;
}
