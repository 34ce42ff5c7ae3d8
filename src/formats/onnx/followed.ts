/**
 * A tensor of a trial: its shape, and its elements as far as they are followed.
 *
 * Shapes, masks, positions and ids are followed element by element; activations and weights only by their
 * shape. The functions here move elements about and combine them, broadcasting as ONNX does (NumPy's rules).
 *
 * @module
 */
import {
  chosen,
  constant,
  divideSizes,
  isConstant,
  type Item,
  lift,
  multiply,
  type Num,
} from "./numbers.ts";

/** What elements are. */
export type Kind = "float" | "int" | "bool";

/** A tensor in a trial. */
export interface Followed {
  readonly kind: Kind;
  readonly dims: readonly Num[];
  /** Row-major; undefined where only the shape is followed. */
  readonly items?: readonly Item[];
  /** Scale and zero point, for what QuantizeLinear made: its elements stand for the real numbers. */
  readonly quantized?: readonly (Followed | undefined)[];
}

/** What a trial does not understand; its reason is a clause for messages. */
export class NotFollowed extends Error {}

/** Ends a node's evaluation. */
export function lost(why: string): never {
  throw new NotFollowed(why);
}

/** Most elements of a tensor that is followed; a mask of two short texts has a hundred. */
export const MAX_ITEMS = 1 << 17;

/** The shape's sizes in this trial. */
export function sizes({ dims }: Followed): number[] {
  return dims.map(({ value }) => value);
}

/** How many elements there are. */
export function count(dims: readonly Num[]): number {
  return dims.reduce((product, { value }) => product * value, 1);
}

/** A vector of constants. */
export function vector(values: readonly number[]): Followed {
  return { kind: "int", dims: [constant(values.length)], items: values.map(constant) };
}

/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank) lost(`has axis ${axis} of ${rank} dimensions`);
  return at;
}

/** Elements that say how a tensor is shaped: numbers whose value is the same way in every run. */
export function numbersOf(tensor: Followed | undefined, what: string): Num[] {
  return (tensor?.items ?? lost(`has ${what} that depends on more than shapes`)).map((item) => {
    if (!("low" in item) || item.bent || !Number.isInteger(item.value)) {
      lost(`has ${what} that is not the same in every run`);
    }
    return item;
  });
}

/** The same for a list of constants. */
export function constantsOf(tensor: Followed | undefined, what: string): number[] {
  return numbersOf(tensor, what).map((item) =>
    isConstant(item) ? item.low : lost(`has ${what} that differs from run to run`)
  );
}

/** A tensor of this shape whose elements are taken from another: `source` gives the number of each. */
export function arranged(
  tensor: Followed,
  dims: readonly Num[],
  source: (place: readonly number[]) => number,
): Followed {
  const { items, ...rest } = tensor;
  if (items === undefined) return { ...rest, dims };
  const total = count(dims);
  if (dims.some(({ value }) => !(value >= 0)) || !(total <= MAX_ITEMS)) {
    lost(`has shape [${dims.map(({ value }) => value)}]`);
  }
  const place = new Array<number>(dims.length).fill(0);
  const out = new Array<Item>(total);
  for (let i = 0; i < total; i++) {
    out[i] = items[source(place)] ?? lost("reads beyond its input");
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++place[axis]! < dims[axis]!.value) break;
      place[axis] = 0;
    }
  }
  return { ...rest, dims, items: out };
}

/** Distance in elements between neighbours along each axis. */
export function strides(dims: readonly Num[]): number[] {
  const steps = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) {
    steps[axis] = steps[axis + 1]! * dims[axis + 1]!.value;
  }
  return steps;
}

/** The shape that several broadcast to. */
export function broadcastDims(shapes: readonly (readonly Num[])[]): Num[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    let found: Num = constant(1);
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length];
      if (dim === undefined || (isConstant(dim) && dim.low === 1)) continue;
      if (isConstant(found) && found.low === 1) found = dim;
      else if (found.value !== dim.value) {
        lost(
          `combines shapes [${shapes.map((dims) => dims.map((d) => d.value).join()).join("] [")}]`,
        );
      }
    }
    return found;
  });
}

/** A tensor repeated to a shape that it broadcasts to. */
export function broadcast(tensor: Followed, dims: readonly Num[]): Followed {
  const skipped = dims.length - tensor.dims.length;
  const steps = strides(tensor.dims).map((step, axis) => tensor.dims[axis]!.value === 1 ? 0 : step);
  return arranged(
    tensor,
    dims,
    (place) => steps.reduce((at, step, axis) => at + step * place[axis + skipped]!, 0),
  );
}

/** Combines tensors element by element; of activations only the shape is left. */
export function combined(
  kind: Kind,
  f: (...numbers: Num[]) => Num,
  tensors: readonly Followed[],
): Followed {
  const dims = broadcastDims(tensors.map((tensor) => tensor.dims));
  if (tensors.some(({ items }) => items === undefined)) return { kind, dims };
  const wide = tensors.map((tensor) => broadcast(tensor, dims).items!);
  const items = wide[0]!.map((_, i) => lift(f, wide.map((each) => each[i]!)));
  return { kind, dims, items };
}

/** The same elements in another shape; one size may be -1, for what is left. */
export function reshaped(
  tensor: Followed,
  targets: readonly Num[],
  zeroCopies: boolean,
  [batch, length]: readonly [number, number],
): Followed {
  const dims = targets.map((target, axis) => {
    if (!isConstant(target) || target.low !== 0 || !zeroCopies) return target;
    return tensor.dims[axis] ?? lost("copies a dimension that is not there");
  });
  const open = dims.findIndex((dim) => isConstant(dim) && dim.low === -1);
  if (open >= 0) {
    const product = (of: readonly Num[]): Num => of.reduce(multiply, constant(1));
    const rest = product(dims.filter((_, axis) => axis !== open));
    const left = divideSizes(product(tensor.dims), rest, batch, length);
    dims[open] = left ?? lost("leaves a size over that does not divide in every run");
  }
  if (dims.some(({ value }) => !(value >= 0)) || count(dims) !== count(tensor.dims)) {
    lost(`makes [${dims.map(({ value }) => value)}] of [${sizes(tensor)}]`);
  }
  return { ...tensor, dims };
}

/** Places `from`, `from + step`, ... along an axis. */
export function sliced(
  tensor: Followed,
  axis: number,
  from: Num,
  size: Num,
  step: number,
): Followed {
  if (size === tensor.dims[axis] && isConstant(from) && from.low === 0) return tensor;
  const steps = strides(tensor.dims);
  const dims = tensor.dims.with(axis, size);
  const out = arranged(tensor, dims, (place) =>
    steps.reduce(
      (at, stride, i) => at + stride * (i === axis ? from.value + step * place[i]! : place[i]!),
      0,
    ));
  // Which ones there are depends on the length: each could be any of them.
  const fixed = isConstant(from) && isConstant(size);
  if (out.items === undefined || fixed) return out;
  return { ...out, items: out.items.map((item) => chosen(item, tensor.items!)) };
}
