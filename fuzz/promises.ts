/**
 * What must hold of whatever is accepted: entities, tokens and models that are whole.
 *
 * @module
 */
import type { Entity, ModelBundle, Tokenizer } from "../mod.ts";
import { Ner } from "../mod.ts";
import { laneLimit } from "../src/model/lanes.ts";
import { linearsOf } from "../src/model/linears.ts";
import type { EncoderWeights } from "../src/model/weights.ts";
import { largestLaneSum } from "../src/quantize/lanes.ts";
import type { Random } from "./random.ts";

/** A promise that was not kept. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Throws a {@link Violation} unless `holds`. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what);
}

/** Entities: slices of the text, in order, apart, with probabilities for scores. */
export function checkEntities(text: string, entities: readonly Entity[]): void {
  let before = 0;
  for (const { text: slice, start, end, score, type } of entities) {
    must(
      Number.isInteger(start) && start >= before,
      `an entity starts at ${start}, after ${before}`,
    );
    must(end >= start && end <= text.length, `an entity ends at ${end} of ${text.length}`);
    must(text.slice(start, end) === slice, "an entity's text is not the text's slice");
    must(score >= 0 && score <= 1, `a score is ${score}`);
    must(typeof type === "string", "an entity has no type");
    before = start;
  }
}

/** Tokens: known ids, places in the text that never go back, words counted up. */
export function checkEncoding(tokenizer: Tokenizer, text: string): number {
  const { ids, starts, ends, words } = tokenizer.encode(text);
  const n = ids.length;
  must(starts.length === n && ends.length === n && words.length === n, "lengths differ");
  let start = 0, end = 0, word = 0;
  for (let i = 0; i < n; i++) {
    must(ids[i]! >= 0 && ids[i]! < tokenizer.vocabSize, `token ${i} has id ${ids[i]}`);
    must(starts[i]! >= start && ends[i]! >= end, `token ${i} goes back in the text`);
    must(ends[i]! >= starts[i]! && ends[i]! <= text.length, `token ${i} is outside the text`);
    must(words[i]! === word || words[i]! === word + 1, `token ${i} skips a word`);
    [start, end, word] = [starts[i]!, ends[i]!, words[i]!];
  }
  return n;
}

/** Short texts that meet every path of a tokenizer. */
export const TEXTS: readonly string[] = [
  "\u099c\u09cd\u09ac\u09b0\u09c7 \u09aa\u09cd\u09af\u09be\u09b0\u09be\u09b8\u09bf\u099f\u09be\u09ae\u09b2 \u0996\u09be\u0993\u09af\u09bc\u09be \u09af\u09be\u09df\u0964",
  "ab [SEP] \ud800 \u0130\u0301 \u4e2d\u{1f600}\0 aaaa",
  "",
];

/** Runs a model on short texts; whatever it says must be whole. Returns the memory that it states. */
export async function tryBundle(bundle: ModelBundle, random: Random): Promise<number> {
  const { config } = bundle.weights;
  const small = config.hiddenSize * config.feedForwardSize * config.layers < 100_000;
  const ner = await Ner.fromBundle(bundle, {
    backend: random.pick(small ? ["int8", "fp32", "reference"] : ["int8", "fp32"] as const),
    maxTokens: random.pick([undefined, undefined, 3, 7, 64]),
    constrained: random.once(2),
  });
  try {
    for (const text of TEXTS) {
      checkEntities(text, await ner.extract(text));
      const { tokens, labels, data } = await ner.emissions(text);
      must(data.length === tokens.length * labels.length, "emissions are not whole rows");
      must(data.every((value) => Number.isFinite(value)), "an emission is not finite");
    }
    const { backend, memoryBytes } = ner.info();
    if (backend === "wasm int8") {
      must(keepsBudget(bundle.weights), "a lane budget that lies was taken");
    }
    return memoryBytes;
  } finally {
    ner.close();
  }
}

/** Whether an encoder's int8 weights keep the lane budget that it names, if it names one. */
function keepsBudget(weights: EncoderWeights): boolean {
  const { lanes, config } = weights;
  if (lanes === undefined) return true;
  const contexts = weights.layers.map((layer) => layer.attentionOutput.weight);
  return linearsOf(weights).every(({ weight }) => {
    const segment = contexts.includes(weight) ? config.hiddenSize / config.heads : weight.columns;
    return weight.type === "i8" && largestLaneSum(weight, segment) <= laneLimit(lanes);
  });
}
