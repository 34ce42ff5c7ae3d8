/**
 * The benchmark's command line.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** What to measure, how long, and where results go. */
export interface Options {
  readonly smoke: boolean;
  readonly help: boolean;
  /** Part of the names of what is measured. */
  readonly filter: string;
  readonly models: readonly ("default" | "paper")[];
  /** Seconds for each set of candidates that take turns. */
  readonly seconds: number;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  /** Folder with node_modules/onnxruntime-node. */
  readonly ortNode: string | undefined;
}

/** Text of `--help`. */
export const HELP = `deno task bench [options]

Measures kernels, the encoder, and texts to entities, side by side with ONNX Runtime on the same weights.
Trust the ratios of one run; absolute times depend on what else the machine does.

  --smoke          every path once on tiny sizes, in seconds; the exit code tells whether all is well
  --filter TEXT    only what has TEXT in its name:
                     kernels/int8_gemm baseline/128x256x256   kernels/attention/...
                     encoder/default/b1/s128   encoder/paper/b32/s512   text/default/one by one
  --model NAME     default, paper (768 wide, vocabulary of 102,025, random weights) or both; default: default
  --seconds N      time for each size, shared by all engines; default 6. Large sizes take longer, because
                   every engine runs three rounds at least
  --json FILE      write all results as JSON
  --svg FILE       draw the encoder's latency at batch 1 over the length; needs at least two lengths
  --ort-node DIR   take onnxruntime-node from DIR/node_modules; without this, from the project if it is there:
                     npm install --prefix DIR onnxruntime-node
  --help           this text

Exit code 1: an engine's emissions differ from ours, or onnxruntime-web does not run.
`;

/** Reads the command line. Throws an Error with a message for people if it cannot be understood. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      smoke: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      filter: { type: "string", default: "" },
      model: { type: "string", default: "default" },
      seconds: { type: "string", default: "6" },
      json: { type: "string" },
      svg: { type: "string" },
      "ort-node": { type: "string" },
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
    filter: values.filter,
    models: model === "both" ? ["default", "paper"] : [model],
    seconds: smoke ? 0.05 : seconds,
    json: values.json,
    svg: values.svg,
    ortNode: values["ort-node"],
  };
}
