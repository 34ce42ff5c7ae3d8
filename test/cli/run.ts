/**
 * Runs the command line as its users do, in a process of its own, with the runtime that runs the tests.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What came out of a run. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
// The tests' own process has installed what is needed: children that check again wait for each other's
// locks, and say so on stderr.
const DENO_ARGS = ["run", "-A", "--quiet", "--no-check", "--no-lock", "--node-modules-dir=manual"];
/** How the runtime is asked to run a program of ours. */
export const RUNTIME_ARGS = "deno" in process.versions ? DENO_ARGS : [];

/** Path of a committed fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** Starts `edge-ner ...args` with pipes, and with no say of the surroundings in colours. */
export function start(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [...RUNTIME_ARGS, MAIN, ...args], {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, NO_COLOR: "", FORCE_COLOR: "", EDGE_NER_DEBUG: "", ...env },
  });
  // A program that ends before it has read everything closes the pipe; that is its right.
  child.stdin.on("error", () => {});
  return child;
}

/** Runs `edge-ner ...args` to its end; `input` goes to standard input, which is empty otherwise. */
export function cli(
  args: readonly string[],
  { input = "", env = {}, cwd }: {
    input?: string | Uint8Array;
    env?: Record<string, string>;
    cwd?: string;
  } = {},
): Promise<Run> {
  const child = start(args, env, cwd);
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  child.stdout.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => err.push(chunk));
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const text = (parts: Uint8Array[]): string => new TextDecoder().decode(Buffer.concat(parts));
      resolve({ code, stdout: text(out), stderr: text(err) });
    });
  });
}

/** A folder that is there as long as the process; `path(name)` is a file in it. */
export function scratch(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "edge-ner-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}
