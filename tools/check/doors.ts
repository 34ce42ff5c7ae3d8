/**
 * Which room of the house may import which: the table that `deno task check` enforces and prints.
 *
 * A room is a folder of one subject, or a file that is a face of the library. A file belongs to the room with
 * the longest name that its path begins with. A room imports only from rooms that stand above it, so that the
 * table, read from the top, is an order in which the house can be understood; what is not named is closed, and
 * no file has an exception. To open a door is to change this table, where a reviewer sees it.
 *
 * A type is an arrow like any other: who imports a type cannot be read without the room that it is from. Where a
 * room may have types and no more, `types` says so.
 *
 * Weak where: a file named in a string (a worker's URL, a path that is opened) is no import.
 *
 * @module
 */

/** The doors of one room. */
export interface Room {
  /** The rooms that its files may import; {@link ALL} is every room above. */
  readonly imports: readonly string[];
  /** The rooms whose types alone they may import. */
  readonly types?: readonly string[];
  /** The packages they may import, as `npm:NAME`, and `node:` for the modules of Node; without it, any. */
  readonly packages?: readonly string[];
}

/** Every room above. */
export const ALL = "*";

const NONE: readonly string[] = [];

/** All rooms from the bottom of the house up; also those that are to come, empty until then. */
export const ROOMS: Readonly<Record<string, Room>> = {
  "kernels/": { imports: NONE, packages: NONE },
  "wasm/": { imports: NONE, packages: NONE },
  "src/errors.ts": { imports: NONE, packages: NONE },
  "src/tokenizer/": { imports: ["src/errors.ts"], packages: NONE },
  "src/segment/": { imports: ["src/tokenizer/"], packages: NONE },
  "src/model/": { imports: ["src/errors.ts"], types: ["src/tokenizer/"], packages: NONE },
  "src/lexicon/": { imports: ["src/errors.ts", "src/model/", "src/tokenizer/"], packages: NONE },
  "src/kernels/": { imports: ["src/errors.ts"], packages: NONE },
  "src/crf/": { imports: ["src/errors.ts", "src/model/", "src/kernels/"], packages: NONE },
  "src/quantize/": { imports: ["src/errors.ts", "src/model/"], packages: NONE },
  "src/eval/": { imports: ["src/errors.ts", "src/model/", "src/crf/"], packages: NONE },
  "src/shrink/": { imports: ["src/errors.ts", "src/model/", "src/tokenizer/"], packages: NONE },
  "src/formats/": {
    imports: ["src/errors.ts", "src/model/", "src/tokenizer/", "src/quantize/"],
    packages: ["npm:@bufbuild/protobuf", "npm:fflate"],
  },
  "src/backend/": { imports: ["src/errors.ts", "src/model/"], packages: NONE },
  "src/backend/reference/": {
    imports: ["src/errors.ts", "src/model/", "src/quantize/", "src/backend/"],
    packages: NONE,
  },
  "src/backend/wasm/": {
    imports: ["src/errors.ts", "src/model/", "src/kernels/", "src/quantize/", "src/backend/"],
    packages: NONE,
  },
  "src/backend/webgpu/": {
    imports: ["src/errors.ts", "src/model/", "src/quantize/", "src/backend/"],
    packages: NONE,
  },
  "src/ner/": {
    imports: [
      "src/errors.ts",
      "src/segment/",
      "src/model/",
      "src/lexicon/",
      "src/kernels/",
      "src/crf/",
      "src/quantize/",
      "src/formats/",
      "src/backend/",
      "src/backend/reference/",
      "src/backend/wasm/",
    ],
    types: ["src/tokenizer/"],
    packages: NONE,
  },
  "src/pipeline/": { imports: ["src/errors.ts", "src/ner/"], packages: NONE },
  "src/corpus/": {
    imports: ["src/errors.ts", "src/segment/", "src/crf/", "src/eval/"],
    packages: ["npm:csv-parse"],
  },
  "src/train/": {
    imports: [
      "src/errors.ts",
      "src/corpus/",
      "src/tokenizer/",
      "src/model/",
      "src/lexicon/",
      "src/kernels/",
      "src/crf/",
      "src/quantize/",
      "src/eval/",
      "src/formats/",
      "src/backend/",
      "src/ner/",
    ],
    packages: NONE,
  },
  "src/label/": {
    imports: ["src/errors.ts", "src/tokenizer/", "src/crf/", "src/eval/"],
    types: ["src/kernels/", "src/ner/"],
    packages: ["npm:csv-parse", "npm:re2js"],
  },
  "src/runtime/gpu/": {
    imports: ["src/errors.ts", "src/backend/", "src/backend/webgpu/"],
    types: ["src/model/", "src/ner/"],
    packages: NONE,
  },
  "src/runtime/": {
    imports: [
      "wasm/",
      "src/errors.ts",
      "src/kernels/",
      "src/formats/",
      "src/ner/",
      "src/runtime/gpu/",
    ],
    types: ["src/model/"],
    packages: ["node:", "npm:@noble/hashes"],
  },
  "src/runtime/trainer.ts": {
    imports: ["wasm/", "src/errors.ts", "src/train/", "src/runtime/"],
    packages: NONE,
  },
  "src/runtime/combiner.ts": {
    imports: ["src/kernels/", "src/label/", "src/runtime/"],
    packages: NONE,
  },
  "core.ts": {
    imports: ["src/errors.ts", "src/model/", "src/crf/", "src/formats/", "src/ner/"],
    types: ["src/tokenizer/", "src/kernels/", "src/backend/"],
    packages: NONE,
  },
  "webgpu.ts": {
    imports: ["src/runtime/gpu/"],
    types: ["src/ner/"],
    packages: NONE,
  },
  "mod.ts": {
    imports: [
      "src/errors.ts",
      "src/model/",
      "src/crf/",
      "src/quantize/",
      "src/eval/",
      "src/shrink/",
      "src/formats/",
      "src/corpus/",
      "src/ner/",
      "src/pipeline/",
      "src/runtime/",
    ],
    types: ["src/tokenizer/", "src/kernels/", "src/backend/", "src/runtime/gpu/"],
    packages: NONE,
  },
  "train.ts": {
    imports: [
      "src/errors.ts",
      "src/crf/",
      "src/eval/",
      "src/corpus/",
      "src/train/",
      "src/runtime/",
      "src/runtime/trainer.ts",
    ],
    types: ["src/tokenizer/", "src/model/", "src/backend/"],
    packages: NONE,
  },
  "label.ts": {
    imports: [
      "src/errors.ts",
      "src/tokenizer/",
      "src/crf/",
      "src/eval/",
      "src/label/",
      "src/runtime/",
      "src/runtime/combiner.ts",
    ],
    types: ["src/ner/"],
    packages: NONE,
  },
  "src/cli/": {
    imports: ["mod.ts", "train.ts", "label.ts"],
    packages: [
      "node:",
      "npm:bullmq",
      "npm:cli-progress",
      "npm:commander",
      "npm:echarts",
      "npm:fzstd",
      "npm:ioredis",
      "npm:onnxruntime-web",
      "npm:tinyglobby",
      "npm:yaml",
      "npm:zod",
    ],
  },
  "models/": { imports: NONE, packages: ["node:"] },
  "examples/": {
    imports: ["core.ts", "mod.ts", "train.ts", "label.ts", "models/"],
    packages: ["node:", "npm:hono"],
  },
  "tools/build/": { imports: ["src/kernels/", "src/train/", "models/"] },
  "tools/check/": { imports: ["models/", "tools/build/"] },
  "tools/reproduce/": { imports: ["train.ts", "src/cli/"], packages: ["node:"] },
  "tools/models/": {
    imports: ["mod.ts", "train.ts", "src/corpus/", "tools/reproduce/"],
    packages: ["node:", "npm:csv-parse"],
  },
  "fuzz/": { imports: [ALL] },
  "bench/": { imports: [ALL] },
  "test/": { imports: [ALL] },
};

/**
 * What a room must not even reach through others, as beginnings of paths and names of packages: the promises
 * behind the table, which hold however its doors are changed.
 */
export const NEVER: readonly (readonly [room: string, others: readonly string[]])[] = [
  ["src/model/", ["src/formats/", "src/backend/", "src/ner/", "src/runtime/"]],
  ["src/quantize/", ["src/formats/", "src/backend/"]],
  ["src/crf/", ["src/formats/", "src/backend/"]],
  ["src/formats/", ["src/backend/", "src/ner/", "src/runtime/"]],
  ["src/backend/reference/", ["src/backend/wasm/", "src/backend/webgpu/"]],
  ["src/backend/wasm/", ["src/backend/reference/", "src/backend/webgpu/"]],
  ["src/backend/webgpu/", ["src/backend/reference/", "src/backend/wasm/"]],
  ["src/train/", ["src/label/"]],
  ["src/label/", ["src/train/"]],
  ["core.ts", ["src/runtime/", "src/cli/", "src/train/", "src/label/", "npm:@bufbuild/protobuf"]],
  ["core.ts", ["src/backend/webgpu/"]],
  ["mod.ts", ["src/cli/", "src/train/", "src/label/"]],
  ["src/", ["bench/", "fuzz/", "test/", "tools/", "examples/"]],
];
