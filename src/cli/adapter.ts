/**
 * An adapter as the command line names it: PEFT's folder, or the file with its tensors.
 *
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { readBytes } from "./files.ts";
import { readText } from "./text_files.ts";

/** An adapter's tensors, and the `adapter_config.json` that lies with them. */
export async function readAdapterFiles(
  path: string,
): Promise<{ bytes: Uint8Array; config?: string }> {
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  const bytes = await readBytes(folder === path ? join(path, "adapter_model.safetensors") : path);
  const config = join(folder, "adapter_config.json");
  return { bytes, ...(existsSync(config) && { config: readText(config) }) };
}
