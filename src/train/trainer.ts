/**
 * A model in training on the WASM kernels: the steps of {@link Trainer}.
 *
 * A step writes the commands of a whole forward pass, has the kernels carry them out on as many threads as there
 * are, hands emissions to the loss, and does the same backward; derivatives of several batches add up before
 * the optimizer moves anything. Every sum has one order, whatever the threads, and dropout is a function of
 * where it drops, so that parameters after a number of steps are a function of the seed alone: the same bits in every
 * runtime, and after a stop in between.
 *
 * @module
 */
import { checkBatch } from "../backend/batch.ts";
import { placeFeatures } from "../backend/features.ts";
import type { PackedBatch, ThreadState } from "../backend/backend.ts";
import { InputError, show } from "../errors.ts";
import { CONTROL_MAY_SLEEP, CONTROL_TAKEN, MAX_THREADS } from "../kernels/contract.ts";
import { makeMemory } from "../kernels/memory.ts";
import { type Threading, Threads } from "../kernels/threads.ts";
import { copyModel, rowsOf } from "./engine/copy.ts";
import {
  embedBackward,
  embedForward,
  layerBackward,
  layerForward,
  lowestLearned,
} from "./engine/encoder.ts";
import { headBackward, headForward } from "./engine/heads.ts";
import type { TrainKernels } from "./engine/exports.ts";
import { instantiateTrainKernels } from "./engine/kernels.ts";
import { Operations, SQUARES } from "./engine/operations.ts";
import {
  checkSize,
  listParameters,
  type ModelPlaces,
  padded,
  type Place,
  placesByRole,
  readPlace,
  WORDS,
  writePlace,
} from "./engine/places.ts";
import { placeTraining, type Plan } from "./engine/plan.ts";
import { adamwConstants } from "./optimizer.ts";
import { checkOptions, fail, type Settings } from "./settings.ts";
import type {
  Emissions,
  Example,
  Head,
  NamedTensor,
  Parameter,
  StepReport,
  TrainableModel,
  Trainer,
  TrainerOptions,
} from "./types.ts";

/** The training module, and whether it imports shared memory. */
export interface TrainModule {
  readonly module: WebAssembly.Module;
  readonly shared: boolean;
}

/** Multiplications that a token costs forward and backward, for a weight. */
const PASSES = 3;

/**
 * Makes a trainer of a copy of `model`. Throws a ModelError (`model/weights`) for weights that are not float32, an
 * {@link InputError} (`input/option`) for an option out of range, a RuntimeError (`runtime/memory`, `runtime/kernels`).
 */
export async function createTrainer(
  { module, shared }: TrainModule,
  model: TrainableModel,
  options: TrainerOptions,
  threading?: Threading,
): Promise<Trainer> {
  const settings = checkOptions(model, options);
  const { sources, aliases } = listParameters(model), { pieces } = settings;
  const rateOf = options.rateOf ?? (() => 1);
  const parameters = sources.map(({ name, shape, kind }): Parameter => {
    const rows = name === WORDS && pieces ? [pieces.length, shape[1]] : shape;
    const described = { name, shape: rows, kind }, rate = rateOf(described);
    if (rate >= 0 && rate < Infinity) return { ...described, rate };
    return fail(`rateOf gives ${rate} for ${name}; expected 0 or more.`);
  });
  const threads = shared ? threading?.threads ?? 1 : 1;
  const sizes = await instantiateTrainKernels(module, makeMemory(1, shared));
  const plan = placeTraining(model, parameters, { ...settings, threads }, sizes);
  const memory = plan.arena.memory({ shared });
  const kernels = await instantiateTrainKernels(module, memory);
  const places = placesByRole(model, aliases, plan.placed.places),
    floats = new Float32Array(memory.buffer);
  sources.forEach(({ name, data }, i) => {
    const place = plan.placed.places[i];
    writePlace(
      floats,
      place,
      place.value,
      name === WORDS ? rowsOf(data, place.columns, pieces) : data,
    );
  });
  const helpers = shared && threading
    ? new Threads(
      threading,
      { module, memory, signed: 0, control: plan.program.control, program: plan.program.address },
      kernels.stop,
    )
    : undefined;
  if (threading?.maySleep) {
    new Int32Array(memory.buffer)[(plan.program.control + CONTROL_MAY_SLEEP) >> 2] = 1;
  }
  return new WasmTrainer({ model, places, plan, memory, kernels, settings, helpers, aliases });
}

/** What a trainer is put together from. */
interface Parts {
  readonly model: TrainableModel;
  readonly places: ModelPlaces;
  readonly plan: Plan;
  readonly memory: WebAssembly.Memory;
  readonly kernels: TrainKernels;
  readonly settings: Settings;
  readonly helpers: Threads | undefined;
  readonly aliases: ReadonlyMap<string, string>;
}

class WasmTrainer implements Trainer {
  readonly parameters: readonly Parameter[];
  readonly memoryBytes: number;
  /** Undefined once closed, since they hold the memory. */
  #held: Parts | undefined;
  readonly #named: ReadonlyMap<string, Place>;
  /** Row of the word embedding by id, -1 for a piece that was left out; undefined: its own. */
  readonly #rows: Int32Array | undefined;
  /** How far back derivatives are needed. */
  readonly #lowest: number;
  readonly #work: number;
  #open: { ops: Operations; f32: Float32Array; i32: Int32Array; f64: Float64Array } | undefined;
  #steps = 0;

  constructor(parts: Parts) {
    const { plan, memory, kernels, settings: { pieces }, model: { weights: { config } } } = parts;
    this.#held = parts;
    this.parameters = plan.placed.places.map(({ parameter }) => parameter);
    this.memoryBytes = plan.arena.bytes;
    this.#named = new Map(plan.placed.places.map((place) => [place.parameter.name, place]));
    this.#lowest = lowestLearned(parts.places);
    this.#work = this.parameters
      .filter(({ kind }) => kind === "matrix")
      .reduce((sum, { shape: [rows, columns] }) => sum + PASSES * rows * columns, 0);
    if (pieces) {
      this.#rows = new Int32Array(config.vocabSize).fill(-1);
      pieces.forEach((id, row) => this.#rows![id] = row);
    }
    this.#open = {
      ops: new Operations(
        kernels,
        { memory, ...plan.program },
        plan.program.control,
        plan.workspace,
      ),
      f32: new Float32Array(memory.buffer),
      i32: new Int32Array(memory.buffer),
      f64: new Float64Array(memory.buffer),
    };
  }

  get steps(): number {
    return this.#steps;
  }

  get threads(): ThreadState {
    const state = this.#parts.helpers?.state ?? { threads: 1 };
    const at = (this.#parts.plan.program.control + CONTROL_TAKEN) >> 2;
    const taken = this.#memory.i32.subarray(at, at + Math.min(state.threads, MAX_THREADS));
    return { ...state, chunks: Array.from(taken, (chunks) => chunks >>> 0) };
  }

  get #parts(): Parts {
    if (!this.#held) throw new InputError("input/closed", "this trainer has been closed.");
    return this.#held;
  }

  get #memory(): { ops: Operations; f32: Float32Array; i32: Int32Array; f64: Float64Array } {
    if (!this.#open) throw new InputError("input/closed", "this trainer has been closed.");
    return this.#open;
  }

  async step(examples: readonly Example[], rate: number): Promise<StepReport> {
    if (!(rate >= 0 && rate < Infinity)) {
      fail(`a step's rate is ${show(rate)}; expected 0 or more.`);
    }
    const { plan: { placed: { gradients, places } } } = this.#parts, { ops } = this.#memory;
    const count = countOf(examples), step = this.#steps + 1;
    ops.clearFloats(gradients.address, gradients.size);
    let sum = 0, tokens = 0;
    for (const [i, example] of examples.entries()) {
      // Timers, signals and threads that are starting get a turn.
      await turn();
      const by = this.#cotangents(example);
      sum += this.#forward(example, { dropout: true, example: i, scale: 1 / count }, by);
      this.#backward(example, by);
      tokens += example.batch.ids.length;
    }
    const loss = sum / count, gradientNorm = this.#norm();
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      throw new InputError(
        "input/diverged",
        `step ${step}: the loss is ${loss} and the gradient's norm ${gradientNorm}. Lower the rate, or look at the ` +
          "batch; parameters are as they were before it.",
      );
    }
    this.#cutFor(1);
    const { clip } = this.#parts.settings, factor = gradientNorm > clip ? clip / gradientNorm : 1;
    places.forEach((place, i) => {
      if (place.gradient === 0) return;
      const constants = this.#parts.plan.constants + 64 * i;
      const values = adamwConstants(this.#parts.settings, place.parameter, step, rate, factor);
      this.#memory.f32.set(values, constants >> 2);
      ops.adamw(place, constants);
    });
    ops.run();
    this.#steps = step;
    return { step, loss, gradientNorm, tokens };
  }

  async evaluate(examples: readonly Example[]): Promise<number> {
    const count = countOf(examples);
    let sum = 0;
    for (const example of examples) {
      await turn();
      const by = this.#cotangents(example);
      sum += this.#forward(example, { dropout: false, example: 0, scale: 0 }, by);
    }
    return sum / count;
  }

  emissions(batch: PackedBatch): Float32Array {
    this.#begin(batch, undefined);
    this.#encode("labels", undefined);
    const { rows, columns, stride, start, memory } =
      this.#emissions("labels", batch.ids.length).emissions;
    const out = new Float32Array(rows * columns);
    for (let r = 0; r < rows; r++) {
      const at = start + r * stride;
      out.set(memory.subarray(at, at + columns), r * columns);
    }
    return out;
  }

  hidden(batch: PackedBatch, layers: readonly number[]): Float32Array[] {
    checkLayers(layers, this.#parts.places.layers.length);
    this.#begin(batch, undefined);
    this.#encode("labels", undefined);
    const { f32 } = this.#memory, tokens = batch.ids.length;
    return layers.map((layer) => {
      const { address, width } = this.#parts.plan.tensors.hidden[layer];
      const out = new Float32Array(tokens * width), stride = padded(width);
      for (let t = 0; t < tokens; t++) {
        const at = (address >> 2) + t * stride;
        out.set(f32.subarray(at, at + width), t * width);
      }
      return out;
    });
  }

  attention(batch: PackedBatch, layers: readonly number[]): Float32Array[] {
    checkLayers(layers, this.#parts.places.layers.length);
    this.#begin(batch, undefined);
    const weights = this.#weights(batch, layers);
    this.#encode("labels", undefined, weights, batch);
    return [...weights.values()];
  }

  /** Zeros for the attention weights of each of these layers, or for the derivatives by them. */
  #weights({ offsets }: PackedBatch, layers: readonly number[]): ByLayer {
    const { plan: { attention }, model: { weights: { config: { heads } } } } = this.#parts;
    if (layers.length > 0 && attention === 0) {
      fail("a loss on attention takes a trainer that was made with `attention`.");
    }
    let size = 0;
    for (let s = 1; s < offsets.length; s++) size += heads * (offsets[s] - offsets[s - 1]) ** 2;
    return new Map(layers.map((layer) => [layer, new Float32Array(size)]));
  }

  /** Calls with where each row of attention weights begins in memory, where without padding, and its length. */
  #eachRow(
    { offsets }: PackedBatch,
    visit: (padded: number, dense: number, s: number) => void,
  ): void {
    const { plan: { attention }, model: { weights: { config: { heads } } } } = this.#parts;
    for (let at = attention >> 2, dense = 0, i = 1; i < offsets.length; i++) {
      const s = offsets[i] - offsets[i - 1], stride = padded(s);
      for (let row = 0; row < heads * s; row++, at += stride, dense += s) visit(at, dense, s);
    }
  }

  /** Copies a batch in, and says what is dropped. */
  #begin(batch: PackedBatch, dropout: { example: number } | undefined): void {
    const { plan: { workspace }, settings, model: { weights: { config } } } = this.#parts;
    const { ops, i32, f32 } = this.#memory, { ids, offsets } = batch;
    checkBatch(batch, config, settings.maxTokens);
    const rows = workspace.ids >> 2;
    if (!this.#rows) i32.set(ids, rows);
    else {
      ids.forEach((id, t) => {
        const row = this.#rows![id];
        if (row < 0) {
          throw new InputError(
            "input/batch",
            `token ${t} has id ${id}, which is not among the trainer's pieces.`,
          );
        }
        i32[rows + t] = row;
      });
    }
    i32.set(offsets, workspace.offsets >> 2);
    for (let s = 1; s < offsets.length; s++) {
      for (let t = offsets[s - 1]; t < offsets[s]; t++) {
        i32[(workspace.positions >> 2) + t] = t - offsets[s - 1];
      }
    }
    const { features } = workspace;
    if (features) {
      const { address, width } = features;
      placeFeatures(f32, { first: address >> 2, stride: padded(width), width }, batch);
    }
    ops.tokens = ids.length;
    ops.sequences = offsets.length - 1;
    this.#cutFor(ids.length * this.#work);
    ops.dropping = dropout !== undefined && (settings.dropout > 0 || settings.attentionDropout > 0);
    if (!dropout) return;
    const at = workspace.dropout >> 2;
    i32.set([settings.seed, this.#steps + 1, dropout.example], at);
    [settings.dropout, settings.attentionDropout].forEach((probability, kind) => {
      // A probability that is not 0 drops something, and what is kept is scaled by what is dropped in fact.
      const threshold = Math.round(probability * 2 ** 32);
      i32[at + 3 + 2 * kind] = threshold;
      f32[at + 4 + 2 * kind] = 1 / (1 - threshold / 2 ** 32);
    });
  }

  #cutFor(work: number): void {
    this.#memory.ops.threads = this.#parts.helpers?.forRun(work) ?? 1;
  }

  /** Emissions of a head from ids; copies the attention weights of layers out, of the batch that was begun. */
  #encode(head: Head, rows: number | undefined, weights?: ByLayer, batch?: PackedBatch): void {
    const { places, plan: { tensors, attention } } = this.#parts, { ops, f32 } = this.#memory;
    embedForward(ops, places, tensors);
    for (let l = 0; l < places.layers.length; l++) {
      layerForward(ops, places, tensors, l);
      const out = weights?.get(l + 1);
      if (!out) continue;
      ops.attentionWeights(tensors.layers[l].qkv, places.config.heads, attention);
      ops.run();
      this.#eachRow(batch!, (at, to, s) => out.set(f32.subarray(at, at + s), to));
    }
    headForward(ops, places, head, tensors.hidden[places.layers.length], this.#head(head), rows);
    ops.run();
  }

  #head(head: Head) {
    const tensors = this.#parts.plan.heads[head];
    if (tensors) return tensors;
    throw new InputError(
      "input/option",
      `the loss asks for the head "${head}", which this model does not have.`,
    );
  }

  #emissions(head: Head, rows: number): { emissions: Emissions; cotangent: Emissions } {
    const { emissions, cotangent } = this.#head(head), { f32: memory } = this.#memory;
    const of = ({ address, width }: { address: number; width: number }): Emissions => ({
      rows,
      columns: width,
      stride: padded(width),
      memory,
      start: address >> 2,
    });
    return { emissions: of(emissions), cotangent: of(cotangent) };
  }

  /** Zeros for the derivatives by each layer's output and attention weights that an example's losses ask for. */
  #cotangents({ batch, hidden, attention }: Example): Cotangents {
    const count = this.#parts.places.layers.length;
    checkLayers(hidden?.layers ?? [], count);
    checkLayers(attention?.layers ?? [], count);
    const size = batch.ids.length * padded(this.#parts.plan.tensors.dHidden.width);
    return {
      hidden: new Map(hidden?.layers.map((layer) => [layer, new Float32Array(size)])),
      attention: this.#weights(batch, attention?.layers ?? []),
    };
  }

  /** The sum of an example's losses; leaves their cotangents behind. */
  #forward(
    { batch, loss, hidden, attention }: Example,
    { dropout, example, scale }: { dropout: boolean; example: number; scale: number },
    by: Cotangents,
  ): number {
    const { plan, kernels, settings } = this.#parts, { i32, f32 } = this.#memory;
    this.#begin(batch, dropout ? { example } : undefined);
    const { rows, head } = loss, m = rows?.length ?? batch.ids.length, tensors = this.#head(head);
    if (rows) {
      checkRows(rows, batch, head === "masked" ? settings.maxMasked : settings.maxTokens);
      i32.set(rows, tensors.indices >> 2);
    } else if (head === "masked") {
      throw new InputError(
        "input/option",
        "a loss on the masked head must say which tokens are masked.",
      );
    }
    const weights = this.#weights(batch, attention?.layers ?? []);
    this.#encode(head, rows?.length, weights, batch);
    const { emissions, cotangent } = this.#emissions(head, m);
    f32.fill(0, cotangent.start, cotangent.start + m * cotangent.stride);
    let sum = loss.evaluate({
      batch,
      emissions,
      cotangent,
      scale,
      kernels,
      scratch: plan.lossScratch,
      parameter: (name) => this.#flat(this.#place(name), "value")!,
      gradient: (name) => this.#flat(this.#place(name), "gradient"),
    });
    if (attention) {
      const { heads } = this.#parts.places.config, cotangent = [...by.attention.values()];
      sum += attention.evaluate({
        ...{ weights: [...weights.values()], cotangent, heads, scale, kernels },
      });
    }
    if (!hidden) return sum;
    const states = hidden.layers.map((layer): Emissions => {
      const { address, width } = plan.tensors.hidden[layer], stride = padded(width);
      return {
        rows: batch.ids.length,
        columns: width,
        stride,
        memory: f32,
        start: address >> 2,
      };
    });
    return sum + hidden.evaluate({ hidden: states, cotangent: [...by.hidden.values()], scale });
  }

  /** A parameter whose rows lie without gaps, in place; undefined for the derivative of one that is frozen. */
  #flat({ rows, columns, ...place }: Place, what: "value" | "gradient"): Float32Array | undefined {
    if (rows > 1 || place[what] === 0) return undefined;
    return this.#memory.f32.subarray(place[what] >> 2, (place[what] >> 2) + columns);
  }

  /** Adds the derivatives of an example whose cotangent is in place. */
  #backward({ batch, loss: { head, rows } }: Example, by: Cotangents): void {
    const { places, plan: { tensors, attention }, settings: { checkpointing } } = this.#parts,
      { ops, f32 } = this.#memory;
    const { [places.layers.length]: last } = tensors.hidden, lowest = this.#lowest;
    const needed = lowest < places.layers.length;
    headBackward(
      ops,
      places,
      head,
      last,
      this.#head(head),
      rows?.length,
      needed ? tensors.dHidden : undefined,
    );
    for (let l = places.layers.length - 1; l >= Math.max(lowest, 0); l--) {
      this.#add(tensors.dHidden, by.hidden.get(l + 1));
      // The last layer's activations are still there.
      if (checkpointing && l < places.layers.length - 1) layerForward(ops, places, tensors, l);
      const taught = by.attention.get(l + 1);
      if (taught) {
        ops.run();
        this.#eachRow(batch, (at, from, s) => f32.set(taught.subarray(from, from + s), at));
      }
      layerBackward(ops, places, tensors, l, {
        needed: l > lowest,
        dWeights: taught ? attention : 0,
      });
    }
    if (lowest < 0) embedBackward(ops, places, tensors);
    ops.run();
  }

  /** d += cotangent, once all that was written down before is done. */
  #add({ address }: { address: number }, cotangent: Float32Array | undefined): void {
    if (cotangent === undefined) return;
    const { ops, f32 } = this.#memory, at = address >> 2;
    ops.run();
    for (let i = 0; i < cotangent.length; i++) f32[at + i] += cotangent[i];
  }

  /** L2 norm of all derivatives. */
  #norm(): number {
    const { plan: { placed: { gradients }, squares } } = this.#parts, { ops, f64 } = this.#memory;
    ops.squares(gradients.address, gradients.size, squares);
    ops.run();
    const first = squares >> 3;
    let sum = 0;
    for (let i = 0; i < Math.ceil(gradients.size / SQUARES); i++) sum += f64[first + i];
    return Math.sqrt(sum);
  }

  #place(name: string): Place {
    const place = this.#named.get(this.#parts.aliases.get(name) ?? name);
    if (place) return place;
    throw new InputError("input/tensor", `the model has no parameter ${show(name)}.`);
  }

  read(name: string): Float32Array {
    const place = this.#place(name);
    return readPlace(this.#memory.f32, place, place.value);
  }

  gradient(name: string): Float32Array | undefined {
    const place = this.#place(name);
    return place.gradient === 0 ? undefined : readPlace(this.#memory.f32, place, place.gradient);
  }

  write(name: string, data: Float32Array): void {
    const place = this.#place(name);
    writePlace(this.#memory.f32, place, place.value, data);
  }

  model(): TrainableModel {
    const { model, settings } = this.#parts;
    return copyModel(model, settings.pieces, (name) => this.read(name));
  }

  moments(): NamedTensor[] {
    const { f32 } = this.#memory;
    return this.#parts.plan.placed.places.filter(({ gradient }) => gradient !== 0).flatMap(
      (place) => {
        const { name, shape } = place.parameter;
        return [
          { name: `${name}.m`, shape, data: readPlace(f32, place, place.first) },
          { name: `${name}.v`, shape, data: readPlace(f32, place, place.second) },
        ];
      },
    );
  }

  restore(moments: readonly NamedTensor[], steps: number): void {
    if (!Number.isInteger(steps) || steps < 0 || steps >= 2 ** 32) {
      fail(`the number of steps taken is ${show(steps)}; expected an integer from 0.`);
    }
    const { f32 } = this.#memory, given = new Map(moments.map(({ name, data }) => [name, data]));
    const wanted = this.#parts.plan.placed.places.filter(({ gradient }) => gradient !== 0).flatMap((
      place,
    ) => [
      { name: `${place.parameter.name}.m`, place, address: place.first },
      { name: `${place.parameter.name}.v`, place, address: place.second },
    ]);
    const missing = wanted.find(({ name }) => !given.has(name));
    if (missing || given.size !== wanted.length) {
      const extra = [...given.keys()].find((name) => !wanted.some((one) => one.name === name));
      throw new InputError(
        "input/tensor",
        missing
          ? `the moments lack ${missing.name}; expected those of every parameter that is learned.`
          : `there are moments ${extra}, which belong to no parameter that is learned.`,
      );
    }
    // All are looked at before any is taken.
    for (const { name, place } of wanted) checkSize(place, given.get(name)!);
    for (const { name, place, address } of wanted) {
      writePlace(f32, place, address, given.get(name)!);
    }
    this.#steps = steps;
  }

  close(): void {
    this.#held?.helpers?.close();
    this.#held = undefined;
    this.#open = undefined;
  }
}

/** Something of each of some layers, counted from 1. */
type ByLayer = ReadonlyMap<number, Float32Array>;

/** The derivatives by outputs of layers, and by their attention weights. */
interface Cotangents {
  readonly hidden: ByLayer;
  readonly attention: ByLayer;
}

function checkLayers(layers: readonly number[], count: number): void {
  const wrong = layers.find((layer, i) =>
    !Number.isInteger(layer) || layer < 1 || layer > count || i > 0 && layer <= layers[i - 1]
  );
  if (wrong === undefined) return;
  fail(`a layer that is judged is ${show(wrong)}; expected 1 to ${count}, ascending.`);
}

/** How many things the losses of a step count. */
function countOf(examples: readonly Example[]): number {
  const count = examples.reduce((sum, { loss }) => sum + loss.count, 0);
  if (count > 0) return count;
  throw new InputError("input/labels", "nothing in these batches counts: no token has a target.");
}

function checkRows(rows: Int32Array, { ids }: PackedBatch, most: number): void {
  if (rows.length > most) {
    throw new InputError(
      "input/option",
      `the loss asks for ${rows.length} tokens; the trainer was made for ${most}.`,
    );
  }
  const wrong = rows.findIndex((row, i) =>
    row < 0 || row >= ids.length || i > 0 && row <= rows[i - 1]
  );
  if (wrong >= 0) {
    throw new InputError(
      "input/option",
      `row ${wrong} of the loss is token ${rows[wrong]}; expected ascending tokens from 0 to ${
        ids.length - 1
      }.`,
    );
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
