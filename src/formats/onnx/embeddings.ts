/**
 * Embedding tables, told apart by what they are looked up with.
 *
 * What a Gather is indexed by is computed (`trial.ts`), whatever nodes it goes through: `input_ids` as they are
 * make a word embedding; one number for every token a token-type embedding, of which that row is read;
 * consecutive numbers, from any first one, a position embedding. Its rows in front of the first token's are
 * never used, and are cut off, so that row 0 serves the first token: RoBERTa and its kin count from the
 * padding's id + 1. Positions are computed once more for a text as long as the table, so that they are
 * consecutive to its end. The inputs are the only names that are read from a graph, since a caller must know
 * them too.
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
import { numberOf } from "./attributes.ts";
import { type Choice, isChoice, isConstant, type Item } from "./numbers.ts";
import { refuse } from "./refuse.ts";
import { idAt, type Trial } from "./trial.ts";
import type { Walk } from "./walk.ts";

/** The tables of an encoder. */
export interface EmbeddingMatch {
  readonly word: ConstantMatrix;
  /** Row 0 for the first token. */
  readonly position: ConstantMatrix;
  /** Rows of the model's position table, those in front of it too; undefined where it is not all there. */
  readonly positions: number | undefined;
  readonly type: ConstantMatrix | undefined;
}

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

/** The longest text that positions are computed for; more than any table of an encoder has. */
const MAX_LENGTH = 1 << 13;

/** What an index is in a trial: ids, one constant, or consecutive numbers from the first. */
type Index = "ids" | { readonly row: number } | { readonly first: number };

/** A number that is the same in every run, or as a position is: shifted by a constant from one that counts. */
function numberAt(item: Item): number | undefined {
  const on = isChoice(item) ? item.on : item;
  return "low" in on && !on.bent ? on.value : undefined;
}

/** What a value is that a table is looked up with; undefined if it is nothing that an encoder looks up. */
function indexIn(trial: Trial, value: string): Index | undefined {
  const { batch, length } = trial.inputs, found = trial.value(value);
  const items = found?.items, shape = found?.dims.map((dim) => dim.value) ?? [];
  if (items === undefined || items.length === 0) return undefined;
  const rows = items.length === batch * length ? batch : 1;
  if (items.every((item, place) => isChoice(item) && isId(item, place))) {
    return shape.join() === `${batch},${length}` ? "ids" : undefined;
  }
  const [first] = items.map(numberAt);
  if (first === undefined || !Number.isInteger(first)) return undefined;
  if (items.every((item) => isConstant(item) && item.low === first)) return { row: first };
  const fits = shape.at(-1) === length && items.length === rows * length &&
    shape.slice(0, -1).every((size) => size === 1 || size === batch);
  const counts = items.every((item, place) => numberAt(item) === first + place % length);
  return fits && counts ? { first } : undefined;
}

/** A token's id, as it came. */
function isId({ place, on }: Choice, at: number): boolean {
  return place === at && on.value === idAt(at) && on.low === 0 && on.high === Infinity && !on.bent;
}

/** What a Gather is indexed with, in every trial and in one as long as the table. */
function indexOf(walk: Walk, node: OnnxNode, rows: number): Index {
  const value = node.inputs[1]!;
  const found = walk.trials.map((trial) => indexIn(trial, value));
  const [index] = found;
  const differs = found.some((other) => JSON.stringify(other) !== JSON.stringify(index));
  const [trial] = walk.trials;
  if (index !== undefined && !differs && typeof index === "object" && "first" in index) {
    const { fixed, padding, firstPosition } = trial!.inputs;
    const length = Math.min(rows - index.first, MAX_LENGTH);
    const whole = !fixed[1] && length > 0
      ? indexIn(
        walk.tryOut(fixed[0] ? trial!.inputs.batch : 1, length, padding, firstPosition, fixed),
        value,
      )
      : index;
    // One position looks like a constant.
    const row = whole !== undefined && typeof whole === "object" && "row" in whole;
    if (JSON.stringify(whole) === JSON.stringify(index) || (row && length === 1)) return index;
  } else if (index !== undefined && !differs) return index;
  const why = trial!.value(value) === undefined ? `: ${trial!.reason(value)}` : "";
  refuse(
    `${nodeLabel(node)} is indexed by ${
      walk.describe(walk.through(value))
    }; expected input_ids, one token ` +
      `type, or the positions 0, 1, 2, ...${why}`,
  );
}

/** Refuses a sum of embeddings that is laid out otherwise than `[batch, tokens, width]`, as words' are. */
export function checkEmbeddings(walk: Walk, lookups: readonly Lookup[], sum: string): void {
  const words = lookups.filter(({ node }) =>
    node && indexIn(walk.trials[0]!, node.inputs[1]!) === "ids"
  );
  for (const value of [sum, ...words.map(({ node }) => node!.outputs[0]!)]) {
    walk.sizes(value).forEach((shape, i) => {
      const { batch, length } = walk.trials[i]!.inputs;
      const want = [batch, length, words[0]!.table.columns].join();
      if (shape.join() === want) return;
      refuse(
        `The embeddings at ${
          walk.describe(value)
        } have shape [${shape}] for ${batch} texts of ${length} ` +
          `tokens; expected [${want}].`,
      );
    });
  }
}

/**
 * The tables behind these Gathers by role; a position table begins with the first token's row, a token-type
 * table with the row of every token. Throws {@link ModelError}
 * `onnx/unsupported` for lookups by anything else, `model/positions` for positions that start beyond the table.
 */
export function matchEmbeddings(
  walk: Walk,
  lookups: readonly Lookup[],
): EmbeddingMatch {
  const tables = new Map<string, ConstantMatrix>();
  const put = (
    role: "word" | "position" | "type",
    table: ConstantMatrix,
    node?: OnnxNode,
  ): void => {
    if (tables.has(role)) {
      const at = node === undefined ? "" : ` (the second at ${nodeLabel(node)})`;
      refuse(
        `Two embeddings are looked up by ${
          LOOKED_UP[role]
        }${at}; expected one each for words, positions and ` +
          "token types. Embeddings of other inputs, as of a page's layout, are not supported.",
      );
    }
    tables.set(role, table);
  };
  let first = 0;
  let whole = true;
  for (const { table, node } of lookups) {
    if (node === undefined) {
      const uniform = isUniform(table);
      put(uniform ? "type" : "position", uniform ? rowsFrom(table, table.rows - 1) : table);
      whole &&= uniform;
      continue;
    }
    const index = indexOf(walk, node, table.rows);
    if (numberOf(node, "axis") !== 0) refuse(`${nodeLabel(node)} gathers along another axis.`);
    if (index === "ids") {
      put("word", table, node);
      continue;
    }
    const row = "row" in index ? index.row : index.first;
    if (!(row >= 0 && row < table.rows)) {
      throw new ModelError(
        "model/positions",
        `Positions at ${nodeLabel(node)} start at ${row}; the table has ${table.rows} rows.`,
      );
    }
    if ("row" in index) {
      put("type", row === 0 ? table : rowsFrom(table, row), node);
      continue;
    }
    first = row;
    put("position", rowsFrom(table, first), node);
  }
  const word = tables.get("word");
  const position = tables.get("position");
  if (word === undefined) refuse("Found no embedding that is looked up by input_ids.");
  if (position === undefined) {
    refuse("Found no position embedding: rotary or relative positions are not supported.");
  }
  return {
    word,
    position,
    positions: whole ? position.rows + first : undefined,
    type: tables.get("type"),
  };
}

/** What embeddings are looked up by, in words. */
const LOOKED_UP = {
  word: "input_ids",
  position: "consecutive positions",
  type: "one token type",
} as const;
