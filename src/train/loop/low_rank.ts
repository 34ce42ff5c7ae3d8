/**
 * Training of low-rank adapters (LoRA; Hu et al., arXiv 2106.09685) beside a frozen encoder.
 *
 * The kernels differentiate whole matrices, and a product's two factors have their derivatives in closed form from that:
 *
 *     W = W0 + s B A      dA = s B^T dW      dB = s dW A^T
 *
 * So a step is the kernels' own, after which A and B are moved by AdamW here and W is put together anew. A begins at
 * random, B at zero: the first W is W0, to the bit. Sums run in one order, in double precision.
 *
 * Weak: nothing is saved beside what is written down; a step takes the time and memory of full fine-tuning and a
 * little more. And the gradient's norm, by which it is clipped, is that of W and not of A and B.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import {
  ADAPTED,
  type Adapted,
  adaptedMap,
  type AdapterPart,
  addProduct,
} from "../../model/adapter.ts";
import type { EncoderWeights } from "../../model/weights.ts";
import { adamwConstants, checkAdamW } from "../optimizer.ts";
import { Random } from "../random.ts";
import type { AdamWOptions, NamedTensor, Trainer } from "../types.ts";

/** Where a layer's maps are among the trainer's parameters. */
const PARAMETERS = {
  qkv: "attention.qkv",
  attentionOutput: "attention.output",
  up: "feed_forward.up",
  down: "feed_forward.down",
} as const;

/** One factor with its moments. */
interface Factor {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/** One adapted map: rows `first` to `first + rows` of a parameter. */
interface Part {
  readonly layer: number;
  readonly map: Adapted;
  readonly parameter: string;
  readonly first: number;
  readonly a: Factor;
  readonly b: Factor;
}

/** What an adapter is to be. */
export interface LowRankOptions {
  /** Columns of B. */
  readonly rank: number;
  /** Scale of the product, times the rank. */
  readonly alpha: number;
  /** Maps of every layer that are adapted. */
  readonly maps: readonly Adapted[];
}

function factor(name: string, rows: number, columns: number): Factor {
  const zeros = (): Float32Array => new Float32Array(rows * columns);
  return { name, rows, columns, data: zeros(), m: zeros(), v: zeros() };
}

/** Adapters in training. */
export class LowRank {
  readonly #scale: number;
  readonly #parts: readonly Part[];
  /** The encoder's own matrices, by parameter. */
  readonly #base: ReadonlyMap<string, { readonly columns: number; readonly data: Float32Array }>;

  /**
   * For an encoder in float32; the seed decides A. Throws {@link InputError} `input/option` for an encoder that has one
   * layer many times, which cannot be adapted apart.
   */
  constructor(weights: EncoderWeights, { rank, alpha, maps }: LowRankOptions, seed: number) {
    if (new Set(weights.layers).size < weights.layers.length) {
      throw new InputError("input/option", "adapters need an encoder whose layers are not shared.");
    }
    this.#scale = alpha / rank;
    const base = new Map<string, { columns: number; data: Float32Array }>();
    this.#parts = weights.layers.flatMap((own, layer) =>
      ADAPTED.filter((map) => maps.includes(map)).map((map): Part => {
        const { linear, first, rows } = adaptedMap(own, map), { weight } = own[linear];
        const parameter = `layers.${layer}.${PARAMETERS[linear]}.weight`, { columns } = weight;
        base.set(parameter, { columns, data: (weight.data as Float32Array).slice() });
        const name = `lora.${layer}.${map}`;
        const a = factor(`${name}.a`, rank, columns),
          random = new Random(seed, "adapters", layer * ADAPTED.length + ADAPTED.indexOf(map));
        // PEFT's: uniform up to 1 over the root of the inputs.
        const bound = 1 / Math.sqrt(columns);
        for (let k = 0; k < a.data.length; k++) a.data[k] = bound * (2 * random.uniform() - 1);
        return { layer, map, parameter, first, a, b: factor(`${name}.b`, rows, rank) };
      })
    );
    this.#base = base;
  }

  /** Parameters of the trainer that the adapters change. */
  get adapted(): ReadonlySet<string> {
    return new Set(this.#base.keys());
  }

  /** Numbers that are learnt. */
  get size(): number {
    return this.#factors.reduce((sum, { data }) => sum + data.length, 0);
  }

  get #factors(): Factor[] {
    return this.#parts.flatMap(({ a, b }) => [a, b]);
  }

  /** Moves A and B by the last step's derivatives, `factor` times them, and puts the matrices together. */
  update(
    trainer: Trainer,
    step: { readonly number: number; readonly rate: number; readonly factor: number },
    adamw: AdamWOptions,
  ): void {
    const settings = checkAdamW(adamw), { number, rate, factor } = step;
    for (const [parameter, { columns }] of this.#base) {
      const derivative = trainer.gradient(parameter)!;
      for (const part of this.#parts) {
        if (part.parameter !== parameter) continue;
        const [da, db] = derivatives(part, derivative, columns, this.#scale);
        for (const [own, gradient] of [[part.a, da], [part.b, db]] as const) {
          const { name, rows, columns } = own;
          const like = { name, shape: [rows, columns], kind: "matrix", rate: 1 } as const;
          move(own, gradient, adamwConstants(settings, like, number, rate, factor));
        }
      }
    }
    this.write(trainer);
  }

  /** Puts the matrices together: W0 + s B A. */
  write(trainer: Trainer): void {
    for (const [parameter, { columns, data }] of this.#base) {
      const sum = data.slice();
      for (const part of this.#parts) {
        if (part.parameter === parameter) {
          addProduct(sum, columns, part.first, matricesOf(part), this.#scale);
        }
      }
      trainer.write(parameter, sum);
    }
  }

  /** Copies of A and B, by name. */
  values(): Map<string, Float32Array> {
    return new Map(this.#factors.map(({ name, data }) => [name, data.slice()]));
  }

  /** Sets A and B; other names are let be. */
  set(values: ReadonlyMap<string, Float32Array>): void {
    for (const { name, data } of this.#factors) data.set(values.get(name) ?? data);
  }

  /** AdamW's moments. */
  moments(): NamedTensor[] {
    return this.#factors.flatMap(({ name, rows, columns, m, v }) => [
      { name: `${name}.m`, shape: [rows, columns], data: m.slice() },
      { name: `${name}.v`, shape: [rows, columns], data: v.slice() },
    ]);
  }

  /** Sets the moments; other names are let be. */
  restore(moments: readonly NamedTensor[]): void {
    const named = new Map(moments.map(({ name, data }) => [name, data]));
    for (const { name, m, v } of this.#factors) {
      m.set(named.get(`${name}.m`) ?? m);
      v.set(named.get(`${name}.v`) ?? v);
    }
  }

  /** Copies of the adapter's parts. */
  parts(): AdapterPart[] {
    return this.#parts.map((part) => ({ layer: part.layer, map: part.map, ...matricesOf(part) }));
  }
}

function matricesOf({ a, b }: Part): Pick<AdapterPart, "a" | "b"> {
  const matrix = ({ rows, columns, data }: Factor) => ({
    type: "f32" as const,
    rows,
    columns,
    data: data.slice(),
  });
  return { a: matrix(a), b: matrix(b) };
}

/** dA = s B^T dW and dB = s dW A^T, of the part's rows of dW. */
function derivatives(
  { a, b, first }: Part,
  dw: Float32Array,
  columns: number,
  scale: number,
): [Float64Array, Float64Array] {
  const rank = a.rows, da = new Float64Array(a.data.length), db = new Float64Array(b.data.length);
  for (let row = 0; row < b.rows; row++) {
    const at = (first + row) * columns;
    for (let r = 0; r < rank; r++) {
      const own = scale * b.data[row * rank + r]!;
      let sum = 0;
      for (let c = 0; c < columns; c++) {
        const d = dw[at + c]!;
        da[r * columns + c]! += own * d;
        sum += d * a.data[r * columns + c]!;
      }
      db[row * rank + r] = scale * sum;
    }
  }
  return [da, db];
}

/** AdamW on one factor: kernels/train/optimizer.ts in double precision, rounded where it is kept. */
function move({ data, m, v }: Factor, gradient: Float64Array, constants: readonly number[]): void {
  const [factor, beta1, rest1, beta2, rest2, correction, epsilon, decay, rate] = constants as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < data.length; i++) {
    const g = factor * gradient[i]!;
    m[i] = beta1 * m[i]! + rest1 * g;
    v[i] = beta2 * v[i]! + rest2 * g * g;
    data[i] = decay * data[i]! - rate * m[i]! / (Math.sqrt(correction * v[i]!) + epsilon);
  }
}
