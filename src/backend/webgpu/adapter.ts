/**
 * An adapter beside its encoder in GPU memory: the thin matrices of its parts, and a head of its own.
 *
 * A and B stay float32 whatever the encoder's precision: they are a few percent of the bytes, and what they add is
 * small enough to be lost in a rounding. B has the scale in it.
 *
 * @module
 */
import type { Adapter, AdapterPart } from "../../model/adapter.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { LAYER_LINEARS } from "../../model/linears.ts";
import type { F32Matrix } from "../../model/weights.ts";
import { quantizeMatrixLanes } from "../../quantize/lanes.ts";
import { quantizeMatrix } from "../../quantize/matrix.ts";
import { headPlaces } from "../heads.ts";
import { type GpuLinear, type GpuLowRank, type GpuTensor, paddedHead } from "./layout.ts";
import type { GpuMemory } from "./memory.ts";
import { type GpuLayer, type Placed, placeTensor } from "./place.ts";
import { type Spreads, uploadLinear } from "./upload.ts";

/** The parts of a backend that are other with an adapter. */
export interface GpuAdapter {
  readonly layers: readonly GpuLayer[];
  readonly classifier: GpuLinear;
  readonly emissions: GpuTensor;
  readonly memory: GpuMemory;
  /** Backends that use it. */
  users: number;
}

/** Which of its layer's linear maps a part changes: query, key and value are one. */
function linearOf(map: AdapterPart["map"]): typeof LAYER_LINEARS[number] {
  return map === "query" || map === "key" || map === "value" ? "qkv" : map;
}

function placePart(
  memory: GpuMemory,
  config: ModelConfig,
  { map, a, b }: AdapterPart,
  scale: number,
  low: GpuTensor,
): GpuLowRank {
  const head = paddedHead(config);
  const heads = { count: config.heads * head, places: headPlaces(config, 1, head) };
  const stacked = ["query", "key", "value"].indexOf(map);
  const thin = (weight: F32Matrix, spreads: Spreads): GpuLinear =>
    uploadLinear(memory, "f32", { weight, bias: new Float32Array(weight.rows) }, spreads);
  return {
    a: thin(a, map === "attentionOutput" ? { columns: heads } : {}),
    b: thin(
      { ...b, data: b.data.map((value) => value * scale) },
      stacked >= 0 ? { rows: heads } : {},
    ),
    low,
    column: Math.max(0, stacked) * heads.count,
  };
}

/** Puts an adapter that fits beside its encoder, into memory of its own. */
export function placeAdapter(
  memory: GpuMemory,
  { precision, lanes, layers }: Placed,
  config: ModelConfig,
  maxTokens: number,
  { parts, rank, alpha, classifier: { weight, bias }, labels }: Adapter,
): GpuAdapter {
  const low = placeTensor(memory, maxTokens, rank);
  const placed = parts.map((part) => ({
    part,
    lowRank: placePart(memory, config, part, alpha / rank, low),
  }));
  const own = layers.map((layer, i) => {
    const adapted: { -readonly [Name in keyof GpuLayer]: GpuLayer[Name] } = { ...layer };
    for (const { part, lowRank } of placed) {
      if (part.layer !== i) continue;
      const linear = linearOf(part.map), { lowRanks = [] } = adapted[linear];
      adapted[linear] = { ...adapted[linear], lowRanks: [...lowRanks, lowRank] };
    }
    return adapted;
  });
  const classifier = precision !== "int8" || weight.type !== "f32"
    ? weight
    : lanes
    ? quantizeMatrixLanes(weight, lanes, "classifier")
    : quantizeMatrix(weight, "classifier");
  return {
    layers: own,
    classifier: uploadLinear(memory, precision, { weight: classifier, bias }),
    emissions: placeTensor(memory, maxTokens, labels.length),
    memory,
    users: 1,
  };
}
