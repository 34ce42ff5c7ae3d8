/**
 * What must hold of an attention block for it to be plain self-attention under a padding mask, and is shown by
 * computing it in every trial.
 *
 * Heads: elements are numbered where a linear map gives them, and it is looked where each of them arrives. The
 * mask: a score is put in whose bounds are -1 and 3, and the bounds under Softmax must be those of a multiple
 * of it for every token that counts, and far below for every one that does not. A mask that depends on
 * positions, on queries, on lengths or on anything else has other bounds, or is bent, somewhere.
 *
 * @module
 */
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { broadcast, type Followed, NotFollowed } from "./followed.ts";
import { constant, isChoice, isConstant, type Item, type Num, within } from "./numbers.ts";
import { refuse } from "./refuse.ts";
import type { Trial } from "./trial.ts";
import type { Walk } from "./walk.ts";

/**
 * How far a masked score must lie below the others. exp of -104 is 0 in float32, and scores themselves differ by
 * some tens; BERT's exporters write -10000 and less.
 */
const MASKED = -1000;

/** A trial's tensor of numbers 0, 1, 2, ... in the shape that a value has. */
function numbered({ dims }: Followed): Followed {
  const size = dims.reduce((product, { value }) => product * value, 1);
  return { kind: "float", dims, items: Array.from({ length: size }, (_, i) => constant(i)) };
}

/** Where an element of the rearranged tensor comes from, by batch, head, token and column of the head. */
type Source = (batch: number, head: number, token: number, column: number) => number;

/** Sizes of a trial's attention. */
interface Sizes {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly columns: number;
}

/** All numbers that a rearrangement must give, in its order; the last two axes turned for keys. */
function expected(
  { batch, length, heads, columns }: Sizes,
  source: Source,
  order: "rows" | "columns" | "joined",
): number[] {
  const out: number[] = [];
  const ends = { rows: [heads, length, columns], columns: [heads, columns, length] } as const;
  const [x, y, z] = order === "joined" ? [length, heads, columns] : ends[order];
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < x; i++) {
      for (let j = 0; j < y; j++) {
        for (let k = 0; k < z; k++) {
          if (order === "joined") out.push(source(b, j, i, k));
          else if (order === "rows") out.push(source(b, i, j, k));
          else out.push(source(b, i, k, j));
        }
      }
    }
  }
  return out;
}

/** Whether a value has the elements of another, times `scale`, in this order. */
function comes(
  trial: Trial,
  value: string,
  from: string,
  scale: number,
  want: readonly number[],
): boolean {
  const source = trial.value(from);
  const items = source && trial.valueIf(value, from, numbered(source))?.items;
  if (items?.length !== want.length) return false;
  // They are whole numbers times the scale, whose products may be rounded.
  const slack = 1e-6 * Math.abs(scale) * want.length;
  return items.every((item, i) =>
    isConstant(item) && Math.abs(item.low - scale * want[i]!) <= slack / 2
  );
}

/** How a value is laid out where heads are apart. */
export type Layout = "rows" | "columns" | "packed";

/** How many heads a value has whose shape says so: `[batch, heads, ...]`, or both as one. */
function headsOf(shape: readonly number[] | undefined, batch: number): number {
  if (shape?.length === 4 && shape[0] === batch) return shape[1]!;
  return shape?.length === 3 ? shape[0]! / batch : NaN;
}

/**
 * How many heads a linear map's output (`from`, `width` columns) is split into, where `value` is read; `packed`
 * is for an operator that takes heads side by side and says itself how many there are. Refuses any other order
 * of its elements.
 */
export function proveSplit(
  walk: Walk,
  value: string,
  from: string,
  width: number,
  { scale, layout, role, node }: {
    readonly scale: number;
    readonly layout: Layout;
    readonly role: string;
    readonly node: OnnxNode;
  },
): number {
  const counts = walk.trials.map((trial) => {
    const { batch, length } = trial.inputs;
    const heads = layout === "packed" ? 1 : headsOf(trial.sizes(value), batch);
    const columns = width / heads;
    const source: Source = (b, h, t, c) => (b * length + t) * width + h * columns + c;
    const sizes = { batch, length, heads, columns };
    const fits = Number.isInteger(heads) && heads > 0 && Number.isInteger(columns);
    const order = layout === "columns" ? "columns" : "rows";
    return fits && comes(trial, value, from, scale, expected(sizes, source, order)) ? heads : NaN;
  });
  const [heads] = counts;
  if (heads === undefined || counts.some((count) => count !== heads)) {
    const [shape] = walk.sizes(value);
    refuse(
      `Attention's ${role} at ${
        nodeLabel(node)
      } is not split into heads, or its heads are not in order: its ` +
        `${width} columns are rearranged to [${shape}] otherwise than [batch, heads, tokens, head size] asks.`,
    );
  }
  return heads;
}

/** Refuses a context (`from`) whose heads are not joined in order where `value` is read. */
export function proveJoined(
  walk: Walk,
  value: string,
  from: string,
  heads: number,
  width: number,
  node: OnnxNode,
): void {
  const columns = width / heads;
  const joined = walk.trials.every((trial) => {
    const { batch, length } = trial.inputs;
    const source: Source = (b, h, t, c) => ((b * heads + h) * length + t) * columns + c;
    return comes(
      trial,
      value,
      from,
      1,
      expected({ batch, length, heads, columns }, source, "joined"),
    );
  });
  if (!joined) {
    refuse(
      `Attention's heads are joined in another order than they were split, at ${nodeLabel(node)}.`,
    );
  }
}

/** Bounds of what a score becomes where tokens count, or why it is no padding mask that it is under. */
function boundsUnder(
  walk: Walk,
  items: readonly Item[],
  trial: Trial,
  heads: number,
): readonly [low: number, high: number] | string {
  const { length } = trial.inputs, first = items[0]!, masked = isChoice(first);
  // Without that input there is no padding, and nothing to mask.
  if (!masked && walk.graph.inputs.includes("attention_mask")) return "it masks no padding";
  const plain = (item: Item): Num | undefined => isChoice(item) ? item.on : item as Num;
  const { low, high } = plain(first) ?? {};
  if (low === undefined || high === undefined || !Number.isFinite(low + high)) {
    return "it is not a sum of a score and a mask";
  }
  for (const [i, item] of items.entries()) {
    if ("row" in item) return "it is a length";
    const batch = Math.floor(i / (heads * length * length)), key = i % length;
    const on = plain(item)!, off = isChoice(item) ? item.off : undefined;
    if (on.bent || off?.bent) return "it depends on positions or on lengths";
    if (on.low !== low || on.high !== high) return "tokens that count are biased differently";
    if (isChoice(item) !== masked) return "it masks some places only";
    if (!isChoice(item)) continue;
    if (item.place !== batch * trial.inputs.length + key) {
      return "it masks other places than padding";
    }
    if (!(off!.high <= low + MASKED)) return `it lowers padding to ${off!.high} only`;
  }
  return [low, high];
}

/**
 * What scores are multiplied by between their product (`from`) and Softmax's input (`value`), under nothing but
 * a padding mask. Refuses anything else.
 */
export function proveScores(
  walk: Walk,
  value: string,
  from: string,
  heads: number,
  node: OnnxNode,
): number {
  const found = walk.trials.map((trial) => {
    const { batch, length } = trial.inputs, product = trial.value(from);
    if (product === undefined) return refuse(`The graph is not understood: ${trial.reason(from)}.`);
    const size = batch * heads * length * length;
    const under = (score: Num): readonly [number, number] | string => {
      const items = new Array<Item>(size).fill(score);
      const scores: Followed = { kind: "float", dims: product.dims, items };
      const out = trial.valueIf(value, from, scores)?.items;
      return out?.length === size ? boundsUnder(walk, out, trial, heads) : "it is not understood";
    };
    // Under a score of 0 there is the mask alone, which must have no bounds of its own.
    const alone = under(constant(0));
    if (typeof alone === "string") return alone;
    if (alone[0] !== alone[1]) return "it is not the same in every run";
    const bounds = under(within(0, -1, 3));
    if (typeof bounds === "string") return bounds;
    // The longer side is the score's upper one, unless it has been turned round.
    const [below, above] = [alone[0] - bounds[0], bounds[1] - alone[0]];
    return above >= below ? (above + below) / 4 : -(above + below) / 4;
  });
  const [scale] = found;
  const wrong = found.find((each) => typeof each === "string");
  if (wrong !== undefined || found.some((each) => each !== scale)) {
    refuseMask(node, wrong ?? "it depends on the length");
  }
  return scale as number;
}

/** Refuses a mask or bias of an Attention operator that is no padding mask. */
export function proveMask(
  walk: Walk,
  value: string | undefined,
  heads: number,
  node: OnnxNode,
): void {
  if (!value) {
    if (walk.graph.inputs.includes("attention_mask")) refuseMask(node, "it masks no padding");
    return;
  }
  for (const trial of walk.trials) {
    const { batch, length } = trial.inputs;
    const mask = trial.value(value);
    if (mask === undefined) refuse(`The graph is not understood: ${trial.reason(value)}.`);
    const dims = [batch, heads, length, length].map(constant);
    let items: readonly Item[] | undefined;
    try {
      items = mask.dims.length <= 4 ? broadcast(mask, dims).items : undefined;
    } catch (error) {
      if (!(error instanceof NotFollowed)) throw error;
    }
    if (items === undefined || items.includes(undefined as unknown as Item)) {
      refuseMask(node, "it is computed from activations or has another shape");
    }
    // A mask of truth values says which places count.
    const floats = mask.kind === "bool" ? items.map(lowered) : items;
    const bounds = boundsUnder(walk, floats, trial, heads);
    if (typeof bounds === "string") refuseMask(node, bounds);
    if (bounds[0] !== bounds[1]) refuseMask(node, "it is not the same in every run");
  }
}

/** 0 where a mask of truth values is true, and minus infinity where it is false. */
function lowered(item: Item): Item {
  const side = (x: Num): Num =>
    x.low === x.high ? constant(x.low === 1 ? 0 : -Infinity) : { ...x, bent: true };
  if (isChoice(item)) return { ...item, on: side(item.on), off: side(item.off) };
  return "row" in item ? item : side(item);
}

function refuseMask(node: OnnxNode, why: string): never {
  refuse(
    `What is added to the attention scores at ${
      nodeLabel(node)
    } is not shown to be the padding mask and ` +
      `nothing else: ${why}. Causal, windowed and relative attention are not supported.`,
  );
}
