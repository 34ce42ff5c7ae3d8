/**
 * A labeler that is a model of this library: a recogniser that was handed in.
 *
 * @module
 */
import type { Recogniser } from "../ner/recogniser.ts";
import type { Labeler } from "./labeler.ts";

/** What of a model is believed. */
export interface ModelLabelerOptions {
  /** By which reports call it. */
  readonly name: string;
  /** The model's types under others' names; types that are not named here are left out. Default: all, as they are. */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /** Entities below this score are left out; default 0. */
  readonly minScore?: number | undefined;
}

/** Makes a labeler of a recogniser, which stays the caller's to close. */
export function modelLabeler(
  ner: Pick<Recogniser, "extractBatch" | "info">,
  options: ModelLabelerOptions,
): Labeler {
  const names = new Map(
    options.types === undefined
      ? ner.info().types.map((type) => [type, type] as const)
      : Object.entries(options.types),
  );
  const least = options.minScore ?? 0;
  return {
    name: options.name,
    types: [...new Set(names.values())],
    async label(texts) {
      return (await ner.extractBatch(texts)).map((entities) =>
        entities.flatMap(({ type, start, end, score }) => {
          const name = names.get(type);
          // A span whose probability rounds to nothing is no opinion.
          return name === undefined || score < least || score <= 0
            ? []
            : [{ type: name, start, end, confidence: score }];
        })
      );
    },
  };
}
