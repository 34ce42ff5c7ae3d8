/**
 * `edge-ner inspect`: what a package or an export holds.
 *
 * @module
 */
import type { Command } from "commander";
import { bundleFromFolder, writePackage } from "../../mod.ts";
import type { CrfWeights, Tokenizer } from "../../mod.ts";
import { readModelFiles } from "./files.ts";
import { MODEL_FORMS } from "./named.ts";
import { print } from "./output.ts";
import { partsOf, tensorsOf } from "./parts.ts";
import { bytes as size, small, table } from "./table.ts";

/** Types of matrices as people call them, and as `convert` takes them. */
const TYPE_NAMES = { f32: "f32", i8: "int8", i4: "int4" } as const;

interface InspectOptions {
  readonly json?: boolean;
}

const HELP = `
Examples:
  edge-ner inspect my-model.safetensors
  edge-ner inspect ./my-export --json`;

/** Defines the command. */
export function inspectCommand(program: Command): void {
  program.command("inspect")
    .description("print what a packed model or an export holds")
    .argument("<model>", MODEL_FORMS)
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action(inspect);
}

/** Smallest and largest of the CRF's scores. */
function crfInfo(crf: CrfWeights): { start: number[]; transitions: number[]; end: number[] } {
  const range = (values: Float32Array): number[] => [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b)),
  ];
  return { start: range(crf.start), transitions: range(crf.transitions), end: range(crf.end) };
}

/** `{type: "Sequence", normalizers: [{type: "NFC"}, ...]}` to `["NFC", ...]`. */
function componentTypes(component: unknown): string[] {
  if (typeof component !== "object" || component === null) return [];
  const { type, ...rest } = component as Record<string, unknown>;
  const inner = Object.values(rest).find(Array.isArray);
  if (type === "Sequence" && inner) return inner.flatMap(componentTypes);
  return typeof type === "string" ? [type] : [];
}

function tokenizerInfo(tokenizer: Tokenizer): Record<string, unknown> {
  const json = tokenizer.toJSON() as Record<string, unknown>;
  const special = (id: number): { id: number; piece: string | undefined } => ({
    id,
    piece: tokenizer.idToToken(id),
  });
  return {
    model: componentTypes(json.model)[0] ?? "WordPiece",
    vocabSize: tokenizer.vocabSize,
    normalizers: componentTypes(json.normalizer),
    preTokenizers: componentTypes(json.pre_tokenizer),
    cls: special(tokenizer.cls),
    sep: special(tokenizer.sep),
    pad: special(tokenizer.pad),
    unk: special(tokenizer.unk),
  };
}

async function inspect(path: string, options: InspectOptions): Promise<void> {
  const { content, sizes } = await readModelFiles(path), packed = content.kind === "package";
  // To look at a tokenizer is not to use it: what would be refused at loading can still be shown.
  const bundle = bundleFromFolder(content, { allowStripAccents: true });
  const bytes = packed ? content.bytes : writePackage(bundle);
  const { tensors } = tensorsOf(bytes);
  const { labels, ...architecture } = bundle.weights.config;
  const info = {
    path,
    kind: content.kind,
    bytes: Object.values(sizes).reduce((sum, one) => sum + one, 0),
    ...(!packed && { files: sizes }),
    parameters: tensors.reduce((sum, tensor) => sum + tensor.parameters, 0),
    dtype: TYPE_NAMES[bundle.weights.layers[0].up.weight.type],
    embeddings: TYPE_NAMES[bundle.weights.wordEmbedding.type],
    architecture,
    labels,
    crf: bundle.crf ? crfInfo(bundle.crf) : null,
    temperature: bundle.temperature ?? null,
    wholeWords: bundle.wholeWords === true,
    tokenizer: tokenizerInfo(bundle.tokenizer),
    parts: partsOf(bytes),
    tensors,
  };
  if (options.json) {
    await print(JSON.stringify(info) + "\n");
    return;
  }

  const range = ([low, high]: number[]): string => `${small(low)} to ${small(high)}`;
  const list = (value: unknown): string => (value as string[]).join(", ") || "none";
  const special = (name: string): string => {
    const { id, piece } = info.tokenizer[name] as { id: number; piece?: string };
    return `${piece ?? name} = ${id}`;
  };
  const lines: readonly (readonly [string, string])[] = [
    ["model", `${path} (${content.kind}, ${size(info.bytes)})`],
    ...Object.entries(packed ? {} : sizes)
      .map(([name, bytes]) => ["", `${name}, ${size(bytes)}`] as const),
    [
      "parameters",
      `${info.parameters.toLocaleString("en")}, ${info.dtype}` +
      (info.embeddings === info.dtype ? "" : `, word embedding ${info.embeddings}`),
    ],
    ...Object.entries(architecture).map(([name, value]) =>
      // A float32 epsilon has digits that nobody wrote.
      [
        name,
        typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value),
      ] as const
    ),
    ["labels", `${labels.length}: ${labels.join(", ")}`],
    [
      "CRF",
      info.crf
        ? `start ${range(info.crf.start)}, transitions ${range(info.crf.transitions)}, ` +
          `end ${range(info.crf.end)}`
        : "none (softmax head)",
    ],
    ["temperature", info.temperature === null ? "none (not calibrated)" : `${info.temperature}`],
    ["entities", info.wholeWords ? "whole words, or words up to an ending" : "anywhere in words"],
    ["tokenizer", `${info.tokenizer.model}, ${info.tokenizer.vocabSize} ids`],
    ["normalizers", list(info.tokenizer.normalizers)],
    ["pre-tokenizers", list(info.tokenizer.preTokenizers)],
    ["special tokens", ["cls", "sep", "pad", "unk"].map(special).join(", ")],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const parts = info.parts.map((part) => [
    part.name,
    part.parameters === 0 ? "" : part.parameters.toLocaleString("en"),
    size(part.bytes),
  ]);
  const rows = tensors.map((tensor) => [
    tensor.name,
    tensor.dtype,
    tensor.shape.join(" x "),
    tensor.bytes.toLocaleString("en"),
  ]);
  await print(
    lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("") + "\n" +
      table(["part", "parameters", "size"], parts) + "\n" +
      table(["tensor", "dtype", "shape", "bytes"], rows),
  );
}
