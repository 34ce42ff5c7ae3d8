/** The cases in Deno, from source, on its own WebGPU. @module */
import * as library from "../../../mod.ts";
import { gpuMain } from "./command.ts";

await gpuMain(library, navigator.gpu, { more: true });
