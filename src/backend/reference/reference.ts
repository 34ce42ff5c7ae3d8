/**
 * The encoder's operations in plain TypeScript: what the kernels are tested against.
 *
 * Every sum runs in float64 and is rounded once to float32. It shares no code and no layout with the
 * kernels, takes nothing but arrays, and is some hundred times slower.
 *
 * @module
 */
import { type Adapter, checkAdapter, mergeAdapter } from "../../model/adapter.ts";
import { type Activation, ACTIVATIONS, forActivation } from "../../model/activations.ts";
import type { ModelConfig } from "../../model/config.ts";
import { linearsOf } from "../../model/linears.ts";
import type {
  EncoderWeights,
  LayerWeights,
  LinearWeights,
  NormWeights,
} from "../../model/weights.ts";
import { dequantizeEncoder } from "../../quantize/encoder.ts";
import { dequantizeMatrix } from "../../quantize/matrix.ts";
import type { Backend, LayerHandles, PackedBatch, ThreadState, Workspace } from "../backend.ts";
import { checkBatch } from "../batch.ts";

interface RefTensor {
  readonly width: number;
  data: Float32Array;
}

interface RefLinear {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

interface RefNorm extends NormWeights {
  readonly width: number;
}

interface RefTable {
  readonly width: number;
  readonly window: boolean;
  readonly data: Float32Array;
}

function linearOf({ weight, bias }: LinearWeights): RefLinear {
  return {
    inputs: weight.columns,
    outputs: weight.rows,
    weight: dequantizeMatrix(weight).data,
    bias,
  };
}

function normOf(norm: NormWeights): RefNorm {
  return { ...norm, width: norm.gamma.length };
}

function layerOf(layer: LayerWeights): LayerHandles {
  return {
    qkv: linearOf(layer.qkv),
    attentionOutput: linearOf(layer.attentionOutput),
    attentionNorm: normOf(layer.attentionNorm),
    up: linearOf(layer.up),
    down: linearOf(layer.down),
    feedForwardNorm: normOf(layer.feedForwardNorm),
  };
}

function normalize(row: Float32Array, norm: RefNorm, epsilon: number): void {
  let mean = 0;
  for (const v of row) mean += v;
  mean /= row.length;
  let variance = 0;
  for (const v of row) variance += (v - mean) ** 2;
  const inverse = 1 / Math.sqrt(variance / row.length + epsilon);
  for (let i = 0; i < row.length; i++) {
    row[i] = (row[i] - mean) * inverse * norm.gamma[i] + norm.beta[i];
  }
}

/** The oracle: {@link Backend} on plain arrays. */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly config: ModelConfig;
  readonly embeddingProjection: RefLinear | undefined;
  readonly layers: readonly LayerHandles[];
  readonly headDense: RefLinear | undefined;
  readonly classifier: RefLinear;
  readonly features: { readonly input: RefTable; readonly window: RefTable } | undefined;
  readonly workspace: Workspace;
  readonly maxTokens: number;
  readonly memoryBytes: number;
  readonly threads: ThreadState = { threads: 1, chunks: [] };
  readonly #weights: EncoderWeights;
  #embedding: { word: Float32Array; position: Float32Array; type: Float32Array; norm: RefNorm };
  #batch: PackedBatch = { ids: new Int32Array(0), offsets: new Int32Array(1) };

  /** Takes weights of either type; int8 matrices are expanded. */
  constructor(weights: EncoderWeights, maxTokens: number) {
    const { config } = weights;
    this.#weights = weights;
    this.config = config;
    this.maxTokens = maxTokens;
    this.embeddingProjection = weights.embeddingProjection &&
      linearOf(weights.embeddingProjection);
    this.layers = weights.layers.map(layerOf);
    this.headDense = weights.headDense && linearOf(weights.headDense);
    this.classifier = linearOf(weights.classifier);
    this.features = weights.features && {
      input: { width: config.embeddingSize, window: false, data: weights.features.input.data },
      window: { width: config.labels.length, window: true, data: weights.features.window.data },
    };
    this.#embedding = {
      word: dequantizeMatrix(weights.wordEmbedding).data,
      position: dequantizeMatrix(weights.positionEmbedding).data,
      type: weights.typeEmbedding
        ? dequantizeMatrix(weights.typeEmbedding).data
        : new Float32Array(weights.wordEmbedding.columns),
      norm: normOf(weights.embeddingNorm),
    };
    const tensor = (width: number): RefTensor => ({ width, data: new Float32Array(0) });
    const hidden = tensor(config.hiddenSize);
    this.workspace = {
      embedded: this.embeddingProjection ? tensor(weights.wordEmbedding.columns) : hidden,
      hidden,
      qkv: tensor(3 * config.hiddenSize),
      context: tensor(config.hiddenSize),
      update: tensor(config.hiddenSize),
      inner: tensor(config.feedForwardSize),
      head: this.headDense ? tensor(this.headDense.outputs) : hidden,
      emissions: tensor(config.labels.length),
    };
    const columns = Object.values(this.workspace).reduce((sum, t) => sum + t.width, 0);
    const parameters = this.#embedding.word.length + this.#embedding.position.length +
      linearsOf(weights).reduce((sum, { weight }) => sum + weight.rows * weight.columns, 0);
    this.memoryBytes = 4 * (parameters + columns * maxTokens);
  }

  begin(batch: PackedBatch): void {
    checkBatch(batch, this.config, this.maxTokens);
    this.#batch = batch;
    for (const tensor of Object.values(this.workspace) as RefTensor[]) {
      tensor.data = new Float32Array(batch.ids.length * tensor.width);
    }
  }

  embed(out: RefTensor): void {
    const { word, position, type, norm } = this.#embedding;
    const { ids, offsets } = this.#batch, n = out.width;
    for (let s = 1; s < offsets.length; s++) {
      for (let t = offsets[s - 1]; t < offsets[s]; t++) {
        const row = out.data.subarray(t * n, (t + 1) * n), p = t - offsets[s - 1];
        for (let i = 0; i < n; i++) row[i] = word[ids[t] * n + i] + position[p * n + i] + type[i];
        normalize(row, norm, this.config.layerNormEpsilon);
      }
    }
  }

  addFeatures(x: RefTensor, { width, window, data }: RefTable): void {
    const { ids, offsets, features } = this.#batch, count = this.config.features!;
    for (let s = 1; s < offsets.length; s++) {
      for (let t = offsets[s - 1]; t < offsets[s]; t++) {
        const near = window ? [t - 1, t, t + 1] : [t];
        for (let c = 0; c < width; c++) {
          let sum = x.data[t * width + c];
          near.forEach((u, part) => {
            if (u < offsets[s - 1] || u >= Math.min(offsets[s], ids.length)) return;
            for (let j = 0; j < count; j++) {
              sum += features![u * count + j] * data[(part * count + j) * width + c];
            }
          });
          x.data[t * width + c] = sum;
        }
      }
    }
  }

  linear(x: RefTensor, { inputs, outputs, weight, bias }: RefLinear, out: RefTensor): void {
    for (let t = 0; t < this.#batch.ids.length; t++) {
      for (let o = 0; o < outputs; o++) {
        let sum = 0;
        for (let i = 0; i < inputs; i++) sum += x.data[t * inputs + i] * weight[o * inputs + i];
        out.data[t * outputs + o] = sum + bias[o];
      }
    }
  }

  activate(x: RefTensor, activation: Activation): void {
    const { value } = forActivation(ACTIVATIONS, activation);
    x.data.forEach((v, i) => x.data[i] = value(v));
  }

  attention(qkv: RefTensor, out: RefTensor): void {
    const { hiddenSize, heads } = this.config, { offsets } = this.#batch;
    const d = hiddenSize / heads, n = qkv.width;
    for (let s = 1; s < offsets.length; s++) {
      for (let h = 0; h < heads; h++) {
        for (let t = offsets[s - 1]; t < offsets[s]; t++) {
          const scores: number[] = [];
          for (let u = offsets[s - 1]; u < offsets[s]; u++) {
            let dot = 0;
            for (let i = h * d; i < (h + 1) * d; i++) {
              dot += qkv.data[t * n + i] * qkv.data[u * n + hiddenSize + i];
            }
            scores.push(dot / Math.sqrt(d));
          }
          const high = scores.reduce((a, b) => Math.max(a, b), -Infinity);
          const weights = scores.map((v) => Math.exp(v - high));
          const total = weights.reduce((a, b) => a + b, 0);
          for (let i = h * d; i < (h + 1) * d; i++) {
            let sum = 0;
            weights.forEach((w, u) => {
              sum += w * qkv.data[(offsets[s - 1] + u) * n + 2 * hiddenSize + i];
            });
            out.data[t * hiddenSize + i] = sum / total;
          }
        }
      }
    }
  }

  addNorm(x: RefTensor, update: RefTensor, norm: RefNorm): void {
    const n = x.width;
    for (let t = 0; t < this.#batch.ids.length; t++) {
      const row = x.data.subarray(t * n, (t + 1) * n);
      for (let i = 0; i < n; i++) row[i] += update.data[t * n + i];
      normalize(row, norm, this.config.layerNormEpsilon);
    }
  }

  read(x: RefTensor): Promise<Float32Array> {
    return Promise.resolve(x.data.slice());
  }

  /** Merges: an oracle has one way to multiply. What is not adapted is shared. */
  adapt(adapter: Adapter): ReferenceBackend {
    checkAdapter(adapter, this.config);
    const weights = mergeAdapter(dequantizeEncoder(this.#weights), adapter);
    return new ReferenceBackend(weights, this.maxTokens);
  }

  share(): ReferenceBackend {
    return this;
  }

  close(): void {}
}
