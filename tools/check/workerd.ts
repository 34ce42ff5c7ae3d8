/**
 * workerd on a worker that has the installed package: what wrangler and Cloudflare do, without either.
 *
 * @module
 */
import { bundle } from "./project.ts";

/** The worker's modules in workerd's configuration, as {@link bundleWorker} leaves them; Cap'n Proto's text form. */
export const WORKER_MODULES = `modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "relaxed.wasm", wasm = embed "relaxed.wasm"),
    (name = "pairs.wasm", wasm = embed "pairs.wasm"),
    (name = "baseline.wasm", wasm = embed "baseline.wasm"),
  ]`;

/** Bundles a worker as wrangler does: .wasm files stay imports, and become modules beside it. */
export async function bundleWorker(
  entry: string,
  project: string,
  output = "worker.js",
): Promise<void> {
  await bundle(entry, project, output, {
    conditions: ["workerd"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
  });
}

/** Starts workerd on `config.capnp` in a folder, and waits for the port on its control channel. */
export async function startWorkerd(
  binary: string,
  folder: string,
): Promise<{ url: string } & AsyncDisposable> {
  const child = new Deno.Command(binary, {
    args: ["serve", "--control-fd=1", "config.capnp"],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const port = /"event":"listen","socket":"http","port":(\d+)/.exec(text);
    if (port === null) continue;
    return {
      url: `http://127.0.0.1:${port[1]}/`,
      async [Symbol.asyncDispose](): Promise<void> {
        child.kill("SIGTERM");
        await child.status;
      },
    };
  }
  throw new Error(`workerd ended with ${(await child.status).code} before it listened`);
}
