/**
 * What the runtimes' test programs share on the side that starts them (always Deno): a server with good and
 * bad answers, a folder to load from, the packed package, child processes, and the count at the end.
 *
 * @module
 */
import { DEFAULT, MODELS } from "../../models/registry.ts";
import { path, root } from "../../tools/check/programs.ts";
import { report } from "../../tools/check/report.ts";
import type { Pages } from "../../tools/build/serve.ts";
import { moveWeightsOut } from "./external.ts";
import type { Expected, Result } from "./shared.ts";

/** Where `expected.json` is. */
export const expectedUrl: URL = new URL("expected.json", import.meta.url);

/** Removes a temporary folder; one that cannot be removed is no failure of what was tested. */
async function remove(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
}

/** Reads `expected.json`. */
export async function readExpected(): Promise<Expected> {
  return JSON.parse(await Deno.readTextFile(expectedUrl));
}

/** Where each committed model is, by name. */
export const MODEL_URLS: Readonly<Record<string, URL>> = Object.fromEntries(
  MODELS.map(({ name, file }) => [name, new URL(`models/${file}`, root)]),
);

/** The default model. */
export const modelUrl: URL = MODEL_URLS[DEFAULT];

/**
 * A folder for the loading cases, removed when disposed of: `packed/` holds one package, `two/` holds two,
 * `empty/` none; `export/` is an export, `external/` the same with its weights in a second file, `bare/` an
 * ONNX file alone.
 */
export async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "edge-ner-" });
  for (const name of ["packed", "two", "empty", "export", "external", "bare"]) {
    await Deno.mkdir(`${folder}/${name}`);
  }
  await Deno.copyFile(modelUrl, `${folder}/packed/model.safetensors`);
  // What lies beside a model in practice and must not confuse the loader.
  await Deno.writeTextFile(`${folder}/packed/README.md`, "# A model\n");
  for (const name of ["a", "b"]) await Deno.writeTextFile(`${folder}/two/${name}.safetensors`, "");
  const tiny = new URL("test/fixtures/tiny-torchscript/", root);
  for (const name of ["model.onnx", "config.json", "tokenizer.json", "crf.safetensors"]) {
    const bytes = await Deno.readFile(new URL(name, tiny));
    await Deno.writeFile(`${folder}/export/${name}`, bytes);
    await Deno.writeFile(`${folder}/external/${name}`, bytes);
    if (name === "model.onnx") {
      const { model, data } = moveWeightsOut(bytes, "model.onnx.data");
      await Deno.writeFile(`${folder}/external/model.onnx`, model);
      await Deno.writeFile(`${folder}/external/model.onnx.data`, data);
      await Deno.writeFile(`${folder}/bare/model.onnx`, bytes);
    }
  }
  return {
    path: folder,
    [Symbol.asyncDispose]: () => remove(folder),
  };
}

/** Answers every request with a body that ends before it should. */
function breakOff(): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async (): Promise<void> => {
    for await (const connection of listener) {
      try {
        await connection.read(new Uint8Array(4096));
        const head =
          "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nAccess-Control-Allow-Origin: *\r\n\r\n";
        await connection.write(new TextEncoder().encode(`${head}{`));
      } finally {
        connection.close();
      }
    }
  })().catch(() => {});
  return listener;
}

/** Starts the server of the loading cases on a free loopback port. */
export async function startServer(pages: Pages = {}): Promise<{ url: string } & AsyncDisposable> {
  const models = new Map([["/model.safetensors", await Deno.readFile(modelUrl)]]);
  for (const [name, url] of Object.entries(MODEL_URLS)) {
    models.set(`/models/${name}.safetensors`, await Deno.readFile(url));
  }
  const broken = breakOff();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const page = pages[pathname];
    if (page !== undefined) {
      return new Response(page.body, { headers: { ...page.headers, "content-type": page.type } });
    }
    const model = models.get(pathname);
    if (model !== undefined) {
      return new Response(model, { headers: { "content-type": "application/octet-stream" } });
    }
    if (pathname === "/page") {
      return new Response("<!doctype html>", {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    }
    if (pathname === "/broken") return Response.redirect(`http://127.0.0.1:${broken.addr.port}/`);
    return new Response("not here", { status: 404 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: async () => {
      broken.close();
      await server.shutdown();
    },
  };
}

/** Runs `command.ts`'s kind of program and collects the results that it prints. */
export async function runCommand(
  program: string,
  args: readonly string[],
  places: { server: string; folder: string },
  cwd: string | URL = root,
): Promise<Result[]> {
  const signal = AbortSignal.timeout(300_000);
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdin: "null",
    signal,
    env: {
      EDGE_NER_FOLDER: places.folder,
      EDGE_NER_SERVER: places.server,
      EDGE_NER_EXPECTED: path(expectedUrl),
      NO_COLOR: "1",
    },
  }).output();
  const results: Result[] = [];
  const rest: string[] = [];
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    if (line.startsWith('{"name":')) results.push(JSON.parse(line));
    else if (line !== "") rest.push(line);
  }
  if (code !== 0 || results.length === 0) {
    const note = signal.aborted ? "took longer than 300 s" : `exited with ${code}`;
    const output = `${rest.join("\n")}\n${new TextDecoder().decode(stderr)}`.trim();
    results.push({ name: "the program ends well", ok: false, note: `${note}\n${output}` });
  }
  return results;
}

let passed = 0;
let failed = 0;

/** Prints results under a heading, if it has one, and counts them. */
export function record(heading: string, results: readonly Result[]): void {
  if (heading !== "") console.log(heading);
  for (const { name, ok, skipped = false, note } of results) {
    const [first, ...rest] = note.split("\n"), verdict = skipped ? "skip" : ok ? "ok  " : "FAIL";
    console.log(`  ${verdict} ${name}${first && `: ${first}`}`);
    if (!ok) { for (const line of rest) console.log(`       ${line}`); }
    if (skipped) continue;
    if (ok) passed++;
    else failed++;
  }
}

/** Runs `action` as one more case, so that a failing preparation is counted and not only printed. */
export async function step(name: string, action: () => Promise<string | void>): Promise<void> {
  let result: Result;
  try {
    result = { name, ok: true, note: await action() ?? "" };
  } catch (error) {
    result = { name, ok: false, note: error instanceof Error ? `${error.stack}` : String(error) };
  }
  record("", [result]);
}

/** Runs all of a runtime's tests and ends the program with their count. */
export async function finish(suite: string, body: () => Promise<void>): Promise<never> {
  try {
    await body();
  } catch (error) {
    const note = error instanceof Error ? `${error.stack}` : String(error);
    record(suite, [{ name: "the harness ends well", ok: false, note }]);
  }
  report(suite, passed, failed);
}
