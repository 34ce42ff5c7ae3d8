/**
 * What each operator does to shapes, and to elements that are followed: what a trial computes with.
 *
 * This is a closed list. An operator that is not in it, or one that is used in a way that is not written down
 * here, ends what can be known, and a graph whose output depends on it is refused.
 *
 * What each operator means: ONNX's Operators.md, opset 26. `KeyPadding` is this library's own, see
 * `lower_fused.ts`.
 *
 * @module
 */
import { attribute, listOf, numberOf } from "./attributes.ts";
import type { OnnxNode } from "./decode.ts";
import {
  arranged,
  axisOf,
  broadcast,
  broadcastDims,
  combined,
  constantsOf,
  count,
  type Followed,
  type Kind,
  lost,
  numbersOf,
  reshaped,
  sizes,
  sliced,
  strides,
  vector,
} from "./followed.ts";
import {
  add,
  and,
  ANYTHING,
  chosen,
  constant,
  divide,
  divideSizes,
  equal,
  isChoice,
  isConstant,
  type Item,
  larger,
  less,
  lessOrEqual,
  multiply,
  negate,
  not,
  type Num,
  ofConstants,
  rising,
  smaller,
  subtract,
  truncate,
  where,
  within,
} from "./numbers.ts";
import { type OnnxTensor, tensorNumbers } from "./tensor.ts";

/** A node that is being evaluated. */
export interface Call {
  readonly node: OnnxNode;
  readonly inputs: readonly (Followed | undefined)[];
  readonly opset: number;
  /** Batch size and length of the trial. */
  readonly trial: readonly [batch: number, length: number];
}

type Operator = (call: Call) => Followed | readonly (Followed | undefined)[];

/** Constants up to so many elements are followed; larger ones are weights. */
const MAX_FLOATS = 4096;
const MAX_INTEGERS = 1 << 14;

/** A stored tensor. */
export function storedTensor({ type, dims, size, ...tensor }: OnnxTensor): Followed {
  const kind: Kind = type === "bool" ? "bool" : /float/.test(type) ? "float" : "int";
  const shape = dims.map(constant);
  // A vector of floats is a bias or a LayerNorm's.
  const weights = kind === "float" && (size > MAX_FLOATS || (dims.length === 1 && size > 1));
  if (weights || size > MAX_INTEGERS) return { kind, dims: shape };
  return { kind, dims: shape, items: tensorNumbers({ type, dims, size, ...tensor }).map(constant) };
}

/** An input that must be there. */
function input({ inputs, node }: Call, i: number): Followed {
  return inputs[i] ?? lost(node.inputs[i] ? "reads what is not known" : `lacks input ${i}`);
}

/** ONNX's TensorProto.DataType as a kind. */
function kindOf(type: number): Kind {
  if ([1, 10, 11, 16].includes(type)) return "float";
  if (type === 9) return "bool";
  return [2, 3, 4, 5, 6, 7, 12, 13].includes(type) ? "int" : lost(`has data type ${type}`);
}

function cast(tensor: Followed, kind: Kind): Followed {
  const { kind: from, items } = tensor;
  if (from === kind) return tensor;
  if (items === undefined) return lost(`turns activations into ${kind}`);
  if (kind === "bool") return combined(kind, (x) => not(equal(x, constant(0))), [tensor]);
  const counts = items.some((item) => "row" in item);
  if (kind === "float" || from === "bool" || counts) return { ...tensor, kind };
  return combined(kind, truncate, [tensor]);
}

/** An operator of one input, element by element. */
function unary(f: (x: Num) => Num, kind?: Kind): Operator {
  return (call) => {
    const x = input(call, 0);
    return combined(kind ?? x.kind, f, [x]);
  };
}

function binary(f: (a: Num, b: Num) => Num, kind?: Kind): Operator {
  return (call) => {
    const [a, b] = [input(call, 0), input(call, 1)];
    if (a.kind !== b.kind) lost(`combines ${a.kind} with ${b.kind}`);
    return combined(kind ?? a.kind, f, [a, b]);
  };
}

/** An operator of any number of inputs. */
function folded(f: (a: Num, b: Num) => Num): Operator {
  return (call) =>
    combined(
      input(call, 0).kind,
      (...all) => all.reduce(f),
      call.node.inputs.map((_, i) => input(call, i)),
    );
}

/** An operator on activations that leaves their shape as it is, along the last axis where it has one. */
function alongLast(fallback: number): Operator {
  return (call) => {
    const { kind, dims } = input(call, 0), given = numberOf(call.node, "axis");
    const axis = axisOf(Number.isNaN(given) ? fallback : given, dims.length);
    if (axis !== dims.length - 1) lost(`works along axis ${axis} of ${dims.length}`);
    return { kind, dims };
  };
}

/** Axes from an input or, in older versions, an attribute. */
function axes(call: Call, i: number, rank: number): number[] | undefined {
  const given = call.inputs[i] ? constantsOf(call.inputs[i], "axes") : listOf(call.node, "axes");
  return given?.map((axis) => axisOf(axis, rank));
}

const same: Operator = (call) => input(call, 0);

/** The product of matrices, in stacks that broadcast. */
const matMul: Operator = (call) => {
  const [a, b] = [input(call, 0).dims, input(call, 1).dims];
  if (a.length < 2 || b.length < 2) lost("multiplies a vector");
  if (a.at(-1)!.value !== b.at(-2)!.value) {
    lost(`multiplies [${sizes(input(call, 0))}] by [${sizes(input(call, 1))}]`);
  }
  const stack = broadcastDims([a.slice(0, -2), b.slice(0, -2)]);
  return { kind: "float", dims: [...stack, a.at(-2)!, b.at(-1)!] };
};

const gemm: Operator = (call) => {
  const [a, b] = [input(call, 0).dims, input(call, 1).dims];
  const [inner, outer] = numberOf(call.node, "transB") === 0 ? [b[0], b[1]] : [b[1], b[0]];
  if (a.length !== 2 || b.length !== 2 || a[1]!.value !== inner!.value) {
    lost("multiplies matrices that do not fit");
  }
  return { kind: "float", dims: [a[0]!, outer!] };
};

/** ONNX's Attention: the context has the queries' shape. */
const attention: Operator = (call) => {
  const [query, key, value] = [0, 1, 2].map((i) => input(call, i));
  const shapes = [query, key, value].map((tensor) => sizes(tensor!).join());
  if (new Set(shapes).size > 1) lost(`reads shapes [${shapes.join("] [")}]`);
  return { kind: "float", dims: query!.dims };
};

const reshape: Operator = (call) => {
  const listed = listOf(call.node, "shape");
  const target = listed ? vector(listed) : call.inputs[1];
  const zeroCopies = numberOf(call.node, "allowzero") === 0;
  return reshaped(input(call, 0), numbersOf(target, "a shape"), zeroCopies, call.trial);
};

const transpose: Operator = (call) => {
  const x = input(call, 0), { length } = x.dims;
  const perm = listOf(call.node, "perm") ?? x.dims.map((_, i) => length - 1 - i);
  if (perm.length !== length || new Set(perm).size !== length) lost(`has perm [${perm}]`);
  const steps = strides(x.dims);
  const dims = perm.map((axis) => x.dims[axis] ?? lost(`has perm [${perm}]`));
  return arranged(
    x,
    dims,
    (place) => perm.reduce((at, axis, i) => at + steps[axis]! * place[i]!, 0),
  );
};

const unsqueeze: Operator = (call) => {
  const x = input(call, 0);
  const given = call.inputs[1] ? constantsOf(call.inputs[1], "axes") : listOf(call.node, "axes");
  const rank = x.dims.length + (given?.length ?? lost("has no axes"));
  const places = new Set(given!.map((axis) => axisOf(axis, rank)));
  if (places.size !== given!.length) lost(`has axes [${given}]`);
  const dims: Num[] = [], rest = [...x.dims];
  for (let i = 0; i < rank; i++) dims.push(places.has(i) ? constant(1) : rest.shift()!);
  return { ...x, dims };
};

const squeeze: Operator = (call) => {
  const x = input(call, 0), given = axes(call, 1, x.dims.length);
  const gone = (dim: Num, i: number): boolean =>
    given ? given.includes(i) : isConstant(dim) && dim.low === 1;
  if (x.dims.some((dim, i) => gone(dim, i) && dim.value !== 1)) lost("squeezes more than a 1");
  return { ...x, dims: x.dims.filter((dim, i) => !gone(dim, i)) };
};

const flatten: Operator = (call) => {
  const x = input(call, 0), axis = numberOf(call.node, "axis");
  const product = (dims: readonly Num[]): Num => dims.reduce(multiply, constant(1));
  const at = axis === x.dims.length ? axis : axisOf(axis, x.dims.length);
  return { ...x, dims: [product(x.dims.slice(0, at)), product(x.dims.slice(at))] };
};

const expand: Operator = (call) => {
  const x = input(call, 0), dims = broadcastDims([x.dims, numbersOf(call.inputs[1], "a shape")]);
  return broadcast(x, dims);
};

const concat: Operator = (call) => {
  const all = call.node.inputs.map((_, i) => input(call, i));
  const { kind, dims } = all[0] ?? lost("joins nothing");
  const axis = axisOf(numberOf(call.node, "axis"), dims.length);
  const ranges = all.map((tensor) => tensor.dims[axis] ?? lost("joins different ranks"));
  const whole = dims.with(axis, ranges.reduce(add));
  for (const tensor of all) {
    const fits = tensor.dims.every((dim, i) => i === axis || dim.value === dims[i]?.value);
    if (tensor.dims.length !== dims.length || !fits) lost("joins different shapes");
  }
  if (all.some(({ items }) => items === undefined)) return { kind, dims: whole };
  // Numbers of the parts' elements, one after the other.
  const items = all.flatMap((tensor) => tensor.items!);
  const starts = all.map((_, i) => all.slice(0, i).reduce((n, t) => n + t.items!.length, 0));
  return arranged({ kind, dims: whole, items }, whole, (place) => {
    let part = 0, at = place[axis]!;
    while (at >= ranges[part]!.value) at -= ranges[part++]!.value;
    return strides(all[part]!.dims).reduce(
      (sum, step, i) => sum + step * (i === axis ? at : place[i]!),
      starts[part]!,
    );
  });
};

const slice: Operator = (call) => {
  const x = input(call, 0);
  const list = (i: number, name: string): Num[] | undefined => {
    if (call.inputs[i]) return numbersOf(call.inputs[i], name);
    return listOf(call.node, name)?.map(constant);
  };
  const starts = list(1, "starts") ?? lost("has no starts");
  const ends = list(2, "ends") ?? lost("has no ends");
  const given = axes(call, 3, x.dims.length) ?? starts.map((_, i) => i);
  const by = call.inputs[4] ? constantsOf(call.inputs[4], "steps") : starts.map(() => 1);
  let out = x;
  given.forEach((axis, i) => {
    const size = out.dims[axis] ?? lost("has more starts than dimensions"), step = by[i];
    if (step !== 1) lost(`takes steps of ${step}`);
    const place = (at: Num | undefined): Num => {
      if (at === undefined) return lost("has too few starts or ends");
      // From the end where it is below zero, and no further than the ends.
      const from = at.high < 0 ? add(at, size) : at.low >= 0 ? at : lost("counts from either end");
      return from.value >= size.value ? size : from.value <= 0 ? constant(0) : from;
    };
    const from = place(starts[i]), to = place(ends[i]);
    const kept = isConstant(from) && from.low === 0 ? to : subtract(to, from);
    if (kept.value < 0) lost("takes less than nothing");
    out = sliced(out, axis, from, kept, step);
  });
  return out;
};

/** Places along an axis as indices say, which may count from the end. */
function index(item: Item, size: number): { at: number; fixed: boolean } {
  const side = isChoice(item) ? item.on : item;
  if (!("low" in side)) return lost("is indexed by a count");
  if (isChoice(item) || side.bent || !Number.isInteger(side.value)) {
    return lost("is indexed by what is not the same in every run");
  }
  const at = side.value < 0 ? side.value + size : side.value;
  if (at < 0 || at >= size) lost(`takes element ${side.value} of ${size}`);
  return { at, fixed: isConstant(side) };
}

/** What all elements of a tensor are, if they are one constant: then it does not matter which are taken. */
function uniform({ items }: Followed): Num | undefined {
  const first = items?.[0];
  const same = isConstant(first) &&
    items!.every((item) => item === first || isConstant(item) && item.low === first.low);
  return same ? first : undefined;
}

function filled(kind: Kind, dims: readonly Num[], item: Num): Followed {
  return { kind, dims, items: new Array<Item>(count(dims)).fill(item) };
}

const gather: Operator = (call) => {
  const data = input(call, 0), indices = input(call, 1);
  const axis = axisOf(numberOf(call.node, "axis"), data.dims.length);
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  if (data.items === undefined) return { kind: data.kind, dims };
  const one = uniform(data);
  if (one !== undefined) return filled(data.kind, dims, one);
  if (indices.items === undefined) return lost("is indexed by activations");
  // By ids: what stands there is the table's business.
  if (indices.items.some(isChoice)) return { kind: data.kind, dims };
  const places = indices.items.map((item) => index(item, data.dims[axis]!.value));
  const steps = strides(data.dims), inner = strides(indices.dims), n = indices.dims.length;
  const out = arranged(data, dims, (place) => {
    const which = inner.reduce((sum, step, i) => sum + step * place[axis + i]!, 0);
    return steps.reduce((sum, step, i) => {
      const at = i < axis ? place[i]! : i === axis ? places[which]!.at : place[i + n - 1]!;
      return sum + step * at;
    }, 0);
  });
  if (places.every(({ fixed }) => fixed)) return out;
  return { ...out, items: out.items!.map((item) => chosen(item, data.items!)) };
};

const gatherElements: Operator = (call) => {
  const data = input(call, 0), indices = input(call, 1);
  const axis = axisOf(numberOf(call.node, "axis"), data.dims.length);
  if (data.items === undefined || indices.items === undefined) return lost("gathers activations");
  if (indices.dims.length !== data.dims.length) lost("has indices of another rank");
  const one = uniform(data);
  if (one !== undefined) return filled(data.kind, indices.dims, one);
  const places = indices.items.map((item) => index(item, data.dims[axis]!.value));
  const steps = strides(data.dims), inner = strides(indices.dims);
  const out = arranged(data, indices.dims, (place) =>
    steps.reduce((sum, step, i) => {
      const which = inner.reduce((n, s, k) => n + s * place[k]!, 0);
      return sum + step * (i === axis ? places[which]!.at : place[i]!);
    }, 0));
  if (places.every(({ fixed }) => fixed)) return out;
  return { ...out, items: out.items!.map((item) => chosen(item, data.items!)) };
};

const gatherND: Operator = (call) => {
  const data = input(call, 0), indices = input(call, 1);
  const deep = indices.dims.at(-1)?.value ?? lost("has no indices");
  if (data.items === undefined || indices.items === undefined) return lost("gathers activations");
  const dims = [...indices.dims.slice(0, -1), ...data.dims.slice(deep)];
  const steps = strides(data.dims), rank = indices.dims.length - 1;
  const inner = strides(indices.dims);
  const places = indices.items.map((item, i) => index(item, data.dims[i % deep]?.value ?? 0));
  const out = arranged(data, dims, (place) => {
    const row = inner.slice(0, -1).reduce((sum, step, i) => sum + step * place[i]!, 0);
    let at = 0;
    for (let i = 0; i < deep; i++) at += steps[i]! * places[row + i]!.at;
    for (let i = deep; i < steps.length; i++) at += steps[i]! * place[rank + i - deep]!;
    return at;
  });
  if (places.every(({ fixed }) => fixed)) return out;
  return { ...out, items: out.items!.map((item) => chosen(item, data.items!)) };
};

const split: Operator = (call) => {
  const x = input(call, 0), axis = axisOf(numberOf(call.node, "axis"), x.dims.length);
  const whole = x.dims[axis]!, parts = call.node.outputs.length;
  const listed = call.inputs[1] ? constantsOf(call.inputs[1], "sizes") : listOf(call.node, "split");
  if (!isConstant(whole)) lost("splits a size that differs from run to run");
  const ranges = listed ?? call.node.outputs.map(() => whole.low / parts);
  const total = ranges.reduce((a, b) => a + b, 0);
  if (ranges.length !== parts || total !== whole.low || !ranges.every(Number.isInteger)) {
    lost(`splits ${whole.low} into [${ranges}]`);
  }
  let from = 0;
  return ranges.map((size) => {
    from += size;
    return sliced(x, axis, constant(from - size), constant(size), 1);
  });
};

const range: Operator = (call) => {
  const [start, limit, delta] = [0, 1, 2].map((i) =>
    numbersOf(input(call, i), "a range")[0] ?? lost("has no bounds")
  );
  const step = isConstant(delta) && delta.low > 0
    ? delta.low
    : lost("has a step that is not known");
  const size = step === 1 && isConstant(start!) && start!.low === 0
    ? limit!
    : isConstant(start!) && isConstant(limit!)
    ? constant(Math.max(0, Math.ceil((limit!.low - start!.low) / step)))
    : lost("is a range that neither begins at 0 nor is constant");
  if (!(size.value >= 0 && size.value <= MAX_INTEGERS)) lost(`has ${size.value} elements`);
  const items = Array.from({ length: size.value }, (_, i) => {
    const value = start!.value + i * step;
    return isConstant(size) ? constant(value) : within(value, start!.low, Infinity);
  });
  return { kind: input(call, 0).kind, dims: [size], items };
};

const constantOfShape: Operator = (call) => {
  const dims = numbersOf(input(call, 0), "a shape"), fill = attribute(call.node, "value");
  const total = count(dims);
  if (!(total >= 0 && total <= MAX_INTEGERS)) lost(`has ${total} elements`);
  const tensor = typeof fill === "object" && fill !== null && !Array.isArray(fill);
  const one = tensor ? storedTensor(fill as OnnxTensor) : undefined;
  const item = fill === undefined ? constant(0) : one?.items?.[0] ?? lost("has no value");
  return { kind: one?.kind ?? "float", dims, items: new Array<Item>(total).fill(item) };
};

const constantNode: Operator = ({ node }) => {
  const [name, value] = [...node.attributes][0] ?? lost("has no value");
  const kind: Kind = name.startsWith("value_float") ? "float" : "int";
  if (typeof value === "number") return { kind, dims: [], items: [constant(value)] };
  if (Array.isArray(value)) return { ...vector(value), kind };
  if (value === null || typeof value !== "object") return lost("has a value that is not read");
  return storedTensor(value as OnnxTensor);
};

const shape: Operator = (call) => {
  const { dims } = input(call, 0), end = numberOf(call.node, "end");
  // As slices clamp: -1 leaves the last one out.
  const items = dims.slice(numberOf(call.node, "start"), Number.isNaN(end) ? undefined : end);
  return { kind: "int", dims: [constant(items.length)], items };
};

/**
 * Sums along the last axis of `[batch, length]`. Of choices (a mask) each sum is said for the case that its own
 * token counts; then so do those before it, since padding is at the end.
 */
const cumSum: Operator = (call) => {
  const x = input(call, 0);
  const [at] = constantsOf(call.inputs[1], "an axis"), { length } = x.dims;
  if (length !== 2 || axisOf(at!, length) !== 1) lost("does not sum along a text");
  if (numberOf(call.node, "reverse") !== 0) lost("sums from the end");
  if (x.items === undefined) return { kind: x.kind, dims: x.dims };
  const exclusive = numberOf(call.node, "exclusive") !== 0, tokens = x.dims[1]!.value;
  let sum = constant(0);
  const items = x.items.map((item, i): Item => {
    if (i % tokens === 0) sum = constant(0);
    const term = isChoice(item) && item.place === i ? item.on : item;
    if (!("low" in term)) return ANYTHING;
    const after = add(sum, term);
    // Any number of terms, of which the first is like the others.
    const { value, bent } = exclusive ? sum : after;
    sum = after;
    const low = term.low >= 0 ? Math.min(term.low, value) : -Infinity;
    const on = within(value, low, Infinity, bent);
    return isChoice(item) ? { place: item.place, on, off: ANYTHING } : on;
  });
  return { ...x, items };
};

/** How many tokens of each row count; sums of anything else are not followed. */
const reduceSum: Operator = (call) => {
  const x = input(call, 0), along = axes(call, 1, x.dims.length);
  if (along?.length !== 1 || along[0] !== 1 || x.dims.length !== 2) lost("sums along another axis");
  const [rows, tokens] = sizes(x);
  const counts = x.items?.every((item, i) => {
    if (!isChoice(item) || item.place !== i) return false;
    return isConstant(item.on) && item.on.low === 1 && isConstant(item.off) && item.off.low === 0;
  });
  if (!counts || x.items!.length !== rows! * tokens!) lost("sums what is no padding mask");
  const items = Array.from({ length: rows! }, (_, row) => ({ row }));
  const kept = numberOf(call.node, "keepdims") !== 0;
  return { kind: x.kind, dims: kept ? [x.dims[0]!, constant(1)] : [x.dims[0]!], items };
};

const reduceMean: Operator = (call) => {
  const { kind, dims } = input(call, 0), along = axes(call, 1, dims.length);
  if (along?.length !== 1 || along[0] !== dims.length - 1) lost("averages along another axis");
  if (numberOf(call.node, "keepdims") === 0) lost("drops a dimension");
  return { kind, dims: dims.with(-1, constant(1)) };
};

const divideBoth: Operator = (call) => {
  const [a, b] = [input(call, 0), input(call, 1)];
  if (a.kind !== b.kind) lost(`combines ${a.kind} with ${b.kind}`);
  if (a.kind === "float") return combined("float", divide, [a, b]);
  const [batch, length] = call.trial;
  return combined("int", (x, y) => divideSizes(x, y, batch, length) ?? ANYTHING, [a, b]);
};

const whereBoth: Operator = (call) => {
  const [condition, x, y] = [0, 1, 2].map((i) => input(call, i));
  if (x!.kind !== y!.kind) lost(`chooses between ${x!.kind} and ${y!.kind}`);
  return combined(x!.kind, where, [condition!, x!, y!]);
};

/** Whether two scales or zero points are the same. */
function agree(a: Followed | undefined, b: Followed | undefined): boolean {
  if (a === b) return true;
  const values = (of: Followed | undefined): (number | undefined)[] | undefined =>
    of === undefined ? [0] : of.items?.map((item) => isConstant(item) ? item.low : undefined);
  const [x, y] = [values(a), values(b)];
  return x !== undefined && y !== undefined && !x.includes(undefined) && x.join() === y.join();
}

const quantize: Operator = (call) => ({
  ...input(call, 0),
  quantized: [input(call, 1), call.inputs[2]],
});

const dynamicQuantize: Operator = (call) => {
  const x = input(call, 0);
  const scale: Followed = { kind: "float", dims: [] }, zero: Followed = { kind: "int", dims: [] };
  return [{ ...x, quantized: [scale, zero] }, scale, zero];
};

/** Back to real numbers by the scale that they were quantized with, or of stored integers. */
const dequantize: Operator = (call) => {
  const { quantized, ...x } = input(call, 0), scale = input(call, 1), zero = call.inputs[2];
  if (quantized !== undefined) {
    if (!agree(quantized[0], scale) || !agree(quantized[1], zero)) {
      lost("has another scale or zero point than what it reads was quantized with");
    }
    return x;
  }
  if (!x.items || !scale.items || scale.items.length > 1) return { kind: "float", dims: x.dims };
  const f = ofConstants((value, by, from = 0) => (value - from) * by);
  return combined("float", f, zero ? [x, scale, zero] : [x, scale]);
};

/** `[batch, 1, 1, tokens]`: 0 for tokens that count, `filter` for padding, of a mask or of counts. */
const keyPadding: Operator = (call) => {
  const x = input(call, 0), [batch, length] = call.trial, filter = numberOf(call.node, "filter");
  const last = x.dims.at(-1) ?? lost("has a mask of no dimensions");
  const mask = x.dims.length === 2 && sizes(x).join() === `${batch},${length}`;
  const counted = x.dims.length === 1 && last.value === batch;
  const items = x.items ?? lost("has a mask that is computed from activations");
  if (mask) {
    const f = (m: Num): Num => where(equal(m, constant(0)), constant(filter), constant(0));
    const { items } = combined("float", f, [x]);
    return { kind: "float", dims: [x.dims[0]!, constant(1), constant(1), last], items };
  }
  if (!counted || !items.every((item, row) => "row" in item && item.row === row)) {
    return lost("has a mask of another form");
  }
  const size = within(length, 1, Infinity);
  const padded = Array.from({ length: batch * length }, (_, place): Item => ({
    place,
    on: constant(0),
    off: constant(filter),
  }));
  return { kind: "float", dims: [last, constant(1), constant(1), size], items: padded };
};

const unknown = (): Num => ANYTHING;

/** By name. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["Add", binary(add)],
  ["And", binary(and, "bool")],
  ["Attention", attention],
  ["Cast", (call) => cast(input(call, 0), kindOf(numberOf(call.node, "to")))],
  ["CastLike", (call) => cast(input(call, 0), input(call, 1).kind)],
  ["Concat", concat],
  ["Constant", constantNode],
  ["ConstantOfShape", constantOfShape],
  ["CumSum", cumSum],
  ["DequantizeLinear", dequantize],
  ["Div", divideBoth],
  // In whatever mode it was exported: what drops elements at random is meant for training.
  ["Dropout", same],
  ["DynamicQuantizeLinear", dynamicQuantize],
  ["Equal", binary(equal, "bool")],
  ["Erf", unary(unknown)],
  ["Exp", unary(rising(Math.exp))],
  ["Expand", expand],
  ["Flatten", flatten],
  ["Gather", gather],
  ["GatherElements", gatherElements],
  ["GatherND", gatherND],
  ["Gelu", unary(unknown)],
  ["Gemm", gemm],
  ["Greater", binary((a, b) => less(b, a), "bool")],
  ["GreaterOrEqual", binary((a, b) => lessOrEqual(b, a), "bool")],
  ["Identity", same],
  ["IsNaN", unary((x) => (Number.isNaN(x.low + x.high) ? ANYTHING : constant(0)), "bool")],
  ["KeyPadding", keyPadding],
  ["LayerNormalization", alongLast(-1)],
  ["Less", binary(less, "bool")],
  ["LessOrEqual", binary(lessOrEqual, "bool")],
  ["MatMul", matMul],
  ["Max", folded(larger)],
  ["Min", folded(smaller)],
  ["Mul", binary(multiply)],
  ["Neg", unary(negate)],
  ["Not", unary(not)],
  ["Or", binary((a, b) => not(and(not(a), not(b))), "bool")],
  [
    "Pow",
    (call) =>
      combined(input(call, 0).kind, ofConstants(Math.pow), [0, 1].map((i) => input(call, i))),
  ],
  ["QuantizeLinear", quantize],
  ["com.microsoft:QuickGelu", unary(unknown)],
  ["Range", range],
  ["Reciprocal", unary((x) => divide(constant(1), x))],
  ["ReduceMean", reduceMean],
  ["ReduceSum", reduceSum],
  ["Relu", unary((x) => larger(x, constant(0)))],
  ["Reshape", reshape],
  ["Shape", shape],
  ["Sigmoid", unary(unknown)],
  ["Slice", slice],
  ["Softmax", (call) => alongLast(call.opset < 13 ? 1 : -1)(call)],
  ["Split", split],
  ["Sqrt", unary(rising(Math.sqrt))],
  ["Squeeze", squeeze],
  ["Sub", binary(subtract)],
  ["Sum", folded(add)],
  ["Tanh", unary(rising(Math.tanh))],
  ["Transpose", transpose],
  ["Unsqueeze", unsqueeze],
  ["Where", whereBoth],
]);
