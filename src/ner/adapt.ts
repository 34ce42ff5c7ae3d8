/**
 * The parts of a recogniser for an adapter: a head of its own over an encoder that it shares.
 *
 * An adapter that names no labels (PEFT's files do not) was learnt for the model's own, and goes with the model's CRF;
 * that is what `convert --adapter` makes of it, too.
 *
 * @module
 */
import { Crf } from "../crf/crf.ts";
import { parseTags } from "../crf/scheme.ts";
import { InputError, isBytes, RuntimeError } from "../errors.ts";
import { type AdapterOptions, namesLabels, readAdapter } from "../formats/hf/adapter.ts";
import { checkOptions, type Rules } from "./check_options.ts";
import type { Parts } from "./parts.ts";
import { TermFinder } from "./terms.ts";
import { Queue } from "./turns.ts";

const RULES: Rules<AdapterOptions> = {
  config: ["the text of an adapter_config.json", (value) => typeof value === "string"],
  labels: [
    "a list of strings",
    (value) => Array.isArray(value) && value.every((label) => typeof label === "string"),
  ],
};

/** Reads an adapter, and puts it beside the encoder of `parts`. Throws as `Recogniser.withAdapter` says. */
export async function adapt(
  parts: Parts,
  bytes: Uint8Array,
  options: AdapterOptions,
): Promise<Parts> {
  if (!isBytes(bytes)) {
    throw new InputError("input/bytes", "withAdapter: an adapter must be given as a Uint8Array.");
  }
  checkOptions(options, "withAdapter", RULES);
  const { engine, kernels, constrained, maxMemoryBytes } = parts;
  const own = options.labels !== undefined || namesLabels(bytes);
  const adapter = readAdapter(bytes, own ? options : { ...options, labels: engine.config.labels });
  const head = own
    ? {
      crf: await Crf.create(kernels, parseTags(adapter.labels), adapter.crf, constrained),
      hasCrf: adapter.crf !== undefined,
      // What the model's entities are like says nothing of others.
      wholeWords: false,
      decoderQueue: new Queue(),
    }
    : {};
  const all = { ...parts, ...head }, { crf } = all;
  // Not while a pass is under way.
  const adapted = await parts.encoderQueue.run(() => engine.adapt(adapter));
  if (adapted.memoryBytes + crf.memoryBytes > maxMemoryBytes) {
    adapted.close();
    throw new RuntimeError(
      "runtime/memory",
      `with the adapter there would be ${
        adapted.memoryBytes + crf.memoryBytes
      } bytes, and maxMemoryBytes is ` +
        `${maxMemoryBytes}: allow more, or take an adapter of a lower rank.`,
    );
  }
  return {
    ...all,
    engine: adapted,
    // Evidence for a type that the adapter's labels have not says nothing.
    terms: parts.terms && new TermFinder(parts.terms.terms, parseTags(adapter.labels)),
  };
}
