/**
 * examples/server: the handler, and the files that serve it as far as this runtime can. `deno task test:examples` runs them with
 * their own programs, over the installed package, and Next's route with them.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import application from "../../examples/server/hono.ts";
import { handlerOf } from "../../examples/server/handler.ts";
import worker from "../../examples/server/worker.ts";
import { loadBundle, Ner, writePackage } from "../../mod.ts";
import { fixture, RUNTIME_ARGS } from "../cli/run.ts";

const TINY = fixture("tiny-torchscript");
const TEXT = "জ্বরে প্যারাসিটামল খাওয়া যায়।";
const ner = await Ner.load(TINY), want = await ner.extract(TEXT);
const packed = writePackage(await loadBundle(TINY));
/** Of the package, which is float32 here and becomes int8 as the folder does. */
const post = (body: BodyInit, url = "http://localhost/"): Request =>
  new Request(url, { method: "POST", body });

test("a text is answered with its entities", async () => {
  const response = await handlerOf(() => ner)(post(TEXT));
  assert.is(response.status, 200);
  assert.equal(await response.json(), want);
  assert.ok(want.length > 0);
});

test("what is no text is answered with a sentence", async () => {
  const handle = handlerOf(() => ner);
  const status = async (request: Request): Promise<number> => {
    const response = await handle(request), { error } = await response.json();
    assert.ok(error.length > 0);
    return response.status;
  };
  assert.is(await status(new Request("http://localhost/")), 405);
  assert.is(await status(post("x".repeat(65537))), 413);
  assert.is(await status(post(Uint8Array.of(0xff))), 400);
});

test("a request that is given up ends its work", async () => {
  const controller = new AbortController(), reason = new Error("gone");
  const request = new Request("http://localhost/", {
    method: "POST",
    body: TEXT,
    signal: controller.signal,
  });
  const asked = handlerOf(() => ner)(request);
  controller.abort(reason);
  assert.is(await asked.then(() => undefined, (error) => error), reason);
});

test("a Worker reads its model once, and again where that failed", async () => {
  let asked = 0;
  const ASSETS = {
    fetch: (): Promise<Response> => {
      asked++;
      return Promise.resolve(
        asked === 1 ? new Response("", { status: 503 }) : new Response(packed),
      );
    },
  };
  const failed = await worker.fetch(post(TEXT), { ASSETS }).then(() => false, () => true);
  assert.ok(failed);
  for (let i = 0; i < 2; i++) {
    assert.equal(await (await worker.fetch(post(TEXT), { ASSETS })).json(), want);
  }
  assert.is(asked, 2);
});

test("an application of hono answers on its route, and on no other", async () => {
  const ask = async (path: string): Promise<Response> =>
    await application.request(post(TEXT, path));
  const response = await ask("http://localhost/entities");
  assert.is(response.status, 200);
  // Of the default model, whose entities are its own affair.
  const [{ text, start, end }] = await response.json();
  assert.is(text, TEXT.slice(start, end));
  assert.is((await ask("http://localhost/")).status, 404);
  assert.is((await application.request("http://localhost/entities")).status, 405);
});

if ("deno" in process.versions) {
  test("Deno.serve answers", async () => {
    const path = fileURLToPath(new URL("../../examples/server/deno.ts", import.meta.url));
    const child = spawn(process.execPath, [...RUNTIME_ARGS, path], {
      env: { ...process.env, PORT: "0", MODEL: TINY, NO_COLOR: "1", FORCE_COLOR: "" },
    });
    try {
      let said = "";
      const url = await new Promise<string>((resolve, reject) => {
        const read = (chunk: unknown): void => {
          said += chunk;
          const port = /:(\d+)\//.exec(said)?.[1];
          if (port !== undefined) resolve(`http://127.0.0.1:${port}/`);
        };
        child.stdout.on("data", read);
        child.stderr.on("data", read);
        child.on("exit", () => reject(new Error(said)));
      });
      const response = await fetch(url, { method: "POST", body: TEXT });
      assert.equal(await response.json(), want);
    } finally {
      child.kill();
    }
  });
}

test.run();
