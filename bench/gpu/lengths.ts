/**
 * Attention alone over texts of 1 to 2048 tokens, and the largest buffer that an encoder for such a text has: it grows with the
 * length, where scores that were stored would grow with its square.
 *
 * The layer is the model's first one; words and positions are made up, and queries, keys and values are zeros: neither time
 * nor memory hangs on what they are.
 *
 * @module
 */
import type { Backend } from "../../src/backend/backend.ts";
import type { EncoderWeights, F32Matrix } from "../../mod.ts";
import { withoutFeatures } from "../../src/model/without_lexicons.ts";
import { batchOf, gpuBackend, operationTime } from "./operation.ts";

const LENGTHS = [1, 8, 32, 128, 512, 1024, 2048], SMOKE = [1, 33];

/** Attention over one text. */
export interface LengthShare {
  readonly length: number;
  readonly ms: number;
  /** Giga-operations a second, and as a share of the adapter's peak. */
  readonly rate: number;
  readonly share: number;
  /** Bytes of the largest buffer on the GPU. */
  readonly largest: number;
  /** Bytes that all scores would take. */
  readonly scores: number;
}

/** A model's first layer, for texts of so many tokens of one word. */
function oneLayer(weights: EncoderWeights, positions: number): EncoderWeights {
  const plain = withoutFeatures(weights), { config } = plain;
  const table = (rows: number): F32Matrix => ({
    type: "f32",
    rows,
    columns: config.embeddingSize,
    data: new Float32Array(rows * config.embeddingSize),
  });
  return {
    ...plain,
    config: { ...config, layers: 1, vocabSize: 1, maxPositions: positions },
    wordEmbedding: table(1),
    positionEmbedding: table(positions),
    layers: weights.layers.slice(0, 1),
  };
}

/** Measures it, in float32; `quick`: each but once, and with `smoke` but two lengths. */
export async function measureLengths(
  gpu: GPU,
  weights: EncoderWeights,
  peak: number,
  { smoke, quick }: { readonly smoke: boolean; readonly quick: boolean },
): Promise<readonly LengthShare[]> {
  const { heads, hiddenSize } = weights.config, found: LengthShare[] = [];
  for (const length of smoke ? SMOKE : LENGTHS) {
    let largest = 0;
    const backend: Backend = await gpuBackend(
      gpu,
      oneLayer(weights, length),
      "f32",
      length,
      (size) => {
        largest = Math.max(largest, size);
      },
    );
    const { qkv, context } = backend.workspace, batch = batchOf(1, 1, length);
    const write = (): void => backend.attention(qkv, context);
    const ms = await operationTime(backend, batch, write, quick);
    const rate = 4 * length * length * hiddenSize / ms / 1e6;
    const scores = 4 * heads * length * length;
    found.push({ length, ms, rate, share: rate / peak, largest, scores });
    backend.close();
  }
  return found;
}
