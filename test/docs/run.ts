/**
 * Runs what a page says, in a folder that has what the page takes for granted.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { cli, type Run, RUNTIME_ARGS, scratch } from "../cli/run.ts";
import { type Call, fromSources } from "./page.ts";

/** A folder that is there as long as the process. */
export const path = scratch();

/** Runs a call there; what it prints to a file is there afterwards. */
export async function run({ args, input, output }: Call): Promise<Run> {
  const done = await cli(args, {
    cwd: path("."),
    ...(input !== undefined && { input: readFileSync(path(input)) }),
  });
  if (output !== undefined) writeFileSync(path(output), done.stdout);
  return done;
}

/** Runs a program of a page, `name` in the folder; what it prints. Throws if it fails. */
export async function runProgram(name: string, program: string): Promise<string> {
  writeFileSync(path(name), fromSources(program));
  const { stdout } = await promisify(execFile)(process.execPath, [...RUNTIME_ARGS, name], {
    cwd: path("."),
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "" },
    maxBuffer: 1 << 26,
  });
  return stdout;
}
