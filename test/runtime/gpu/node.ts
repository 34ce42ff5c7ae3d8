/**
 * The cases in Node, on the installed package and the npm package `webgpu` (Dawn), by its place in WEBGPU.
 *
 * @module
 */
import process from "node:process";
import * as library from "edge-ner";
import type { Library } from "../shared.ts";
import { gpuMain } from "./command.ts";

const { create } = await import(process.env.WEBGPU!) as { create(flags: string[]): GPU };
await gpuMain(library as Library, create([]), { more: false });
// Dawn keeps a process for as long as its GPU is there.
process.exit(0);
