/**
 * An adapter's place behind its encoder: the thin matrices of its parts, and a head of its own.
 *
 *     [ what kernels and loading write | emissions ] [ A and B of each part | classifier ]
 *
 * The second half is what distinguishes adapters; it is copied in when a pass needs it. A and B stay float32 beside
 * int8 weights: they are a few percent of the bytes, and what they add is small enough to be lost in the rounding of
 * another quantization. B has the scale in it.
 *
 * @module
 */
import { PANEL } from "../../kernels/contract.ts";
import { Arena } from "../../kernels/memory.ts";
import { type Adapter, type AdapterPart, checkAdapter } from "../../model/adapter.ts";
import { classifierInputs, type ModelConfig } from "../../model/config.ts";
import type { LAYER_LINEARS } from "../../model/linears.ts";
import { quantizeMatrixLanes } from "../../quantize/lanes.ts";
import { quantizeMatrix } from "../../quantize/matrix.ts";
import { headPlaces } from "../heads.ts";
import {
  padded,
  paddedHead,
  placeLinear,
  placeTensor,
  type WasmLinear,
  type WasmLowRank,
  type WasmTensor,
} from "./layout.ts";
import type { Image, Machine } from "./machine.ts";
import type { Plan, WasmLayer } from "./plan.ts";
import { stagingBytes, uploadF32Linear, uploadF32Matrix, uploadInt8Linear } from "./upload.ts";

/** The parts of a backend that are other with an adapter. */
export interface WasmAdapter {
  readonly layers: readonly WasmLayer[];
  readonly classifier: WasmLinear;
  readonly emissions: WasmTensor;
  readonly image: Image;
}

/** An encoder in its machine. */
export interface Encoder {
  readonly machine: Machine;
  readonly plan: Plan;
  readonly config: ModelConfig;
  readonly layers: readonly WasmLayer[];
  readonly maxTokens: number;
}

/** The room that parts work in. */
type Low = Pick<WasmLowRank, "low" | "lowBytes">;

/** Which of its layer's linear maps a part changes: query, key and value are one. */
function linearOf(map: AdapterPart["map"]): typeof LAYER_LINEARS[number] {
  return map === "query" || map === "key" || map === "value" ? "qkv" : map;
}

/** Places one part, with rows and columns where heads are padded. */
function placePart(
  arena: Arena,
  config: ModelConfig,
  { map, a, b }: AdapterPart,
  low: Low,
): WasmLowRank {
  const wide = paddedHead(config);
  const heads = { count: config.heads * wide, places: headPlaces(config, 1, wide) };
  const stacked = ["query", "key", "value"].indexOf(map);
  const columns = map === "attentionOutput" ? heads : { count: a.columns, places: undefined };
  const rows = stacked >= 0 ? heads : { count: b.rows, places: undefined };
  // Packing takes four rows at a time; the kernel looks at no more than eight of A's.
  const k = padded(columns.count), rank = Math.ceil(a.rows / 4) * 4;
  const ranks = Math.ceil(rank / PANEL), panels = padded(rows.count) / PANEL;
  return {
    ...low,
    column: Math.max(0, stacked) * heads.count,
    a: {
      outputs: a.rows,
      k,
      panels: ranks,
      weights: arena.take(ranks * PANEL * k * 4),
      rowPlaces: undefined,
      columnPlaces: columns.places,
    },
    b: {
      outputs: b.rows,
      k: rank,
      panels,
      weights: arena.take(panels * PANEL * rank * 4),
      rowPlaces: rows.places,
      columnPlaces: undefined,
    },
  };
}

/**
 * Puts an adapter behind its encoder. Throws a {@link ModelError} for one that does not fit, a {@link RuntimeError}
 * (`runtime/memory`) if there is no room, and leaves all as it was.
 */
export function placeAdapter(
  { machine, plan, config, layers, maxTokens }: Encoder,
  adapter: Adapter,
): WasmAdapter {
  checkAdapter(adapter, config);
  const { parts, rank, alpha, classifier: head, labels } = adapter;
  const { precision, threads } = plan, arena = new Arena(plan.arena.bytes);
  const { hiddenSize, feedForwardSize, heads } = config, int8 = precision === "int8";
  const inputs = classifierInputs(config), wide = heads * paddedHead(config);
  const widest = padded(Math.max(hiddenSize, feedForwardSize, inputs, rank, wide));
  const staging = arena.take(stagingBytes(widest, "fp32"));
  const lowBytes = 4 * Math.ceil(rank / PANEL) * PANEL * 4;
  const low = { low: arena.take(threads * lowBytes), lowBytes };
  const emissions = placeTensor(arena, maxTokens, labels.length);

  const first = arena.take(0);
  const placed = parts.map((part) => ({ part, lowRank: placePart(arena, config, part, low) }));
  const classifier = placeLinear(arena, precision, { outputs: labels.length, inputs });
  const end = arena.take(0);

  const weight = int8 && head.weight.type === "f32"
    ? plan.lanes
      ? quantizeMatrixLanes(head.weight, plan.lanes, "classifier")
      : quantizeMatrix(head.weight, "classifier")
    : head.weight;
  const image = machine.image(first, end, arena.bytes, ({ kernels, views }) => {
    const packer = { kernels, views, staging };
    for (const { part: { a, b }, lowRank } of placed) {
      uploadF32Matrix(packer, lowRank.a, a);
      const data = b.data.map((value) => value * (alpha / rank));
      uploadF32Matrix(packer, lowRank.b, { ...b, data });
    }
    if (weight.type === "i8") {
      const { lanes } = plan;
      uploadInt8Linear(packer, classifier, { weight, bias: head.bias, lanes });
    } else uploadF32Linear(packer, classifier, { weight, bias: head.bias });
  });
  const own = layers.map((layer, i) => {
    const adapted: { -readonly [Name in keyof WasmLayer]: WasmLayer[Name] } = { ...layer };
    for (const { part, lowRank } of placed) {
      if (part.layer !== i) continue;
      const linear = linearOf(part.map), { lowRanks = [] } = adapted[linear];
      adapted[linear] = { ...adapted[linear], lowRanks: [...lowRanks, lowRank] };
    }
    return adapted;
  });
  return { layers: own, classifier, emissions, image };
}
