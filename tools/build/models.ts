/**
 * What makes a model of models/ an npm package, `edge-ner-NAME`: a manifest, a module that says where the weights are, and
 * declarations for it and for who imports the weights as data. All of it follows from the model's name and its about.json.
 *
 * @module
 */
import { type Model, MODELS, weightsOf } from "../../models/registry.ts";

function manifestOf({ name, title, keywords }: Model, version: string): string {
  const weights = weightsOf(name);
  const manifest = {
    name: `edge-ner-${name}`,
    version,
    description: `${title}: a model for edge-ner, a BERT encoder with a CRF in int8.`,
    keywords: ["ner", "named-entity-recognition", ...keywords, "edge-ner"],
    type: "module",
    license: "SEE LICENSE IN README.md",
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      [`./${weights}`]: { types: "./bytes.d.ts", default: `./${weights}` },
      "./about.json": "./about.json",
      "./package.json": "./package.json",
    },
    files: ["index.js", "index.d.ts", "bytes.d.ts", "about.json", weights],
    sideEffects: false,
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

function moduleOf(weights: string): string {
  return `/** Where the model lies, for \`Ner.load\`. Bundlers that follow such expressions copy the file to where the page is. */
export const model = new URL("./${weights}", import.meta.url);
`;
}

const MODULE_TYPES = `declare global {
  /** Joined with what a program's own libraries say of it; for programs without any. */
  interface URL {
    href: string;
  }
}

/** Where the model lies, for \`Ner.load\`: a \`file:\` URL, or where a bundler put the file. */
export declare const model: URL;
`;

const BYTES_TYPES =
  `/** The model's bytes, where a bundler or a worker's configuration imports files as data: \`Ner.fromBytes(new Uint8Array(bytes))\`. */
declare const bytes: ArrayBuffer;
export default bytes;
`;

/** File contents by path from the repository's root; every package has the library's version. */
export async function modelFiles(): Promise<Record<string, string>> {
  const library = await Deno.readTextFile(new URL("../../package.json", import.meta.url));
  const { version } = JSON.parse(library);
  return Object.fromEntries(MODELS.flatMap((model) =>
    Object.entries({
      "package.json": manifestOf(model, version),
      "index.js": moduleOf(weightsOf(model.name)),
      "index.d.ts": MODULE_TYPES,
      "bytes.d.ts": BYTES_TYPES,
    }).map(([file, content]) => [`models/${model.name}/${file}`, content])
  ));
}
