/**
 * The cases of `Ner.load`, for runtimes that read files and for those that only fetch.
 *
 * They talk to the harness's server, which has the model at /model.safetensors, the others of models/ at
 * /models/NAME.safetensors and, elsewhere, everything that can go wrong with an answer.
 *
 * @module
 */
import {
  type Case,
  codeOf,
  equal,
  everyKernel,
  type Expected,
  fingerprint,
  fingerprintTextsOf,
  sameEntities,
  sha256,
  type Subject,
  TEXTS,
  textsOf,
} from "./shared.ts";

/** Where the things to load are. */
export interface Places {
  /** The harness's server, with a slash at its end. */
  readonly server: string;
  /** A folder prepared by the harness; absent where the runtime has no files. See `makeFolder`. */
  readonly folder?: string;
  /** Whether a relative URL means something, as it does on a page. */
  readonly relative?: boolean;
}

async function loads(subject: Subject, source: string | URL): Promise<void> {
  const ner = await subject.library.Ner.load(source);
  const found = await ner.extract(TEXTS[0]);
  ner.close();
  if (found.length !== subject.expected.entities[0].length) {
    throw new Error(`found ${JSON.stringify(found)}`);
  }
}

async function fails(subject: Subject, source: unknown, code: string): Promise<void> {
  const actual = await codeOf(subject.library, () => subject.library.Ner.load(source as string));
  if (actual !== code) throw new Error(`${String(source)}: got ${actual}, expected ${code}`);
}

function fetchCases({ server, relative }: Places): Case[] {
  return [
    { name: "load: an http URL", run: (s) => loads(s, new URL("model.safetensors", server)) },
    { name: "load: an http URL as a string", run: (s) => loads(s, `${server}model.safetensors`) },
    relative === true
      ? { name: "load: a URL relative to the page", run: (s) => loads(s, "/model.safetensors") }
      : {
        name: "load: a data URL that is no model",
        run: async (s): Promise<void> => {
          await codeOf(
            s.library,
            () => s.library.Ner.load("data:application/octet-stream,nothing"),
          );
        },
      },
    {
      name: "load: bad answers are typed errors",
      async run(s): Promise<void> {
        await fails(s, `${server}missing`, "runtime/http-status");
        await fails(s, `${server}page`, "runtime/http-body");
        await fails(s, `${server}folder/`, "runtime/folder");
        await fails(s, `${server}broken`, "runtime/fetch");
        // Nobody listens on port 2, and fetch does not block it as it does port 1.
        await fails(s, "http://127.0.0.1:2/model", "runtime/fetch");
      },
    },
    {
      name: "load: what is no source is a typed error",
      async run(s): Promise<void> {
        await fails(s, "", "runtime/source");
        await fails(s, undefined, "runtime/source");
        await fails(s, s.model.subarray(0, 10), "runtime/source");
        await fails(s, "http://[", "runtime/source");
        await fails(s, "ftp://example.org/model", "runtime/unsupported");
        await fails(s, "hf:../model", "runtime/source");
      },
    },
  ];
}

function fileCases(folder: string): Case[] {
  const url = new URL(`file://${folder}/`);
  return [
    { name: "load: a path", run: (s) => loads(s, `${folder}/packed/model.safetensors`) },
    { name: "load: a file URL", run: (s) => loads(s, new URL("packed/model.safetensors", url)) },
    { name: "load: a folder with one package", run: (s) => loads(s, `${folder}/packed`) },
    {
      name: "load: an export, and an export with external data",
      async run({ library }): Promise<void> {
        const hashes = new Set<string>();
        for (const name of ["export", "external"]) {
          const ner = await library.Ner.load(`${folder}/${name}`);
          hashes.add(await fingerprint(ner));
          ner.close();
        }
        if (hashes.size !== 1) throw new Error("the two give different emissions");
      },
    },
    {
      name: "load: bad places are typed errors",
      async run(s): Promise<void> {
        await fails(s, `${folder}/missing.safetensors`, "runtime/not-found");
        await fails(s, `${folder}/packed/model.safetensors/below`, "runtime/not-found");
        await fails(s, new URL("missing", url), "runtime/not-found");
        // What a system call says of a NUL differs; that it is typed does not.
        await codeOf(s.library, () => s.library.Ner.load(`${folder}/a\0b`));
        await fails(s, `${folder}/empty`, "runtime/folder");
        await fails(s, `${folder}/two`, "runtime/folder");
        await fails(s, `${folder}/bare`, "runtime/folder");
      },
    },
  ];
}

/** A model beside the default one: loaded from where it is served, its bits are the committed ones with every kernel. */
function modelCases({ server }: Places, others: Expected["others"]): Case[] {
  return Object.entries(others).map(([name, own]) => ({
    name: `the model ${name}: its file, its entities, and its fingerprint with every kernel`,
    async run({ library }): Promise<string> {
      const url = `${server}models/${name}.safetensors`;
      const ner = await library.Ner.load(url);
      await sameEntities(ner, textsOf(own.sentences), own.entities);
      ner.close();
      const model = new Uint8Array(await (await fetch(url)).arrayBuffer());
      equal(await sha256(model), own.modelSha256, "SHA-256 of the model");
      const texts = fingerprintTextsOf(own.sentences), { int8, fp32 } = own.emissionsSha256;
      const exact = await library.Ner.fromBytes(model, { backend: "fp32" });
      equal(await fingerprint(exact, true, texts), fp32, "SHA-256 of the emissions in float32");
      exact.close();
      const modules = await library.defaultKernels();
      return await everyKernel(library, model, modules, 1, int8, texts);
    },
  }));
}

/** The cases that make sense for these places. */
export function loadingCases(places: Places, { others }: Expected): Case[] {
  return [
    ...fetchCases(places),
    ...modelCases(places, others),
    ...(places.folder === undefined
      ? [{
        name: "load: a file is a typed error",
        run: (s: Subject): Promise<void> => fails(s, "file:///model", "runtime/unsupported"),
      }]
      : fileCases(places.folder)),
  ];
}
