/**
 * Embedding tables, told apart by what they are looked up with.
 *
 * A word embedding is gathered by the graph input `input_ids`, a token-type embedding by `token_type_ids`
 * or by zeros (an export that leaves that input out), a position embedding by consecutive numbers: a
 * constant, a slice of one, a Range, the input `position_ids`, or, in RoBERTa and its kin, a CumSum over the
 * tokens that are not padding, to which the padding's id is added. Those count from padding id + 1; the rows
 * in front are never used, and are cut off, so that row 0 serves the first token. The inputs are the only
 * names that are read from a graph, since a caller must know them too.
 *
 * Weak: a caller of the graph could feed other `position_ids`; they are taken to be consecutive, from where the
 * architecture's begin. A padding id within a text would have RoBERTa count otherwise; tokenizers give it to no
 * piece of text.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type ConstantMatrix, rowsFrom, wholeMatrix } from "./constant.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { type OnnxTensor, tensorNumbers } from "./tensor.ts";
import { refuse, type Walk } from "./walk.ts";

/** An index is followed through at most this many nodes. */
const MAX_DEPTH = 64;

/** The tables of an encoder. */
export interface EmbeddingMatch {
  readonly word: ConstantMatrix;
  /** Row 0 for the first token. */
  readonly position: ConstantMatrix;
  /** Rows of the model's position table, those in front of it too; undefined where it is not all there. */
  readonly positions: number | undefined;
  readonly type: ConstantMatrix | undefined;
}

/** What a Gather of an embedding table is indexed with. */
type Index = "input_ids" | "token_type_ids" | "position_ids" | { readonly offset: number };

/** A table and the Gather that looks it up; none where an export of one length has folded it away. */
export interface Lookup {
  readonly table: ConstantMatrix;
  readonly node: OnnxNode | undefined;
}

/** The terms of the embeddings' sum, or undefined if none is a Gather of a table. */
export function matchLookups(walk: Walk, value: string): Lookup[] | undefined {
  const terms = walk.addends(value);
  if (terms === undefined) return undefined;
  const found = terms.map((term): Lookup | undefined => {
    let at = term;
    // Positions are gathered once and expanded to the batch.
    for (let node = walk.op(at, "Expand"); node !== undefined; node = walk.op(at, "Expand")) {
      at = walk.through(node.inputs[0]!);
    }
    const node = walk.op(at, "Gather");
    const table = node ? walk.matrix(node.inputs[0]!) : foldedTable(walk, at);
    return table && { table, node };
  });
  if (found.every((lookup) => lookup?.node === undefined)) return undefined;
  const missing = found.indexOf(undefined);
  if (missing >= 0) {
    const term = terms[missing]!;
    const hint = walk.op(term, "MatMul", "Gemm")
      ? "; encoders that normalise in front of each block, not behind it, are not supported"
      : "";
    refuse(`Expected a sum of embeddings, found also ${walk.describe(term)}${hint}.`);
  }
  return found as Lookup[];
}

/** Embeddings of every place of a text, `[1, tokens, width]`, as a constant: the table of those places. */
function foldedTable(walk: Walk, value: string): ConstantMatrix | undefined {
  const tensor = walk.stored(value);
  if (tensor === undefined || !/float/.test(tensor.type)) return undefined;
  const [width, rows, ...others] = tensor.dims.toReversed();
  if (!width || !rows || others.some((dim) => dim !== 1)) {
    return undefined;
  }
  return wholeMatrix({ ...tensor, dims: [rows, width] });
}

/** Whether all rows of a table have the same bytes: one token type for every place. */
function isUniform({ tensor, rows }: ConstantMatrix): boolean {
  const { bytes } = tensor, width = bytes.length / rows;
  return bytes.every((byte, i) => byte === bytes[i % width]);
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
      refuse(
        `${label} looks up ${walk.describe(at)}; expected input_ids, token_type_ids or the ` +
          "positions 0, 1, 2, ...",
      );
    }
    if (countsTokens(walk, at) && !picked) return { offset: offset + 1 };
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
      refuse(
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
  refuse(`${label} is indexed by an implausibly long chain.`);
}

/**
 * Whether a value counts tokens from 1: `CumSum(mask) * mask`, where the mask says which tokens are not
 * padding. The product only puts zeros at the padding.
 */
function countsTokens(walk: Walk, value: string): boolean {
  const product = walk.op(value, "Mul");
  for (const side of product?.inputs ?? [value]) {
    let at = walk.through(side);
    const add = walk.op(at, "Add");
    // The number of past tokens, which an encoder has none of.
    const past = add?.inputs.find((input) => walk.scalar(input) === 0);
    if (add !== undefined && past !== undefined) {
      at = walk.through(add.inputs.find((input) => input !== past)!);
    }
    const sum = walk.op(at, "CumSum");
    if (sum === undefined) continue;
    const axis = walk.scalar(sum.inputs[1] ?? "");
    const plain = walk.number(sum, "exclusive", 0) === 0 && walk.number(sum, "reverse", 0) === 0;
    if ((axis === 1 || axis === -1) && plain) return true;
  }
  return false;
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
 * The tables behind these Gathers by role; a position table begins with the first token's row, which is
 * `firstOfInput` where positions are an input of the graph. Throws
 * {@link ModelError} `onnx/unsupported` for lookups by anything else, `model/positions` for positions that
 * start beyond the table.
 */
export function matchEmbeddings(
  walk: Walk,
  lookups: readonly Lookup[],
  firstOfInput: number,
): EmbeddingMatch {
  const tables = new Map<string, ConstantMatrix>();
  let first = 0;
  let whole = true;
  for (const { table, node } of lookups) {
    if (node === undefined) {
      const uniform = isUniform(table);
      const role = uniform ? "token_type_ids" : "position_ids";
      if (tables.has(role)) refuse(`Two embeddings are looked up by ${role}.`);
      tables.set(role, uniform ? rowsFrom(table, table.rows - 1) : table);
      whole &&= uniform;
      continue;
    }
    const index = indexOf(walk, node);
    const axis = walk.number(node, "axis", 0);
    if (axis !== 0) refuse(`${nodeLabel(node)} gathers along axis ${axis}.`);
    const role = typeof index === "object" ? "position_ids" : index;
    if (tables.has(role)) refuse(`Two embeddings are looked up by ${role}.`);
    if (role !== "position_ids") {
      tables.set(role, table);
      continue;
    }
    first = typeof index === "object" ? index.offset : firstOfInput;
    if (!(Number.isInteger(first) && first >= 0 && first < table.rows)) {
      throw new ModelError(
        "model/positions",
        `Positions at ${nodeLabel(node)} start at ${first}; the table has ${table.rows} rows.`,
      );
    }
    tables.set(role, rowsFrom(table, first));
  }
  const word = tables.get("input_ids");
  const position = tables.get("position_ids");
  if (word === undefined) refuse("Found no embedding that is looked up by input_ids.");
  if (position === undefined) {
    refuse("Found no position embedding: rotary or relative positions are not supported.");
  }
  return {
    word,
    position,
    positions: whole ? position.rows + first : undefined,
    type: tables.get("token_type_ids"),
  };
}
