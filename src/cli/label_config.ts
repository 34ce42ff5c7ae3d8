/**
 * What `edge-ner label` is told: one declaration, from which come the check of a file, its types, and the JSON schema that
 * editors complete and check by.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import * as z from "zod";
import { UsageError } from "./errors.ts";

const text = z.string().min(1);
const share = z.number().min(0).max(1);
const confidence = z.number().gt(0).max(1)
  .describe(
    "how often the labeler is right when it says something; the sequence model begins there",
  );
const column = z.union([text, z.int().positive()]);
const type = text.describe("entity type of all terms");
const types = z.record(text, text);
const files = z.array(text).min(1).describe("paths from this file's folder; .gz is unpacked");

const dictionary = {
  name: text,
  kind: z.literal("dictionary"),
  files,
  confidence: confidence.optional(),
  endings: z.union([z.array(text), text]).optional()
    .describe("what may follow a term within a word: a script's name (Bengali) or a list"),
  span: z.enum(["term", "word"]).optional().describe("of an inflected word, what the entity is"),
  minLength: z.int().positive().optional().describe("shorter terms are left out; default 2"),
};

const labeler = z.union([
  z.strictObject({
    ...dictionary,
    format: z.literal("table"),
    separator: z.enum(["tab", "comma"]).optional(),
    column: column.optional().describe("default: the last"),
    type: type.optional(),
    typeColumn: column.optional(),
    split: text.optional().describe("what separates several terms in a cell"),
  }),
  z.strictObject({
    ...dictionary,
    format: z.literal("obo"),
    type,
    scopes: z.array(z.enum(["EXACT", "NARROW", "BROAD", "RELATED"])).optional(),
    namespaces: z.array(text).optional(),
  }),
  z.strictObject({
    ...dictionary,
    format: z.literal("rxnorm"),
    type,
    termTypes: z.array(text).optional(),
    sources: z.array(text).optional(),
    language: text.optional(),
  }),
  z.strictObject({
    ...dictionary,
    format: z.literal("snomed"),
    tags: types.describe("entity types by semantic tag"),
    language: text.optional(),
  }),
  z.strictObject({
    name: text,
    kind: z.literal("regex"),
    patterns: z.array(z.strictObject({
      pattern: text.describe("RE2 syntax"),
      type: text,
      ignoreCase: z.boolean().optional(),
      group: z.union([z.int().nonnegative(), text]).optional(),
      confidence: confidence.optional(),
    })).min(1),
  }),
  z.strictObject({
    name: text,
    kind: z.literal("model"),
    model: text.optional().describe("as --model of the other commands takes it; default: theirs"),
    types: types.optional().describe("the model's types under other names"),
    minScore: share.optional(),
  }),
  z.strictObject({
    name: text,
    kind: z.literal("llm"),
    url: z.url().describe("base of an OpenAI-compatible endpoint: http://localhost:8000/v1"),
    model: text,
    types: types.describe("entity types and what each means"),
    apiKeyVariable: text.optional().describe("environment variable that holds the key"),
    instructions: text.optional(),
    confidence: confidence.optional(),
    maxDistance: share.optional(),
    temperature: z.number().min(0).optional(),
    maxTokens: z.int().positive().optional(),
    timeout: z.int().positive().optional().describe("milliseconds"),
    retries: z.int().nonnegative().optional(),
    concurrency: z.int().positive().optional(),
    perMinute: z.int().positive().optional(),
    tokens: z.int().positive().optional().describe("budget of a run"),
  }),
]);

const combine = z.union([
  z.strictObject({ method: z.literal("majority") }),
  z.strictObject({ method: z.literal("weighted"), weights: z.record(text, z.number().positive()) }),
  z.strictObject({
    method: z.literal("hmm"),
    rounds: z.int().nonnegative().optional(),
    tolerance: z.number().nonnegative().optional(),
    prior: z.number().positive().optional(),
    sample: z.int().positive().optional().describe(
      "texts that the model is fitted to; default the first 20000",
    ),
  }),
]);

const config = z.strictObject({
  input: z.array(text).min(1).describe(
    "files, folders or patterns, as for annotate, from this file's folder",
  ),
  output: text.describe("a folder"),
  column: text.optional().describe("field or column of the text; default text"),
  labelers: z.array(labeler).min(1),
  combine,
  posteriors: z.boolean().optional().describe("also write each token's distribution over labels"),
  tokens: text.optional().describe("a model whose tokens labels are given to; default: words"),
});

/** What a file says. */
export type LabelConfig = z.infer<typeof config>;

/** One labeler of it. */
export type LabelerConfig = LabelConfig["labelers"][number];

/** The JSON schema of the file. */
export function labelSchema(): object {
  return z.toJSONSchema(config);
}

/** Reads a file, YAML or JSON, which is YAML, too. Throws {@link UsageError} that names every wrong field. */
export function readLabelConfig(path: string): LabelConfig {
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") throw error;
    throw new UsageError(
      `${path}: is neither YAML nor JSON (${(error as Error).message.split("\n")[0]})`,
    );
  }
  const result = config.safeParse(value);
  if (!result.success) {
    throw new UsageError(`${path}: ${problemsOf(result.error.issues).join("; ")}`);
  }
  const names = result.data.labelers.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return result.data;
  throw new UsageError(
    `${path}: two labelers are called ${twice}; reports and weights go by names`,
  );
}

/** Of the alternatives of a union, what is wrong with the nearest: those that fail by fewer fields. */
function problemsOf(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      // Another kind or method fails by that field as well; the one that was meant does not.
      const kinds = new Set(["kind", "format", "method"]);
      const meant = issue.errors.toSorted((a, b) => {
        const wrong = (list: readonly z.core.$ZodIssue[]): number =>
          list.filter(({ path }) => kinds.has(String(path[0]))).length * 100 + list.length;
        return wrong(a) - wrong(b);
      })[0]!;
      return problemsOf(meant.map((each) => ({ ...each, path: [...issue.path, ...each.path] })));
    }
    return [`${issue.path.join(".") || "the file"}: ${issue.message}`];
  });
}
