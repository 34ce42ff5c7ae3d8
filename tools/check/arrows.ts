/**
 * Who imports whom, by the parsers of the two languages: Deno's for TypeScript, AssemblyScript's own for kernels/.
 *
 * @module
 */
import * as assemblyscript from "assemblyscript";

/** One file's import of another, or of a package. */
export interface Arrow {
  /** Paths from the repository's root. */
  readonly from: string;
  /** A path, or a package as `npm:NAME` or `node:NAME`. */
  readonly to: string;
  /** Whether only types are imported. */
  readonly type: boolean;
}

/** Written in AssemblyScript, which Deno does not understand. */
export const ASSEMBLYSCRIPT = /^kernels\//;

/** What `deno info --json` says of an import; a specifier is missing where nothing was found. */
interface Resolved {
  readonly specifier?: string;
  readonly error?: string;
}

interface Module {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly code?: Resolved;
    readonly type?: Resolved;
  }[];
}

/** `npm:@a/b@1.0.0/c` to `npm:@a/b`; a module of Node stays what it is. */
function packageOf(specifier: string): string {
  const name = /^npm:\/?(@[^/]+\/[^/@]+|[^/@]+)/.exec(specifier)?.[1];
  return name === undefined ? specifier : `npm:${name}`;
}

async function typescriptArrows(root: URL, files: readonly string[]): Promise<Arrow[]> {
  // deno info takes one file: a temporary one that imports them all.
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  let modules: readonly Module[];
  try {
    const imports = files.map((file) => `import ${JSON.stringify(new URL(file, root).href)};\n`);
    await Deno.writeTextFile(entry, imports.join(""));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      cwd: root,
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    modules = JSON.parse(new TextDecoder().decode(stdout)).modules;
  } finally {
    await Deno.remove(entry);
  }
  const arrows: Arrow[] = [];
  for (const { specifier, error, dependencies = [] } of modules) {
    const from = specifier.slice(root.href.length);
    if (!specifier.startsWith(root.href) || !files.includes(from)) continue;
    if (error !== undefined) throw new Error(`${from} cannot be read: ${error}`);
    for (const { specifier: name, code, type } of dependencies) {
      for (const [resolved, isType] of [[code, false], [type, true]] as const) {
        if (resolved === undefined) continue;
        const to = resolved.specifier;
        if (to === undefined) throw new Error(`${from} imports "${name}": ${resolved.error}`);
        const inside = to.startsWith(root.href);
        arrows.push({
          from,
          to: inside ? to.slice(root.href.length) : packageOf(to),
          type: isType,
        });
      }
    }
  }
  return arrows;
}

/** The files that an import of a kernel means: what is shared names kernels/family/, which is each family's folder. */
function kernelFiles(path: string, files: readonly string[]): string[] {
  const name = /^kernels\/family\/(\w+)$/.exec(path)?.[1];
  const each = files.filter((file) =>
    /^kernels\/\w+\/\w+\.ts$/.test(file) && file.endsWith(`/${name}.ts`)
  );
  return each.length > 0 ? each : [`${path}.ts`];
}

async function assemblyscriptArrows(root: URL, files: readonly string[]): Promise<Arrow[]> {
  const arrows: Arrow[] = [];
  for (const from of files) {
    const program = assemblyscript.newProgram(assemblyscript.newOptions());
    assemblyscript.parse(program, await Deno.readTextFile(new URL(from, root)), from, true);
    for (let to; (to = assemblyscript.nextFile(program)) !== null;) {
      arrows.push(...kernelFiles(to, files).map((file) => ({ from, to: file, type: false })));
    }
  }
  return arrows;
}

/** All arrows between `files` and to packages, each pair once: of types where all its imports are. */
export async function readArrows(root: URL, files: readonly string[]): Promise<Arrow[]> {
  const kernels = files.filter((file) => ASSEMBLYSCRIPT.test(file));
  const others = files.filter((file) => !ASSEMBLYSCRIPT.test(file));
  const merged = new Map<string, Arrow>();
  for (
    const arrow of [
      ...await typescriptArrows(root, others),
      ...await assemblyscriptArrows(root, kernels),
    ]
  ) {
    const pair = `${arrow.from}\n${arrow.to}`;
    const type = arrow.type && (merged.get(pair)?.type ?? true);
    merged.set(pair, { ...arrow, type });
  }
  return [...merged.values()];
}
