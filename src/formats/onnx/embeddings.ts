/**
 * Embedding tables, told apart by what they are looked up with.
 *
 * A word embedding is gathered by the graph input `input_ids`, a token-type embedding by `token_type_ids`
 * or by zeros (an export that leaves that input out), a position embedding by 0, 1, 2, ...: a constant, a
 * slice of one, a Range, or the input `position_ids`. These inputs are the only names that are read from a
 * graph, since a caller must know them too.
 *
 * Weak: a caller of the graph could feed other `position_ids`; they are taken to be 0, 1, 2, ...
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { type OnnxTensor, tensorNumbers } from "./tensor.ts";
import { type ConstantMatrix, unsupported, type Walk } from "./walk.ts";

/** An index is followed through at most this many nodes. */
const MAX_DEPTH = 64;

/** The tables of an encoder. */
export interface EmbeddingMatch {
  readonly word: ConstantMatrix;
  readonly position: ConstantMatrix;
  readonly type: ConstantMatrix | undefined;
}

/** What a Gather of an embedding table is indexed with. */
type Index = "input_ids" | "token_type_ids" | "position_ids" | { readonly offset: number };

/** The terms of the embeddings' sum that are Gathers of a table, or undefined if none is. */
export function matchGathers(walk: Walk, value: string): OnnxNode[] | undefined {
  const terms = walk.addends(value);
  if (terms === undefined) return undefined;
  const found = terms.map((term) => {
    let at = term;
    // Positions are gathered once and expanded to the batch.
    for (let node = walk.op(at, "Expand"); node !== undefined; node = walk.op(at, "Expand")) {
      at = walk.through(node.inputs[0]!);
    }
    const gather = walk.op(at, "Gather");
    return gather !== undefined && walk.matrix(gather.inputs[0]!) !== undefined
      ? gather
      : undefined;
  });
  if (found.every((node) => node === undefined)) return undefined;
  const missing = found.indexOf(undefined);
  if (missing >= 0) {
    unsupported(`Expected a sum of embeddings, found also ${walk.describe(terms[missing]!)}.`);
  }
  return found as OnnxNode[];
}

/** Operators that an index passes through on its way from where it is made. */
const PASSED = ["Slice", "Expand", "GatherElements", "Gather", "Tile"];

/** Follows an index to a graph input, or to constants and ranges: zeros, or 0, 1, 2, ... */
function indexOf(walk: Walk, gather: OnnxNode): Index {
  const label = nodeLabel(gather);
  let at = gather.inputs[1] ?? "";
  /** What was added to the index, and where slices of it begin. */
  let offset = 0;
  /** Whether elements may have been picked out of their order; harmless only for zeros. */
  let picked = false;
  for (let i = 0; i < MAX_DEPTH; i++) {
    at = walk.through(at);
    const node = walk.producer(at);
    const found = walk.graph.inputs.includes(at) ? at : sourceOf(walk, at);
    if (found === "zeros" && offset === 0) return "token_type_ids";
    if (typeof found === "number" && !picked) return { offset: found + offset };
    if (INPUTS.includes(found as string) && !picked && offset === 0) return found as Index;
    if (found !== undefined) {
      unsupported(
        `${label} looks up ${walk.describe(at)}; expected input_ids, token_type_ids or the ` +
          "positions 0, 1, 2, ...",
      );
    }
    if (node?.domain === "" && node.op === "Add") {
      const [a, b] = node.inputs as [string, string];
      const right = walk.scalar(b);
      const added = right ?? walk.scalar(a);
      if (added !== undefined) {
        offset += added;
        at = right === undefined ? b : a;
        continue;
      }
    }
    if (node === undefined || node.domain !== "" || !PASSED.includes(node.op)) {
      if ([...walk.ancestors(at)].some(({ op }) => op === "CumSum")) {
        throw new ModelError(
          "model/positions",
          `Positions at ${label} are counted from the padding id, as RoBERTa's are; ` +
            "only the positions 0, 1, 2, ... are supported yet.",
        );
      }
      unsupported(
        `${label} is indexed by ${walk.describe(at)}; expected input_ids, token_type_ids or the ` +
          "positions 0, 1, 2, ...",
      );
    }
    if (node.op === "Slice") {
      // Starts and steps are inputs since opset 10, attributes before.
      const start = node.inputs[1] ? walk.scalar(node.inputs[1]) : walk.list(node, "starts")?.[0];
      const step = node.inputs[4] ? walk.scalar(node.inputs[4]) : 1;
      if (start === undefined || start < 0 || step !== 1) picked = true;
      else offset += start;
    } else if (node.op !== "Expand") picked = true;
    at = node.inputs[0]!;
  }
  unsupported(`${label} is indexed by an implausibly long chain.`);
}

/** Inputs that embeddings are looked up with. */
const INPUTS: readonly string[] = ["input_ids", "token_type_ids", "position_ids"];

/**
 * What an index starts from: `zeros`, the first of consecutive numbers, `other` for constants that are
 * neither; undefined when it is not made here.
 */
function sourceOf(walk: Walk, value: string): "zeros" | "other" | number | undefined {
  const tensor = walk.stored(value);
  if (tensor !== undefined) return contentOf(tensor);
  const range = walk.op(value, "Range");
  if (range !== undefined) {
    const start = walk.scalar(range.inputs[0] ?? "");
    return start !== undefined && walk.scalar(range.inputs[2] ?? "") === 1 ? start : "other";
  }
  const filled = walk.op(value, "ConstantOfShape");
  if (filled === undefined) return undefined;
  const fill = filled.attributes.get("value");
  if (fill === undefined) return "zeros";
  const tensorFill = fill !== null && typeof fill === "object" && !Array.isArray(fill);
  return tensorFill && tensorNumbers(fill as OnnxTensor)[0] === 0 ? "zeros" : "other";
}

function contentOf(tensor: OnnxTensor): "zeros" | "other" | number {
  const ids = tensorNumbers(tensor);
  const [start] = ids;
  if (start === undefined) return "other";
  if (ids.length > 1 && ids.every((id) => id === 0)) return "zeros";
  return ids.every((id, i) => id === start + i) ? start : "other";
}

/**
 * The tables behind these Gathers by role. Throws {@link ModelError} `onnx/unsupported` for lookups by anything
 * else, `model/positions` for positions that do not start at 0.
 */
export function matchEmbeddings(walk: Walk, nodes: readonly OnnxNode[]): EmbeddingMatch {
  const tables = new Map<string, ConstantMatrix>();
  for (const node of nodes) {
    const index = indexOf(walk, node);
    const axis = walk.number(node, "axis", 0);
    if (axis !== 0) unsupported(`${nodeLabel(node)} gathers along axis ${axis}.`);
    if (typeof index === "object" && index.offset !== 0) {
      throw new ModelError(
        "model/positions",
        `Positions at ${nodeLabel(node)} start at ${index.offset}; only positions from 0 are ` +
          "supported yet.",
      );
    }
    const role = typeof index === "object" ? "position_ids" : index;
    if (tables.has(role)) unsupported(`Two embeddings are looked up by ${role}.`);
    tables.set(role, walk.matrix(node.inputs[0]!)!);
  }
  const word = tables.get("input_ids");
  const position = tables.get("position_ids");
  if (word === undefined) unsupported("Found no embedding that is looked up by input_ids.");
  if (position === undefined) {
    unsupported("Found no position embedding: rotary or relative positions are not supported.");
  }
  return { word, position, type: tables.get("token_type_ids") };
}
