/**
 * Models by URL, against a server of this test's own: the hub's layout, and all that a server can do to whoever asks it.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type LoadProgress, Ner, NerError, openModel, type SourceOptions } from "../../mod.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { moveWeightsOut } from "../runtime/external.ts";
import { shared } from "../formats/helpers.ts";

const graph = shared("tiny-torchscript/model.onnx");
const beside = {
  "config.json": shared("tiny-torchscript/config.json"),
  "tokenizer.json": shared("tiny-torchscript/tokenizer.json"),
  "crf.safetensors": shared("tiny-torchscript/crf.safetensors"),
};
const exported = bundleFromExport({
  model: graph,
  config: beside["config.json"],
  tokenizer: beside["tokenizer.json"],
  crf: beside["crf.safetensors"],
});
const packed = writePackage({ ...exported, weights: quantizeEncoder(exported.weights).weights });

/** The graph with a word of its own: a ModelProto's doc_string is field 6. */
const marked = (word: string): Uint8Array => {
  const text = new TextEncoder().encode(word);
  const bytes = new Uint8Array(graph.length + 2 + text.length);
  bytes.set(graph);
  bytes.set([0x32, text.length, ...text], graph.length);
  return bytes;
};
const quantized = marked("quantized"), half = marked("half");
const { model: outside, data } = moveWeightsOut(graph, "model.onnx_data");

const scratch = mkdtempSync(join(tmpdir(), "edge-ner-remote-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

type Answer = Uint8Array | ((request: Request) => Response | Promise<Response>);

const files = new Map<string, Answer>();
const asked: string[] = [];
let headers = new Headers();
const stop = new AbortController(), { signal } = stop;
const server = Deno.serve(
  { port: 0, hostname: "127.0.0.1", signal, onListen: () => {} },
  (request) => {
    const path = new URL(request.url).pathname, answer = files.get(path);
    asked.push(path);
    headers = request.headers;
    if (answer === undefined) return new Response("nothing", { status: 404 });
    return typeof answer === "function" ? answer(request) : new Response(answer.slice());
  },
);
const base = `http://127.0.0.1:${server.addr.port}/`;

/** Serves a folder's files at a path. */
function serve(at: string, folder: Readonly<Record<string, Answer>>): string {
  for (const [name, answer] of Object.entries(folder)) files.set(`/${at}/${name}`, answer);
  return `${base}${at}/`;
}

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NerError)) throw error;
    return error.code;
  }
  return "nothing was thrown";
}

async function graphOf(source: string, options?: SourceOptions): Promise<Uint8Array> {
  const { content } = await openModel(source, options);
  if (content.kind !== "export") throw new Error(content.kind);
  return content.files.model;
}

const hub = serve("hub", {
  ...beside,
  "onnx/model.onnx": graph,
  "onnx/model_quantized.onnx": quantized,
  "onnx/model_fp16.onnx": half,
});

test("a base URL in the hub's layout is a folder, of which dtype chooses a graph", async () => {
  assert.equal(await graphOf(hub), graph);
  assert.equal(await graphOf(hub, { dtype: "q8" }), quantized);
  assert.equal(await graphOf(hub, { dtype: "fp16" }), half);
  assert.equal(await graphOf(`${hub}onnx/`), graph);
  assert.equal(await graphOf(`${hub}onnx/model_quantized.onnx`), quantized);
  assert.is(await codeOf(() => openModel(hub, { dtype: "q4" })), "runtime/folder");
  assert.is(await codeOf(() => openModel(`${hub}onnx/no.onnx`)), "runtime/folder");
  const ner = await Ner.load(hub, { threads: 1 });
  assert.is(ner.info().crf, true, "crf.safetensors was read");
  ner.close();
});

test("files beside a graph, and its external data, are asked for by their usual names", async () => {
  const here = serve("beside", { ...beside, "model_quantized.onnx": quantized });
  assert.equal(await graphOf(here), quantized);
  assert.equal(await graphOf(`${here}model_quantized.onnx`), quantized);
  const external = serve("external", {
    ...beside,
    "onnx/model.onnx": outside,
    "onnx/model.onnx_data": data,
  });
  const ner = await Ner.load(external, { threads: 1 });
  ner.close();
  const { model } = moveWeightsOut(graph, "../secret.onnx_data");
  const escaping = serve("escaping", {
    ...beside,
    "onnx/model.onnx": model,
    "secret.onnx_data": data,
  });
  asked.length = 0;
  assert.is(await codeOf(() => Ner.load(escaping)), "onnx/external");
  assert.not(asked.some((path) => path.includes("secret")));
});

test("a folder without a model is told from one that cannot be asked", async () => {
  assert.is(await codeOf(() => openModel(`${base}nowhere/`)), "runtime/folder");
  assert.is(await codeOf(() => openModel(serve("bare", beside))), "runtime/folder");
  const page = (): Response =>
    new Response("<html>", { headers: { "content-type": "text/html; charset=utf-8" } });
  const app = serve("app", { ...beside, "onnx/model.onnx": graph, "crf.safetensors": page });
  const ner = await Ner.load(app, { threads: 1 });
  assert.is(ner.info().crf, false, "a web page is not a CRF, but what servers say for none");
  ner.close();
  const forbidden = (): Response => new Response("no", { status: 403 });
  const closed = serve("closed", {
    ...beside,
    "onnx/model.onnx": graph,
    "crf.safetensors": forbidden,
  });
  assert.is(await codeOf(() => openModel(closed)), "runtime/http-status");
  // A packed model under the name that a checkpoint has.
  const { content } = await openModel(serve("packed", { "model.safetensors": packed }));
  assert.is(content.kind, "package");
});

test("hf: names a model of the hub, at a revision", async () => {
  const urls: string[] = [];
  const fetch: SourceOptions["fetch"] = (url, init) => {
    urls.push(url.href);
    const path = url.pathname.replace("/Xenova/bert-base-NER/resolve/refs%2Fpr%2F1/", "/hub/")
      .replace("/Xenova/bert-base-NER/resolve/main/", "/hub/");
    return globalThis.fetch(new URL(path, base), init);
  };
  const options = { fetch, headers: { authorization: "Bearer hf_x" } };
  assert.equal(await graphOf("hf:Xenova/bert-base-NER", options), graph);
  assert.is(headers.get("authorization"), "Bearer hf_x");
  assert.is(urls[0], "https://huggingface.co/Xenova/bert-base-NER/resolve/main/config.json");
  const at = { ...options, revision: "refs/pr/1", dtype: "q8" } as const;
  assert.equal(await graphOf("hf:Xenova/bert-base-NER", at), quantized);
  assert.ok(
    urls.at(-1)!.startsWith("https://huggingface.co/Xenova/bert-base-NER/resolve/refs%2Fpr%2F1/"),
  );
  const named = "hf:Xenova/bert-base-NER/onnx/model_fp16.onnx";
  assert.equal(await graphOf(named, options), half);
  for (const wrong of ["hf:", "hf:a/../b", "hf:../x", "hf:a b/c", "hf:a/b?c", "hf://a/b"]) {
    const code = await codeOf(() => openModel(wrong, options));
    assert.ok(["runtime/source", "runtime/folder"].includes(code), `${wrong}: ${code}`);
  }
  assert.is(await codeOf(() => openModel(hub, { revision: "main" })), "input/option");
  assert.is(await codeOf(() => openModel("x.onnx", { dtype: "q8" })), "input/option");
  assert.match(
    await Ner.load("Xenova/bert-base-NER").then(() => "", String),
    /write hf:Xenova\/bert-base-NER/,
  );
});

/** A body that goes on for ever: `piece` again and again, each after some milliseconds. */
function endless(piece: Uint8Array, wait = 0, first = piece): Answer {
  return () => {
    let begun = false;
    return new Response(
      new ReadableStream({
        async pull(controller): Promise<void> {
          if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
          controller.enqueue(begun ? piece : first);
          begun = true;
        },
      }),
    );
  };
}

const zeros = new Uint8Array(1 << 16);

test("bodies without length, without end, slow or packed are bounded, each with its error", async () => {
  const at = serve("bad", {
    "unstated.safetensors": () =>
      new Response(new Blob([packed.slice()]).stream(), { headers: { "x-no": "length" } }),
    "packed.safetensors": () =>
      new Response(gzipSync(packed), { headers: { "content-encoding": "gzip" } }),
    "zeros.safetensors": endless(zeros),
    "after.safetensors": endless(zeros, 0, packed),
    "silent.safetensors": () =>
      new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
    "mute.safetensors": () => new Promise<Response>(() => {}),
    "dripping.safetensors": endless(new Uint8Array([0x20]), 20, packed.slice(0, 9)),
    "large.safetensors": () => new Response(packed.slice()),
    "short.safetensors": packed.slice(0, -10),
  });
  for (const name of ["unstated", "packed"]) {
    (await Ner.load(`${at}${name}.safetensors`, { threads: 1 })).close();
  }
  const fails = async (name: string, options: SourceOptions, code: string): Promise<void> => {
    const source = `${at}${name}.safetensors`;
    assert.is(await codeOf(() => Ner.load(source, { threads: 1, ...options })), code, name);
  };
  await fails("zeros", {}, "safetensors/header");
  await fails("after", {}, "safetensors/layout");
  await fails("silent", { idleTimeout: 100 }, "runtime/timeout");
  await fails("mute", { idleTimeout: 100 }, "runtime/timeout");
  await fails("dripping", { idleTimeout: 2000, timeout: 300 }, "runtime/timeout");
  await fails("large", { maxBytes: packed.length - 1 }, "runtime/too-large");
  await fails("unstated", { maxBytes: packed.length - 1 }, "runtime/too-large");
  await fails("short", {}, "safetensors/truncated");
  (await Ner.load(`${at}large.safetensors`, { threads: 1, maxBytes: packed.length })).close();

  const bomb = gzipSync(new Uint8Array(1 << 28));
  const folder = serve("bomb", {
    ...beside,
    "tokenizer.json": () => new Response(bomb, { headers: { "content-encoding": "gzip" } }),
    "onnx/model.onnx": graph,
  });
  assert.is(await codeOf(() => openModel(folder)), "runtime/too-large");
  const graphs = serve("endless", { ...beside, "onnx/model.onnx": endless(zeros) });
  assert.is(await codeOf(() => openModel(graphs, { maxBytes: 1 << 22 })), "runtime/too-large");
});

test("a length that is not what comes is an error, whoever fetches", async () => {
  const fetch = (): Promise<Response> =>
    Promise.resolve(new Response(packed.slice(0, 100), { headers: { "content-length": "200" } }));
  assert.is(await codeOf(() => openModel(`${base}x.safetensors`, { fetch })), "runtime/fetch");
  const thrown = (): never => {
    throw new Error("no network");
  };
  const source = `${base}x.safetensors`;
  assert.is(await codeOf(() => openModel(source, { fetch: thrown })), "runtime/fetch");
});

test("a signal ends loading with its reason, and progress is told", async () => {
  const source = serve("told", {
    "a.safetensors": packed,
    "slow.safetensors": endless(packed, 30),
  });
  const told: LoadProgress[] = [];
  (await Ner.load(`${source}a.safetensors`, { threads: 1, onProgress: (p) => told.push(p) }))
    .close();
  assert.equal(told.at(-1), {
    file: "a.safetensors",
    loaded: packed.length,
    total: packed.length,
    cached: false,
  });
  const reason = new Error("enough"), controller = new AbortController();
  setTimeout(() => controller.abort(reason), 10);
  const { signal } = controller;
  for (const again of [signal, AbortSignal.abort(reason)]) {
    const found = await Ner.load(`${source}slow.safetensors`, { signal: again })
      .then(() => undefined, (error) => error);
    assert.is(found, reason);
  }
  const broken = await Ner.load(`${source}a.safetensors`, {
    onProgress: () => {
      throw reason;
    },
  }).then(() => undefined, (error) => error);
  assert.is(broken, reason);
});

const digest = (bytes: Uint8Array, encoding: "base64" | "hex"): string =>
  createHash("sha256").update(bytes).digest(encoding);

test("integrity is checked, of a file and of a folder's", async () => {
  const source = `${serve("integrity", { "a.safetensors": packed })}a.safetensors`;
  const local = join(scratch, "a.safetensors");
  writeFileSync(local, packed);
  for (const place of [source, local]) {
    for (
      const integrity of [`sha256-${digest(packed, "base64")}`, digest(packed, "hex").toUpperCase()]
    ) {
      (await Ner.load(place, { threads: 1, integrity })).close();
      await openModel(place, { integrity });
    }
    const integrity = digest(graph, "hex");
    assert.is(await codeOf(() => Ner.load(place, { integrity })), "runtime/integrity");
    assert.is(await codeOf(() => openModel(place, { integrity })), "runtime/integrity");
    const named = { "a.safetensors": integrity };
    assert.is(await codeOf(() => Ner.load(place, { integrity: named })), "input/option");
  }
  const right = { "onnx/model.onnx": digest(graph, "hex") };
  await openModel(hub, { integrity: right });
  const wrong = { ...right, "config.json": digest(graph, "hex") };
  assert.is(await codeOf(() => openModel(hub, { integrity: wrong })), "runtime/integrity");
  const missing = { "onnx/model_q4.onnx": digest(graph, "hex") };
  assert.is(await codeOf(() => openModel(hub, { integrity: missing })), "input/option");
  assert.is(
    await codeOf(() => openModel(hub, { integrity: digest(graph, "hex") })),
    "input/option",
  );
  assert.is(await codeOf(() => openModel(hub, { integrity: "md5-x" })), "input/option");
});

test("a cache keeps what was downloaded, whole and readable things only", async () => {
  const cache = join(scratch, "cache"),
    source = `${serve("kept", { "a.safetensors": packed })}a.safetensors`;
  for (const cached of [false, true]) {
    const told: LoadProgress[] = [];
    asked.length = 0;
    (await Ner.load(source, { threads: 1, cache, onProgress: (p) => told.push(p) })).close();
    assert.is(asked.length, cached ? 0 : 1);
    assert.is(told.at(-1)?.cached, cached);
    assert.is(told.at(-1)?.loaded, packed.length);
  }
  const [name] = readdirSync(cache);
  assert.match(name, /^[0-9a-f]{32}-a\.safetensors$/);
  // Spoilt on the disk: it is seen, dropped, and downloaded again the next time.
  writeFileSync(
    join(cache, name),
    packed.map((byte, i) => i === packed.length - 1 ? byte ^ 1 : byte),
  );
  assert.is(await codeOf(() => Ner.load(source, { cache })), "package/checksum");
  assert.equal(readdirSync(cache), []);
  // What breaks off is not kept, nor is what is no model.
  const bad = serve("unkept", {
    "zeros.safetensors": zeros,
    "drip.safetensors": endless(zeros, 20),
  });
  assert.is(
    await codeOf(() => Ner.load(`${bad}zeros.safetensors`, { cache })),
    "safetensors/header",
  );
  const slow = { cache, timeout: 100 };
  assert.is(await codeOf(() => Ner.load(`${bad}drip.safetensors`, slow)), "runtime/timeout");
  const other = { cache, integrity: digest(graph, "hex") };
  assert.is(await codeOf(() => Ner.load(source, other)), "runtime/integrity");
  assert.equal(readdirSync(cache), []);
  assert.equal(await graphOf(hub, { cache }), graph);
  assert.is(readdirSync(cache).length, 4);
  writeFileSync(join(scratch, "file"), "");
  const nowhere = { cache: join(scratch, "file") };
  assert.is(await codeOf(() => Ner.load(source, nowhere)), "runtime/cache");
});

test("in a worker, the same", async () => {
  const told: LoadProgress[] = [];
  const ner = await Ner.inWorker(hub, { threads: 1, dtype: "q8", onProgress: (p) => told.push(p) });
  assert.ok(told.some(({ file }) => file === "onnx/model_quantized.onnx"));
  ner.close();
  const reason = new Error("enough"), controller = new AbortController();
  setTimeout(() => controller.abort(reason), 50);
  const at = serve("worker", { "slow.safetensors": endless(packed.slice(0, 20), 30) });
  const found = await Ner.inWorker(`${at}slow.safetensors`, { signal: controller.signal })
    .then(() => undefined, (error) => error);
  assert.is(found, reason);
  const integrity = digest(packed, "hex");
  assert.is(await codeOf(() => Ner.inWorker(packed, { integrity })), "input/option");
});

test.after(() => stop.abort());
test.run();
