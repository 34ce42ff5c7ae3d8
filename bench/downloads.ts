/**
 * What a server can make of a program that loads a model from it: `deno run -A bench/downloads.ts`.
 *
 * Each case is loaded in a process of its own, whose peak memory is printed beside that of a process which loads a small
 * package from memory. Figures are the system's (VmHWM), so this runs on Linux.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import { Ner, NerError } from "../mod.ts";

const package_ = new URL("../models/meder/meder-int8.safetensors", import.meta.url);

/** A body without an end. */
function endless(piece: Uint8Array, first = piece): ReadableStream<Uint8Array> {
  let begun = false;
  return new ReadableStream({
    pull(controller): void {
      controller.enqueue(begun ? piece : first);
      begun = true;
    },
  });
}

if (Deno.args[0] === "--load") {
  const start = performance.now();
  let code = "loaded";
  try {
    const source = Deno.args[1];
    if (source === "bytes") await Ner.fromBytes(await Deno.readFile(package_), { threads: 1 });
    else await Ner.load(source, { threads: 1 });
  } catch (error) {
    if (!(error instanceof NerError)) throw error;
    code = error.code;
  }
  const [, peak] = /VmHWM:\s+(\d+) kB/.exec(await Deno.readTextFile("/proc/self/status"))!;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code}, ${Math.round(Number(peak) / 1024)} MiB, ${seconds} s`);
  Deno.exit(0);
}

const zeros = new Uint8Array(1 << 16), onnx = zeros.slice();
// An ONNX file that begins as one does.
onnx.set([0x08, 0x08]);
const bytes = await Deno.readFile(package_);
// A gigabyte of zeros in one megabyte.
const bomb = gzipSync(new Uint8Array(1 << 30));
const gzip = { "content-encoding": "gzip" };
const folder = new URL("../test/fixtures/tiny-torchscript/", import.meta.url);
const beside = (name: string): Promise<Response> =>
  Deno.readFile(new URL(name, folder)).then((file) => new Response(file));

const ANSWERS: Readonly<Record<string, () => Response | Promise<Response>>> = {
  "/good.safetensors": () => new Response(bytes),
  "/unstated.safetensors": () => new Response(new Blob([bytes]).stream()),
  "/zeros.safetensors": () => new Response(endless(zeros)),
  "/after.safetensors": () => new Response(endless(zeros, bytes)),
  "/bomb.safetensors": () => new Response(bomb, { headers: gzip }),
  "/onnx/config.json": () => beside("config.json"),
  "/onnx/model.onnx": () => new Response(endless(zeros, onnx)),
  "/tokenizer/config.json": () => beside("config.json"),
  "/tokenizer/model.onnx": () => beside("model.onnx"),
  "/tokenizer/tokenizer.json": () => new Response(bomb, { headers: gzip }),
};
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, ({ url }) => {
  const answer = ANSWERS[new URL(url).pathname];
  return answer === undefined ? new Response("", { status: 404 }) : answer();
});
const base = `http://127.0.0.1:${server.addr.port}/`;

const CASES: readonly (readonly [what: string, source: string])[] = [
  ["a package from memory", "bytes"],
  ["a package that states its length", `${base}good.safetensors`],
  ["a package that does not", `${base}unstated.safetensors`],
  ["zeros without end for a package", `${base}zeros.safetensors`],
  ["a package, then zeros without end", `${base}after.safetensors`],
  ["1 GiB of zeros, gzipped, for a package", `${base}bomb.safetensors`],
  ["an ONNX file without end", `${base}onnx/`],
  ["1 GiB of zeros, gzipped, for tokenizer.json", `${base}tokenizer/`],
];
for (const [what, source] of CASES) {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.url, "--load", source],
    stderr: "inherit",
  }).output();
  console.log(`${what}: ${new TextDecoder().decode(stdout).trim()}`);
}
Deno.exit(0);
