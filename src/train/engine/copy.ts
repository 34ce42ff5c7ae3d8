/**
 * A model as it was, with other numbers: what a trainer gives back.
 *
 * @module
 */
import { visitEncoder } from "../../model/roles.ts";
import type { EncoderWeights, LinearWeights } from "../../model/weights.ts";
import type { TrainableModel } from "../types.ts";
import { WORDS } from "./places.ts";

/** The rows of a table that `pieces` names; all without. */
export function rowsOf(
  table: Float32Array,
  columns: number,
  pieces: Int32Array | undefined,
): Float32Array {
  if (!pieces) return table;
  const out = new Float32Array(pieces.length * columns);
  pieces.forEach((id, i) => out.set(table.subarray(id * columns, (id + 1) * columns), i * columns));
  return out;
}

/** The parts of `model` with numbers by `read`, whose word embedding has the rows of `pieces` alone. */
export function copyModel(
  model: TrainableModel,
  pieces: Int32Array | undefined,
  read: (name: string) => Float32Array,
): TrainableModel {
  const { weights, crf, masked, replaced } = model;
  const matrix = (name: string, rows: number, columns: number) => {
    const learned = read(name);
    if (name !== WORDS || !pieces || weights.wordEmbedding.type !== "f32") {
      return { type: "f32" as const, rows, columns, data: learned };
    }
    const data = weights.wordEmbedding.data.slice();
    pieces.forEach((id, i) =>
      data.set(learned.subarray(i * columns, (i + 1) * columns), id * columns)
    );
    return { type: "f32" as const, rows, columns, data };
  };
  const linear = (name: string, { weight: { rows, columns } }: LinearWeights): LinearWeights => ({
    weight: matrix(`${name}.weight`, rows, columns),
    bias: read(`${name}.bias`),
  });
  const copy: EncoderWeights = visitEncoder(weights.config, {
    matrix,
    table: matrix,
    vector: (name) => read(name),
  });
  return {
    // A layer that occurs more than once stays one layer.
    weights: {
      ...copy,
      layers: weights.layers.map((layer) => copy.layers[weights.layers.indexOf(layer)]),
    },
    ...crf && {
      crf: {
        start: read("crf.start"),
        end: read("crf.end"),
        transitions: read("crf.transitions"),
      },
    },
    ...masked && {
      masked: {
        dense: linear("masked.dense", masked.dense),
        norm: { gamma: read("masked.norm.weight"), beta: read("masked.norm.bias") },
        bias: read("masked.bias"),
      },
    },
    ...replaced && {
      replaced: {
        dense: linear("replaced.dense", replaced.dense),
        prediction: linear("replaced.prediction", replaced.prediction),
      },
    },
  };
}
