#!/usr/bin/env node
/**
 * The command line, `edge-ner`, as a process.
 *
 * @module
 */
import process from "node:process";
import { run } from "./program.ts";

// exit, not exitCode: an open pipe on stdin would keep the process waiting for input it will not use.
process.exit(await run(process.argv.slice(2)));
