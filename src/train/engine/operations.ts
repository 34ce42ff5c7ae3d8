/**
 * The operations of a training step, written down as commands and carried out together: the counterpart of
 * kernels/train/operations.ts.
 *
 * Each says what it reads, what it writes and how it is cut. How finely decides how well threads share it and
 * nothing else: what is summed over tokens is cut by columns or by tiles of weights, never by tokens.
 *
 * @module
 */
import { ACTIVATION } from "../../kernels/contract.ts";
import { type Arguments, Program, type Room } from "../../kernels/program.ts";
import type { Activation } from "../../model/activations.ts";
import { COMMANDS } from "./contract.ts";
import type { TrainKernels } from "./exports.ts";
import { type LinearPlaces, type NormPlaces, padded, type Place, type Tensor } from "./places.ts";

/** Most rows of a product's chunk: their packed block of 256 columns takes half a megabyte. */
export const PRODUCT_ROWS = 512;

/** Fewest columns of a product's chunk, since each packs its rows anew. */
const LEAST_COLUMNS = 64;

/** Chunks for each thread: the last one to finish is this much shorter than the whole. */
const CHUNKS_PER_THREAD = 6;

/** Floats whose squares are summed together; decides the norm's bits, so that no cut may. */
export const SQUARES = 1 << 14;

/** Floats of a chunk of what is done element by element. */
const ELEMENTS = 1 << 16;

/** Places that operations share. */
export interface Workspace {
  /** Words of philox.ts. */
  readonly dropout: number;
  readonly ids: number;
  readonly positions: number;
  readonly offsets: number;
  /** Features of the token before, of each token and of the one behind, of a model with lexicons. */
  readonly features: Tensor | undefined;
  /** Mean and deviation of a norm's rows. */
  readonly moments: number;
  readonly scratch: number;
  readonly scratchBytes: number;
}

/** Operations that are cut in one direction. */
type CutOperation = {
  [Name in keyof typeof COMMANDS]: (typeof COMMANDS)[Name] extends { items: "i32" } ? Name : never;
}[keyof typeof COMMANDS];

type ProductOperation = "product_forward" | "product_input" | "product_weights";

/** Arguments without those that say how an operation is cut. */
type Uncut<Name extends keyof typeof COMMANDS, Cut extends string> = Omit<
  Arguments<(typeof COMMANDS)[Name]>,
  Cut
>;

/** Writes commands. Tensors have `tokens` rows, set for each batch, unless an operation is told otherwise. */
export class Operations {
  tokens = 0;
  sequences = 0;
  /** Threads that commands are cut for. */
  threads = 1;
  /** Whether anything is dropped in this pass. */
  dropping = false;
  readonly #program: Program<typeof COMMANDS>;
  readonly #kernels: TrainKernels;
  readonly #control: number;
  readonly #at: Workspace;

  constructor(kernels: TrainKernels, room: Room, control: number, workspace: Workspace) {
    this.#program = new Program(COMMANDS, room);
    this.#kernels = kernels;
    this.#control = control;
    this.#at = workspace;
  }

  /** Carries out all that was written. */
  run(): void {
    this.#program.run(this.#kernels, this.#control);
  }

  /** A command over `items`, in chunks of `chunkItems`. */
  #add<Name extends CutOperation>(
    operation: Name,
    items: number,
    chunkItems: number,
    args: Uncut<Name, "items" | "chunkItems">,
  ): void {
    const cut = { items, chunkItems, ...args } as unknown as Arguments<(typeof COMMANDS)[Name]>;
    this.#program.add(operation, Math.ceil(items / chunkItems), cut);
  }

  /** Cut for the threads, in chunks of a multiple of `unit` items. */
  #cut<Name extends CutOperation>(
    operation: Name,
    items: number,
    unit: number,
    args: Uncut<Name, "items" | "chunkItems">,
  ): void {
    const pieces = this.threads === 1 ? 1 : this.threads * CHUNKS_PER_THREAD;
    this.#add(operation, items, Math.max(1, Math.ceil(items / pieces / unit)) * unit, args);
  }

  /** A product with m x n results, its chunks tiles of them. */
  #product<Name extends ProductOperation>(
    operation: Name,
    m: number,
    n: number,
    args: Uncut<Name, "m" | "chunkRows" | "n" | "chunkColumns" | "scratch" | "scratchBytes">,
  ): void {
    const blocks = Math.ceil(m / PRODUCT_ROWS), chunkRows = Math.ceil(m / blocks / 4) * 4;
    const wanted = this.threads === 1 ? 1 : Math.ceil(this.threads * CHUNKS_PER_THREAD / blocks);
    const groups = Math.min(wanted, Math.ceil(n / LEAST_COLUMNS));
    const chunkColumns = Math.ceil(n / groups / 8) * 8;
    const { scratch, scratchBytes } = this.#at;
    const cut = { m, chunkRows, n, chunkColumns, scratch, scratchBytes, ...args };
    const chunks = Math.ceil(m / chunkRows) * Math.ceil(n / chunkColumns);
    this.#program.add(operation, chunks, cut as unknown as Arguments<(typeof COMMANDS)[Name]>);
  }

  get #dropout(): number {
    return this.dropping ? this.#at.dropout : 0;
  }

  /** sum = word[id] + (position + type[0]). */
  embed(words: Place, positions: Place, types: Place | undefined, sum: Tensor): void {
    this.#cut("embed_forward", this.tokens, 1, {
      sum: sum.address,
      n: sum.width,
      ids: this.#at.ids,
      positions: this.#at.positions,
      words: words.value,
      positionTable: positions.value,
      type: types?.value ?? 0,
    });
  }

  embedBackward(dSum: Tensor, words: Place, positions: Place, types: Place | undefined): void {
    this.#scatter(dSum, this.#at.ids, this.tokens, words.gradient);
    this.#scatter(dSum, this.#at.positions, this.tokens, positions.gradient);
    // Every token is of type 0.
    if (types) this.#sumRows(dSum, this.tokens, types.gradient);
  }

  /** Adds rows of d to the rows of a table that `indices` names; nothing if the table is at 0. */
  #scatter({ address: d, width: n }: Tensor, indices: number, rows: number, table: number): void {
    if (table !== 0) this.#cut("scatter_rows", padded(n), 16, { d, n, indices, rows, table });
  }

  /** Adds the sum of rows of d to `total`; nothing if that is at 0. */
  #sumRows({ address: d, width: n }: Tensor, rows: number, total: number): void {
    if (total !== 0) this.#cut("sum_rows", padded(n), 16, { d, n, rows, total });
  }

  /** y = rows `indices` of x. */
  gather(x: Tensor, indices: number, y: Tensor, rows: number): void {
    this.#cut("gather_rows", rows, 1, { x: x.address, n: x.width, indices, y: y.address });
  }

  /** The rows `indices` of dx += dy; all others stay as they are. */
  gatherBackward(dy: Tensor, indices: number, dx: Tensor, rows: number): void {
    this.#scatter(dy, indices, rows, dx.address);
  }

  /** x += f W, f being the features of each token or, with a table of three times as many rows, of it and those beside it. */
  addFeatures({ address: x, width: n }: Tensor, table: Place): void {
    this.#cut("features_forward", this.tokens, 1, {
      x,
      n,
      ...this.#features(table),
      table: table.value,
    });
  }

  /** dW += f^T d; nothing if the table is frozen. */
  featuresBackward({ address: d, width: n }: Tensor, table: Place): void {
    if (table.gradient === 0) return;
    const rows = this.tokens, places = { rows, table: table.gradient };
    this.#cut("features_backward", padded(n), 16, { d, n, ...this.#features(table), ...places });
  }

  /** Where a table's features begin in rows of those of three tokens. */
  #features({ rows: columns }: Place) {
    const { address, width } = this.#at.features!;
    const first = columns === width ? 0 : columns;
    return { features: address + 4 * first, stride: 4 * padded(width), columns };
  }

  /** x = 0. */
  clear({ address, width }: Tensor, rows: number): void {
    this.clearFloats(address, rows * padded(width));
  }

  clearFloats(x: number, size: number): void {
    this.#add("zero", size, ELEMENTS, { x });
  }

  /** y = x W^T + b. */
  linear(x: Tensor, { weight, bias }: LinearPlaces, y: Tensor, rows: number = this.tokens): void {
    this.#product("product_forward", rows, padded(weight.rows), {
      k: padded(weight.columns),
      x: x.address,
      w: weight.value,
      bias: bias.value,
      c: y.address,
    });
  }

  /**
   * dW += dy^T x, db += the sum of dy, and dx = dy W, or with `add` dx += dy W; dx undefined: it is not
   * needed.
   */
  linearBackward(
    x: Tensor,
    { weight, bias }: LinearPlaces,
    dy: Tensor,
    dx: Tensor | undefined,
    { add = false, rows = this.tokens }: { add?: boolean; rows?: number } = {},
  ): void {
    const k = padded(weight.columns), n = padded(weight.rows), y = dy.address;
    if (weight.gradient !== 0) {
      const places = { y, x: x.address, c: weight.gradient };
      this.#product("product_weights", n, k, { tokens: rows, ...places });
    }
    this.#sumRows(dy, rows, bias.gradient);
    if (dx) {
      const places = { y, w: weight.value, c: dx.address };
      this.#product("product_input", rows, k, { k: n, add: add ? 1 : 0, ...places });
    }
  }

  /** y = activation(x). */
  activate(x: Tensor, activation: Activation, y: Tensor, rows: number = this.tokens): void {
    this.#cut("activation_forward", rows, 1, {
      x: x.address,
      y: y.address,
      n: x.width,
      activation: ACTIVATION[activation],
    });
  }

  /** dy becomes dx = dy activation'(x). */
  activateBackward(
    x: Tensor,
    activation: Activation,
    dy: Tensor,
    rows: number = this.tokens,
  ): void {
    this.#cut("activation_backward", rows, 1, {
      x: x.address,
      dy: dy.address,
      n: x.width,
      activation: ACTIVATION[activation],
    });
  }

  /** context = drop(softmax(Q K^T / sqrt(d))) V for each head of each sequence; heads have sites from `site` on. */
  attention(qkv: Tensor, context: Tensor, heads: number, site: number): void {
    const places = { qkv: qkv.address, context: context.address };
    this.#program.add("attention_forward", this.sequences * heads, {
      ...this.#attention(context, heads, site),
      ...places,
    });
  }

  /** The softmax of each head of each sequence to `weights`, before anything is dropped. */
  attentionWeights(qkv: Tensor, heads: number, weights: number): void {
    const { offsets, scratch, scratchBytes } = this.#at, d = qkv.width / 3 / heads;
    this.#program.add("attention_weights", this.sequences * heads, {
      ...{ qkv: qkv.address, offsets, heads, d, scale: 1 / Math.sqrt(d) },
      ...{ weights, scratch, scratchBytes },
    });
  }

  /** `dWeights`: the derivative by what {@link attentionWeights} gives, or 0. */
  attentionBackward(
    qkv: Tensor,
    dContext: Tensor,
    dQkv: Tensor,
    heads: number,
    site: number,
    dWeights: number,
  ): void {
    const places = { qkv: qkv.address, dContext: dContext.address, dQkv: dQkv.address, dWeights };
    this.#program.add("attention_backward", this.sequences * heads, {
      ...this.#attention(dContext, heads, site),
      ...places,
    });
  }

  #attention(context: Tensor, heads: number, site: number) {
    const { offsets, scratch, scratchBytes } = this.#at, d = context.width / heads;
    return {
      offsets,
      heads,
      d,
      scale: 1 / Math.sqrt(d),
      dropout: this.#dropout,
      site,
      scratch,
      scratchBytes,
    };
  }

  /** y = drop(LayerNorm(sum)); without a site nothing is dropped. */
  norm(
    sum: Tensor,
    { gamma, beta }: NormPlaces,
    epsilon: number,
    y: Tensor,
    { site, rows = this.tokens }: { site?: number; rows?: number } = {},
  ): void {
    this.#cut("norm_forward", rows, 1, {
      sum: sum.address,
      y: y.address,
      n: sum.width,
      gamma: gamma.value,
      beta: beta.value,
      epsilon,
      dropout: site === undefined ? 0 : this.#dropout,
      site: site ?? 0,
    });
  }

  /** sum = x + drop(update), y = LayerNorm(sum); drops from `update` in place. */
  addNorm(
    x: Tensor,
    update: Tensor,
    { gamma, beta }: NormPlaces,
    epsilon: number,
    sum: Tensor,
    y: Tensor,
    site: number,
  ): void {
    this.#cut("add_norm_forward", this.tokens, 1, {
      x: x.address,
      update: update.address,
      sum: sum.address,
      y: y.address,
      n: sum.width,
      gamma: gamma.value,
      beta: beta.value,
      epsilon,
      dropout: this.#dropout,
      site,
    });
  }

  /**
   * From dy the derivative by `sum`, those by gamma and beta, and, where an update was dropped from, the update's at
   * `update.d`.
   */
  normBackward(
    dy: Tensor,
    sum: Tensor,
    { gamma, beta }: NormPlaces,
    epsilon: number,
    dSum: Tensor,
    { update, rows = this.tokens }: {
      update?: { readonly d: Tensor; readonly site: number };
      rows?: number;
    } = {},
  ): void {
    const { moments } = this.#at, places = { dy: dy.address, sum: sum.address, moments };
    this.#cut("norm_backward", rows, 1, {
      ...places,
      n: sum.width,
      gamma: gamma.value,
      epsilon,
      dx: dSum.address,
      dUpdate: this.dropping && update ? update.d.address : 0,
      dropout: this.#dropout,
      site: update?.site ?? 0,
    });
    const [dGamma, dBeta] = [gamma.gradient, beta.gradient];
    if (dGamma !== 0 || dBeta !== 0) {
      const parameters = { ...places, rows, n: sum.width, dGamma, dBeta };
      this.#cut("norm_parameters", padded(sum.width), 16, parameters);
    }
  }

  /** y = drop(x), of all tokens or of `rows` rows; `y` may be `x`, and is not written where nothing is dropped. */
  drop({ address: x, width: n }: Tensor, { address: y }: Tensor, site: number, rows = this.tokens) {
    if (this.dropping) this.#cut("drop", rows, 1, { x, y, n, dropout: this.#dropout, site });
  }

  /** Sums of squares of blocks of {@link SQUARES} floats, f64, to `sums`. */
  squares(x: number, size: number, sums: number): void {
    this.#add("square_sum", size, SQUARES, { x, sums });
  }

  /** Moves a parameter by its derivative. */
  adamw({ value, gradient, first, second, size }: Place, constants: number): void {
    this.#add("adamw", size, ELEMENTS, { p: value, g: gradient, m: first, v: second, constants });
  }
}
