/**
 * The benchmark's command line.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** A runtime by the name that `--runtime` knows it by. */
export type RuntimeName = "deno" | "bun" | "node20" | "node24";

const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node20", "node24"];

/** What to measure, how long, and where results go. */
export interface Options {
  readonly smoke: boolean;
  readonly help: boolean;
  readonly runtimes: readonly RuntimeName[];
  /** Part of the names of what is measured. */
  readonly filter: string;
  readonly models: readonly ("default" | "paper")[];
  /** Batch sizes and lengths of the encoder that were asked for; undefined: those of the section. */
  readonly batches: readonly number[] | undefined;
  readonly lengths: readonly number[] | undefined;
  /** Levels of the lane budget that the models' weights are made to keep; undefined: as they are. */
  readonly lanes: number | undefined;
  /** File with a text a line. */
  readonly texts: string | undefined;
  /** Seconds for each set of candidates that take turns. */
  readonly seconds: number;
  readonly table: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  /** Folder with node_modules/onnxruntime-node. */
  readonly ortNode: string | undefined;
  /** Folder with node_modules/@huggingface/transformers. */
  readonly transformers: string | undefined;
  /** A Python that has PyTorch. */
  readonly torch: string | undefined;
  /** Whether a step of training is also timed operation by operation. */
  readonly profile: boolean;
  /** GPUs instead of all else. */
  readonly gpu: boolean;
}

/** Text of `--help`. */
export const HELP = `deno task bench [options]

Measures kernels, the encoder, and texts to entities, side by side with ONNX Runtime and transformers.js
on the same weights, and a step of training beside PyTorch's. Trust the ratios of one run; absolute times depend on what else the machine does.

Where
  --runtime R,R...    deno, bun, node20, node24; default: deno. In runtimes other than Deno it is the encoder
                      against onnxruntime-web inside the same runtime, at batch 1 unless --batch says otherwise,
                      without a mixed batch. Bun and Node 24 are installed when first needed; Node 20 is node on
                      the PATH

What is measured
  --filter TEXT       only what has TEXT in its name:
                        kernels/gemm_int8 baseline/128x256x256   kernels/attention/...
                        encoder/default/b1/s128   mixed/default   text/default/one by one
                        train/4 layers dropout 0.1/1t
                      start: from the start of a process to the first entity, of the packed library in Deno,
                      Node, Bun and workerd, beside onnxruntime-web and (--transformers) transformers.js;
                      only when it is asked for, because it builds and installs the package
  --model NAME        default, paper (768 wide, vocabulary of 102,025, random weights) or both; default: default
  --lanes LEVELS      quantize the default model again, to keep a lane budget of so many levels, 181 for
                      instance (docs/lane_budget.md); random weights keep one of 181 unless this says otherwise
  --batch N,N...      sequences at once; default 1,8,32
  --length N,N...     tokens of a sequence, 1 to 512; default 8,32,64,128,512
                      Without --batch and --length, sizes of more than 60 billion operations a run are left
                      out, being minutes each: of the default model 32 x 512, of the paper's 8 x 512 and from
                      32 x 64 on
  --texts FILE        a text a line: 32 of them, evenly over the file, are what goes from text to entities
                      and what makes the mixed batch. Default: a dozen sentences of our own, and for the
                      mixed batch a list of lengths like those of short forum posts
  --seconds N         time for each size, shared by all engines; default 6. Large sizes take longer, because
                      every engine runs three rounds at least. Kernels take a twentieth each
  --profile           of a step of training on one thread, the milliseconds of each operation, too
  --gpu               instead of all that: the encoder through WebGPU in Deno and in Chromium (CHROMIUM, or Debian's), beside
                      WebAssembly and, in Chromium, onnxruntime-web's WebGPU provider and (--transformers) transformers.js
                      on the same adapter; each operation alone as a share of the adapter's measured peaks; what backend
                      "auto" chooses. Default sizes 1,8,32 x 32,128
  --smoke             every path once on tiny sizes, in seconds; the exit code tells whether all is well

What is written
  --table             at the end, results as Markdown
  --json FILE         all results
  --svg FILE          the encoder's latency at batch 1 over the length; needs at least two lengths

Peers that are no dependency; taken from DIR/node_modules, or from the project's if they are there
  --ort-node DIR      native ONNX Runtime:  npm install --prefix DIR onnxruntime-node
  --transformers DIR  transformers.js, on onnxruntime-web and onnxruntime-node, both of which it brings
                      (474 MB; the same DIR then serves --ort-node):
                      npm install --ignore-scripts --prefix DIR @huggingface/transformers@4.3.1
  --torch PYTHON      a Python that has PyTorch, of which a step of training is timed:
                      python3 -m venv DIR && DIR/bin/pip install torch, then DIR/bin/python

  --help              this text

Exit code 1: an engine's emissions differ from ONNX Runtime's in float32, onnxruntime-web does not run, or a
runtime cannot be had.
`;

/** Numbers from 1 to `most` between commas. */
function numbers(
  option: string,
  text: string | undefined,
  most: number,
): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const list = text.split(",").map(Number);
  if (list.every((n) => Number.isInteger(n) && n >= 1 && n <= most)) return [...new Set(list)];
  throw new Error(
    `${option} is ${JSON.stringify(text)}; expected integers from 1 to ${most} between commas`,
  );
}

/** Names of runtimes between commas. */
function runtimes(text: string): readonly RuntimeName[] {
  const list = text.split(",").map((name) => RUNTIMES.find((known) => known === name));
  if (list.every((name) => name !== undefined)) return [...new Set(list)];
  throw new Error(
    `--runtime is ${JSON.stringify(text)}; expected names out of ${
      RUNTIMES.join(", ")
    } between commas`,
  );
}

/** Reads the command line. Throws an Error with a message for people if it cannot be understood. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      smoke: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      runtime: { type: "string", default: "deno" },
      filter: { type: "string", default: "" },
      model: { type: "string", default: "default" },
      lanes: { type: "string" },
      batch: { type: "string" },
      length: { type: "string" },
      texts: { type: "string" },
      seconds: { type: "string", default: "6" },
      table: { type: "boolean", default: false },
      json: { type: "string" },
      svg: { type: "string" },
      "ort-node": { type: "string" },
      transformers: { type: "string" },
      torch: { type: "string" },
      profile: { type: "boolean", default: false },
      gpu: { type: "boolean", default: false },
    },
  });
  const { model, smoke } = values;
  if (model !== "default" && model !== "paper" && model !== "both") {
    throw new Error(`--model is ${JSON.stringify(model)}; expected default, paper or both`);
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 3600)) {
    throw new Error(
      `--seconds is ${JSON.stringify(values.seconds)}; expected more than 0, to 3600`,
    );
  }
  return {
    smoke,
    help: values.help,
    runtimes: runtimes(values.runtime),
    filter: values.filter,
    models: model === "both" ? ["default", "paper"] : [model],
    lanes: numbers("--lanes", values.lanes, 255)?.[0],
    batches: numbers("--batch", values.batch, 1024),
    lengths: numbers("--length", values.length, 512),
    texts: values.texts,
    seconds: smoke ? 0.05 : seconds,
    table: values.table,
    json: values.json,
    svg: values.svg,
    ortNode: values["ort-node"],
    transformers: values.transformers,
    torch: values.torch,
    profile: values.profile,
    gpu: values.gpu,
  };
}
