/**
 * The command line as a function: its commands, a file each, and what is printed when one fails.
 *
 * Only `node:` modules are used besides the library, so that one program runs in Deno, Bun and Node.
 * Commands throw; this file alone decides what is printed about it and with which code the program ends.
 *
 * @module
 */
import process from "node:process";
import { Command, CommanderError } from "commander";
import { annotateCommand } from "./annotate.ts";
import { calibrateCommand } from "./calibrate.ts";
import { convertCommand } from "./convert.ts";
import { distillCommand } from "./distill.ts";
import { debugging, endingOf, oneLine } from "./errors.ts";
import { evalCommand } from "./eval.ts";
import { exportCommand } from "./export.ts";
import { extractCommand } from "./extract.ts";
import { inspectCommand } from "./inspect.ts";
import { labelCommand } from "./label.ts";
import { VERSION } from "./named.ts";
import { complain, flush } from "./output.ts";
import { wrapParagraphs } from "./paragraphs.ts";
import { pretrainCommand } from "./pretrain.ts";
import { reportCommand } from "./report.ts";
import { studentCommand } from "./student.ts";
import { statusCommand } from "./queue/status.ts";
import { workerCommand } from "./queue/worker.ts";
import { trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";
import { vocabCommand } from "./vocab.ts";

const EXAMPLES = `
Examples:
  edge-ner extract "জ্বরে প্যারাসিটামল খাওয়া যায়।"
  edge-ner extract --file notes.txt --format jsonl > entities.jsonl
  edge-ner convert ./my-export -o my-model.safetensors
  edge-ner inspect my-model.safetensors
  edge-ner export my-model.safetensors -o ./my-export

Every command has its own --help. Exit codes: 0 done, 1 a check or the program failed, 2 bad input.
EDGE_NER_DEBUG=1 prints stack traces.`;

function buildProgram(): Command {
  const program = new Command("edge-ner")
    .description(
      "Named-entity recognition for the edge: Bangla medical text and any BERT + CRF export.",
    )
    .version(VERSION, "-V, --version")
    .option("--color", "always use colour")
    .option("--no-color", "never use colour")
    .configureHelp({ showGlobalOptions: true })
    // Errors are printed below, in one line; help stays as it is.
    .configureOutput({
      writeOut: (text) => process.stdout.write(wrapParagraphs(text, process.stdout.columns || 80)),
      writeErr: () => {},
    })
    .exitOverride()
    .addHelpText("after", EXAMPLES);
  // --no-color alone would make `color` true by default: undefined has to mean "look at the terminal".
  program.setOptionValueWithSource("color", undefined, "default");
  extractCommand(program);
  annotateCommand(program);
  labelCommand(program);
  workerCommand(program);
  statusCommand(program);
  convertCommand(program);
  exportCommand(program);
  verifyCommand(program);
  inspectCommand(program);
  evalCommand(program);
  calibrateCommand(program);
  vocabCommand(program);
  pretrainCommand(program);
  trainCommand(program);
  studentCommand(program);
  distillCommand(program);
  reportCommand(program);
  return program;
}

/** Commander's errors span lines and repeat the word error: `unknown option '--x' (Did you mean --y?)`. */
function commanderEnding(error: CommanderError, program: Command): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help") {
    process.stderr.write(program.helpInformation());
    return 2;
  }
  const message = oneLine(error.message.replace(/^error: /, ""));
  complain(`${message}${/--help/.test(message) ? "" : " (see --help)"}`);
  return 2;
}

function ownEnding(error: unknown): number {
  const { message, exitCode } = endingOf(error);
  if (message !== undefined) complain(message);
  if (debugging() && exitCode !== 0) {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  }
  return exitCode;
}

/** Runs `edge-ner ...args`; the code to exit with. */
export async function run(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync(args, { from: "user" });
    await flush();
    return 0;
  } catch (error) {
    const exitCode = error instanceof CommanderError
      ? commanderEnding(error, program)
      : ownEnding(error);
    // Help that was asked for, or what was found before the error.
    await flush().catch(() => {});
    return exitCode;
  }
}
