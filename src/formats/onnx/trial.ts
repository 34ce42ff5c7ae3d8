/**
 * A graph tried out for one batch size and one length, without its activations.
 *
 * Recognisers (`bert.ts` and what it calls) see what an encoder is made of; they cannot see whether a Reshape
 * splits heads as they think, what a mask masks, or which positions are looked up: that is arithmetic on
 * shapes, ids and masks, which exporters write in a hundred ways. So it is not recognised but computed, by a
 * closed list of operators (`operators.ts`), and what comes out is compared with what an encoder needs. All
 * that an output depends on must be in the list, or the graph is refused; so nothing that changes a number is
 * passed over because nobody looked at it.
 *
 * The inputs are what callers feed an encoder: ids, of which padding has the padding's id and tokens never do;
 * the mask; token types 0; positions that count up. What a value is for any other batch and length is known
 * from its bounds (`numbers.ts`); a shape's sizes are computed for the trial, so recognisers ask two trials
 * that have no size in common.
 *
 * Weak: what QuantizeLinear rounds or cuts off is not followed, only that it is undone by the same scale.
 *
 * @module
 */
import { unknownAttribute } from "./attributes.ts";
import { nodeLabel, type OnnxGraph, type OnnxNode } from "./decode.ts";
import { type Followed, MAX_ITEMS, NotFollowed } from "./followed.ts";
import { constant, isConstant, type Item, type Num, within } from "./numbers.ts";
import { OPERATORS, storedTensor } from "./operators.ts";

/** What a trial's inputs are. */
export interface TrialInputs {
  readonly batch: number;
  readonly length: number;
  /** Sizes that the file gives its inputs: then they are the same in every run. */
  readonly fixed: readonly [batch: boolean, length: boolean];
  /** The padding's id. */
  readonly padding: number;
  /** The first token's position, where positions are an input. */
  readonly firstPosition: number;
}

/** Elements of all tensors of a trial; a mask that a hostile file makes large is refused. */
const BUDGET = 1 << 19;

/** Ids of tokens, by place: none is like another, and none is small. */
const FIRST_ID = 1000;

/** The id of the token at a place. */
export function idAt(place: number): number {
  return FIRST_ID + place;
}

/** A graph's values for one batch size and length. */
export class Trial {
  readonly inputs: TrialInputs;
  readonly #graph: OnnxGraph;
  readonly #producers: ReadonlyMap<string, OnnxNode>;
  readonly #values: Map<string, Followed | undefined>;
  /** Why a value is not known: the first node on the way to it that is not understood. */
  readonly #reasons: Map<string, string>;
  #budget = BUDGET;

  /** `producers` are the graph's nodes by the values that they produce. */
  constructor(
    graph: OnnxGraph,
    producers: ReadonlyMap<string, OnnxNode>,
    inputs: TrialInputs,
  ) {
    this.#graph = graph;
    this.#producers = producers;
    this.inputs = inputs;
    this.#values = new Map(
      graph.inputs.map((name) => [name, inputOf(name, inputs)]),
    );
    this.#reasons = new Map();
  }

  /** A value, or undefined where it is not understood. */
  value(name: string): Followed | undefined {
    this.#evaluate(name, this.#values);
    return this.#values.get(name);
  }

  /** Why a value is not known. */
  reason(name: string): string {
    return this.#reasons.get(name) ?? `${JSON.stringify(name)} is not known`;
  }

  /** A value, if another one were this; what does not depend on it is taken from the trial. */
  valueIf(name: string, given: string, tensor: Followed): Followed | undefined {
    const changed = new Map<string, Followed | undefined>([[given, tensor]]);
    this.#budget += BUDGET;
    this.#evaluate(name, changed, this.#between(name, given));
    return changed.get(name);
  }

  /** Size of a dimension, in this trial. */
  sizes(name: string): readonly number[] | undefined {
    return this.value(name)?.dims.map(({ value }) => value);
  }

  /** The nodes between two values: what is computed from `from` and needed for `to`. */
  #between(to: string, from: string): ReadonlySet<string> {
    const order = this.#order(to, new Set([from]));
    const found = new Set([from]);
    for (const node of order) {
      if (node.inputs.some((input) => found.has(input))) {
        for (const output of node.outputs) found.add(output);
      }
    }
    return found;
  }

  /** Nodes that a value needs, each after those that it needs itself; values that are `known` need none. */
  #order(name: string, known: { has(name: string): boolean }): OnnxNode[] {
    const order: OnnxNode[] = [], done = new Set<OnnxNode>();
    const open: [node: OnnxNode, next: number][] = [];
    const enter = (value: string): void => {
      const node = known.has(value) ? undefined : this.#producers.get(value);
      if (node === undefined || done.has(node)) return;
      done.add(node);
      open.push([node, 0]);
    };
    enter(name);
    while (open.length > 0) {
      const top = open.at(-1)!, [node, next] = top;
      if (next === node.inputs.length) {
        order.push(node);
        open.pop();
      } else {
        top[1]++;
        enter(node.inputs[next]!);
      }
    }
    return order;
  }

  /** Evaluates what a value needs into `into`; with `only`, values that are not among these are the trial's. */
  #evaluate(
    name: string,
    into: Map<string, Followed | undefined>,
    only?: ReadonlySet<string>,
  ): void {
    if (into.has(name)) return;
    const own = (value: string): boolean => only === undefined || only.has(value);
    const known = { has: (value: string): boolean => into.has(value) || !own(value) };
    const find = (value: string): Followed | undefined => {
      if (value === "") return undefined;
      if (into.has(value)) return into.get(value);
      if (!own(value)) return this.value(value);
      const tensor = this.#graph.initializers.get(value);
      const stored = tensor && storedTensor(tensor);
      into.set(value, stored);
      return stored;
    };
    for (const node of this.#order(name, known)) {
      const inputs = node.inputs.map(find);
      const lost = node.inputs.findIndex((input, i) => input !== "" && inputs[i] === undefined);
      if (lost >= 0) this.#lose(node, into, this.reason(node.inputs[lost]!));
      else this.#run(node, inputs, into);
    }
    find(name);
  }

  #run(
    node: OnnxNode,
    inputs: readonly (Followed | undefined)[],
    into: Map<string, Followed | undefined>,
  ): void {
    const { batch, length } = this.inputs, { opset } = this.#graph;
    const operator = OPERATORS.get(node.domain === "" ? node.op : `${node.domain}:${node.op}`);
    if (operator === undefined) {
      this.#lose(node, into, `${nodeLabel(node)} is none of the operators that are read`);
      return;
    }
    const attribute = unknownAttribute(node);
    if (attribute !== undefined) {
      this.#lose(node, into, `${nodeLabel(node)} ${attribute}`);
      return;
    }
    try {
      const found = operator({ node, inputs, opset, trial: [batch, length] });
      const outputs = Array.isArray(found) ? found : [found];
      for (const [i, output] of node.outputs.entries()) {
        const tensor = outputs[i] as Followed | undefined;
        if (output === "") continue;
        into.set(output, tensor);
        this.#budget -= tensor?.items?.length ?? 0;
        if (tensor === undefined) {
          this.#reasons.set(output, `output ${i} of ${nodeLabel(node)} is not known`);
        }
      }
      if (this.#budget < 0) throw new NotFollowed(`needs more than ${BUDGET} elements`);
    } catch (error) {
      if (!(error instanceof NotFollowed)) throw error;
      this.#lose(node, into, `${nodeLabel(node)} ${error.message}`);
    }
  }

  #lose(node: OnnxNode, into: Map<string, Followed | undefined>, reason: string): void {
    for (const output of node.outputs) {
      into.set(output, undefined);
      this.#reasons.set(output, reason);
    }
  }
}

/** A batch size or a length: at least 1, or always what it is. */
function size(value: number, fixed: boolean, powers: readonly [number, number]): Num {
  return fixed ? constant(value) : { ...within(value, 1, Infinity), powers };
}

/** What callers feed an encoder under this name; undefined for a name that is not known. */
function inputOf(name: string, inputs: TrialInputs): Followed | undefined {
  const { batch, length, fixed, padding, firstPosition } = inputs;
  if (batch * length > MAX_ITEMS) return undefined;
  const element = (place: number): Item | undefined => {
    switch (name) {
      case "input_ids": {
        const on = { ...within(idAt(place), 0, Infinity), never: padding };
        return { place, on, off: constant(padding) };
      }
      case "attention_mask":
        return { place, on: constant(1), off: constant(0) };
      case "token_type_ids":
        return constant(0);
      case "position_ids":
        return within(firstPosition + place % length, firstPosition, Infinity);
      default:
        return undefined;
    }
  };
  const items = Array.from({ length: batch * length }, (_, place) => element(place));
  if (items.includes(undefined)) return undefined;
  const dims = [size(batch, fixed[0], [1, 0]), size(length, fixed[1], [0, 1])];
  return { kind: "int", dims, items: items as Item[] };
}

/** The one constant that a value is in all of these trials; undefined if it is none. */
export function constantIn(trials: readonly Trial[], name: string): number | undefined {
  const found = trials.map((trial) => {
    const items = trial.value(name)?.items;
    const [item] = items?.length === 1 ? items : [];
    return isConstant(item) ? item.low : undefined;
  });
  return found.every((value) => value === found[0]) ? found[0] : undefined;
}
