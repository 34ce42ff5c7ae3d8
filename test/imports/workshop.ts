/**
 * Where the ways of importing are tried: the packed library, projects of users with it installed, servers, browsers.
 *
 * @module
 */
import { createRequire } from "node:module";
import { command, path, program, root } from "../../tools/check/programs.ts";
import { packLibrary } from "../../tools/check/project.ts";
import { modelUrl } from "../runtime/harness.ts";
import { startRegistry } from "./registry.ts";

/** A browser in which pages are opened. */
export interface Pages extends AsyncDisposable {
  /** Opens a page and evaluates an expression in it, whose promise is waited for and gives a string. */
  evaluate(url: string, expression: string): Promise<string>;
}

/** Programs that must not wait for an answer, ask for a name or tell of themselves. */
const QUIET = {
  CI: "true",
  NEXT_TELEMETRY_DISABLED: "1",
  NO_COLOR: "1",
  WRANGLER_SEND_METRICS: "false",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
};

/** A program that has just started has this long to answer, on a crowded machine. */
const START_MS = 180_000;

/** The same for one that has to end. */
const LIMIT_MS = 600_000;

/** Types by which a static server names files; modules are refused without. */
const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  mjs: "text/javascript",
  ts: "application/typescript",
};

/** Serves a folder's files. */
export function serveFolder(folder: string): { url: string } & AsyncDisposable {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ url }) => {
      const { pathname } = new URL(url);
      const name = decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname);
      try {
        const type = TYPES[name.split(".").at(-1)!] ?? "application/octet-stream";
        return new Response(await Deno.readFile(folder + name), {
          headers: { "content-type": type },
        });
      } catch {
        return new Response("not here", { status: 404 });
      }
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A port that is free now. */
function freePort(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String(listener.addr.port);
}

/** A project of a user's, in a folder of its own. */
export class Project {
  readonly path: string;
  readonly #env: Readonly<Record<string, string>>;

  /** The library is installed at `path`; `env` are variables of all that runs there. */
  constructor(path: string, env: Readonly<Record<string, string>> = {}) {
    this.path = path;
    this.#env = { ...QUIET, ...env };
  }

  /** Runs a program that ends; returns what it printed. */
  async run(
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const signal = AbortSignal.timeout(LIMIT_MS);
    return await command(file, args, { cwd: this.path, env: { ...this.#env, ...env }, signal });
  }

  /** Runs a command of an installed tool, in the first Node on the PATH. */
  async tool(name: string, ...args: readonly string[]): Promise<string> {
    return await this.run(`${this.path}/node_modules/.bin/${name}`, args);
  }

  /** Starts a tool's server (`PORT` in `args` is exchanged for a free port), waits until it answers, and hands on its URL. */
  async serving<T>(
    name: string,
    args: readonly string[],
    work: (url: string) => Promise<T>,
  ): Promise<T> {
    const port = freePort(), url = `http://127.0.0.1:${port}`;
    const child = new Deno.Command("setsid", {
      args: [
        `${this.path}/node_modules/.bin/${name}`,
        ...args.map((arg) => arg === "PORT" ? port : arg),
      ],
      cwd: this.path,
      env: this.#env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let said = "";
    const drained = [child.stdout, child.stderr].map(async (stream) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) said += text;
    });
    let ended = false;
    const status = child.status.then(() => ended = true);
    try {
      for (const until = Date.now() + START_MS;;) {
        if (ended || Date.now() > until) throw new Error(`${name} does not answer\n${said}`);
        const answered = await fetch(url).then((response) => response.body?.cancel(), () => false);
        if (answered !== false) break;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      return await work(url);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${said}`);
    } finally {
      // The whole group: tools start servers of their own, which outlive them.
      if (!ended) await command("kill", ["--", `-${child.pid}`]);
      await status;
      await Promise.all(drained);
    }
  }
}

/** What all ways share; everything is made when it is first asked for. */
export class Workshop implements AsyncDisposable {
  readonly #folder: string;
  /** The packed library and its models. */
  readonly archives: readonly string[];
  readonly #open: AsyncDisposable[] = [];
  readonly #projects = new Map<string, Promise<Project>>();
  readonly #browsers = new Map<string, Promise<Pages>>();
  #registry: Promise<string> | undefined;

  private constructor(folder: string, archives: readonly string[]) {
    this.#folder = folder;
    this.archives = archives;
  }

  /** Builds and packs the library. */
  static async open(): Promise<Workshop> {
    const folder = await Deno.makeTempDir({ prefix: "edge-ner-imports-" });
    return new Workshop(folder, await packLibrary(folder));
  }

  /**
   * A project with the library installed and `name`'s files in it (`projects/`), whose tools have the versions of its lock
   * file, or of that in `tools`, a folder of the repository. (`npm ci` would refuse a lock file that was written where a registry
   * lacks other systems' packages.)
   */
  project(
    name: string,
    { tools, env }: { tools?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Project> {
    const made = this.#projects.get(name) ?? (async (): Promise<Project> => {
      const folder = `${this.#folder}/${name}`;
      await command("cp", ["-r", path(new URL(`projects/${name}`, import.meta.url)), folder]);
      for (const file of tools === undefined ? [] : ["package.json", "package-lock.json"]) {
        await Deno.copyFile(new URL(`${tools}/${file}`, root), `${folder}/${file}`);
      }
      return await this.#install(new Project(folder, env));
    })();
    this.#projects.set(name, made);
    return made;
  }

  async #install(project: Project): Promise<Project> {
    await project.run("npm", ["install", "--ignore-scripts", ...this.archives]);
    await Deno.copyFile(modelUrl, `${project.path}/model.safetensors`);
    return project;
  }

  /** A project with nothing at all. */
  async empty(): Promise<Project> {
    return new Project(await Deno.makeTempDir({ dir: this.#folder }));
  }

  /** A registry that has the library, for programs that ask by name: variables for their environment. */
  async registry(): Promise<Record<string, string>> {
    this.#registry ??= (async (): Promise<string> => {
      return this.use(await startRegistry(this.archives, this.#folder)).url;
    })();
    return { NPM_CONFIG_REGISTRY: await this.#registry };
  }

  /** What another project gets that takes the sources: the files that are published, and no configuration. */
  async sources(): Promise<string> {
    const { path: folder } = await this.empty();
    await command("cp", ["-r", "mod.ts", "src", "wasm", folder], { cwd: path(root) });
    return folder;
  }

  /** Keeps something that is to be closed at the end. */
  use<T extends AsyncDisposable>(open: T): T {
    this.#open.push(open);
    return open;
  }

  /** Firefox; Debian's, or the one that FIREFOX names. */
  firefox(): Promise<Pages> {
    const executablePath = Deno.env.get("FIREFOX") ?? "/usr/bin/firefox-esr";
    return this.#browser("firefox", { executablePath, channel: "moz-firefox" });
  }

  /** Chromium; Debian's, or the one that CHROMIUM names. */
  chromium(): Promise<Pages> {
    const executablePath = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
    return this.#browser("chromium", { executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  }

  #browser(name: "firefox" | "chromium", options: object): Promise<Pages> {
    const opened = this.#browsers.get(name) ?? (async (): Promise<Pages> => {
      const drivers = createRequire(import.meta.url)(await program("playwright-core/index.js"));
      const browser = await drivers[name].launch(options);
      return this.use<Pages>({
        async evaluate(url, expression): Promise<string> {
          const page = await browser.newPage();
          page.setDefaultTimeout(START_MS);
          try {
            await page.goto(url);
            await page.waitForFunction("globalThis.recognise !== undefined");
            return await page.evaluate(expression);
          } finally {
            await page.close();
          }
        },
        [Symbol.asyncDispose]: () => browser.close(),
      });
    })();
    this.#browsers.set(name, opened);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open) await each[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true }).catch(() => {});
  }
}
