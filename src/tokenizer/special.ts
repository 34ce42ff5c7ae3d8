/**
 * Special tokens: which ids open and close a sequence and fill a batch, from `post_processor` and `padding`.
 *
 * Where a file names none they are found by the names that they have in BERT or in RoBERTa. `padding` itself
 * is not applied; of a padded position nothing but its id is ever seen.
 *
 * @module
 */

import { show } from "../errors.ts";
import {
  type Fields,
  invalid,
  readArray,
  readInteger,
  readObject,
  readString,
  unsupported,
} from "./fields.ts";
import type { Model } from "./model.ts";

/** Ids of special tokens. */
export interface Special {
  readonly cls: number;
  readonly sep: number;
  readonly pad: number;
  /** -1 if there is none. */
  readonly unk: number;
}

/** The id of a piece or an added token. */
export type Known = (token: string) => number | undefined;

const BERT = { cls: "[CLS]", sep: "[SEP]", pad: "[PAD]", unk: "[UNK]" } as const;
const ROBERTA = { cls: "<s>", sep: "</s>", pad: "<pad>", unk: "<unk>" } as const;

const SUPPORTED = "BertProcessing, RobertaProcessing, TemplateProcessing, ByteLevel, " +
  "Sequence of one of them and ByteLevel, null";

/** Finds the special tokens of a file whose vocabulary has ids below `size`. */
export function readSpecial(root: Fields, model: Model, size: number, known: Known): Special {
  // A vocabulary may hold the other's names as text.
  const [first, second] = model.type === "WordPiece" ? [BERT, ROBERTA] : [ROBERTA, BERT];
  const named = (role: keyof Special): number | undefined =>
    known(first[role]) ?? known(second[role]);
  const padding = root.padding === null || root.padding === undefined
    ? undefined
    : readObject(root.padding, "padding");
  return {
    ...readEnds(root.post_processor ?? null, size, named),
    pad: padding ? readInteger(padding.pad_id, "padding.pad_id", size - 1) : named("pad") ?? 0,
    unk: model.unk >= 0 ? model.unk : named("unk") ?? -1,
  };
}

/** Ids that open and close a sequence. */
type Ends = Pick<Special, "cls" | "sep">;

function readEnds(
  spec: unknown,
  size: number,
  named: (role: keyof Special) => number | undefined,
): Ends {
  const where = "post_processor";
  if (spec !== null) {
    const fields = readObject(spec, where);
    switch (fields.type) {
      case "ByteLevel": // it changes places only
        break;
      case "Sequence": {
        const parts = readArray(fields.processors, `${where}.processors`)
          .map((part, i) => readObject(part, `${where}.processors[${i}]`))
          .filter((part) => part.type !== "ByteLevel");
        if (parts.length > 1 || parts[0]?.type === "Sequence") {
          throw unsupported(where, "a Sequence of several", "one, and ByteLevel beside it");
        }
        return readEnds(parts[0] ?? null, size, named);
      }
      case "BertProcessing":
      case "RobertaProcessing": { // the same fields, and flags about places
        const id = (name: keyof Ends): number => {
          const pair = readArray(fields[name], `${where}.${name}`);
          return readInteger(pair[1], `${where}.${name}[1]`, size - 1);
        };
        return { cls: id("cls"), sep: id("sep") };
      }
      case "TemplateProcessing":
        return readTemplate(fields, where, size);
      default:
        throw unsupported(where, `post-processor ${show(fields.type)}`, SUPPORTED);
    }
  }
  const cls = named("cls"), sep = named("sep");
  if (cls !== undefined && sep !== undefined) return { cls, sep };
  throw invalid(where, "names no special tokens, and there are no [CLS] and [SEP], <s> and </s>");
}

function readTemplate(fields: Fields, where: string, size: number): Ends {
  const single = readArray(fields.single, `${where}.single`).map((part, i) =>
    readObject(part, `${where}.single[${i}]`)
  );
  const shape = single.map((part) => Object.keys(part)[0]).join(" ");
  if (shape !== "SpecialToken Sequence SpecialToken") {
    throw unsupported(`${where}.single`, show(shape), "SpecialToken Sequence SpecialToken");
  }
  const tokens = readObject(fields.special_tokens, `${where}.special_tokens`);
  const id = (i: number): number => {
    const name = readString(
      readObject(single[i].SpecialToken, `${where}.single[${i}].SpecialToken`),
      "id",
      `${where}.single[${i}].SpecialToken`,
    );
    const at = `${where}.special_tokens[${show(name)}]`;
    const token = readObject(Object.hasOwn(tokens, name) ? tokens[name] : undefined, at);
    const ids = readArray(token.ids, `${at}.ids`);
    if (ids.length !== 1) throw invalid(`${at}.ids`, `expected one id, got ${ids.length}`);
    return readInteger(ids[0], `${at}.ids[0]`, size - 1);
  };
  return { cls: id(0), sep: id(2) };
}
