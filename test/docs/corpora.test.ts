/**
 * docs/corpora.md: its labelling file as it stands, with made-up sources under the names that it gives and a language
 * model that is asked for; its commands for one machine; and those of the queue, where Redis is installed. What the page says
 * may happen to a queue is shown by `deno task test:queue`.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as listen } from "node:net";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadBundle, writePackage } from "../../mod.ts";
import { cli, fixture, start } from "../cli/run.ts";
import { blocksOf, type Call, callsOf } from "./page.ts";
import { path, run } from "./run.ts";

const PAGE = "docs/corpora.md";
const [{ content: yaml }] = blocksOf(PAGE).filter(({ language }) => language === "yaml");
const [label, annotate, ...queue] = callsOf(PAGE);

test("the file of labelers, and what comes of each", async () => {
  const server = createServer((request, response) => {
    request.resume();
    const content = JSON.stringify({ entities: [{ type: "Disease", quote: "plague" }] });
    response.end(JSON.stringify({ choices: [{ message: { content } }], usage: {} }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(path("label.yaml"), yaml.replace("localhost:8000", `127.0.0.1:${port}`));
  writeFileSync(path("doid.obo"), "format-version: 1.2\n\n[Term]\nid: D:1\nname: asthma\n");
  writeFileSync(path("RXNCONSO.RRF"), "1|ENG||||||1|1|1||RXNORM|IN|1|ibuprofen||N||\n");
  writeFileSync(
    path("sct2_Description_Snapshot-en.txt"),
    "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n" +
      "1\t20240101\t1\t9\t10\ten\t900000000000003001\tGout (disorder)\t900000000000448009\n" +
      "2\t20240101\t1\t9\t10\ten\t900000000000013009\tgout\t900000000000448009\n",
  );
  mkdirSync(path("notes"));
  const texts = [
    "asthma, treated with ibuprofen",
    "gout after fluconazole; no plague",
    "জ্বরে প্যারাসিটামল খাওয়া যায়।",
  ];
  const lines = texts.map((text) => JSON.stringify({ text }) + "\n");
  writeFileSync(path("notes/1.jsonl"), lines.join(""));
  try {
    const { code, stderr } = await run(label!);
    assert.is(code, 0, stderr);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  const report = JSON.parse(readFileSync(path("labelled/report.json"), "utf8"));
  const spans: { name: string; spans: number }[] = report.labelers;
  assert.equal(spans.map(({ name }) => name), yaml.match(/(?<=name: )\w+/g));
  for (const { name, spans: found } of spans) assert.ok(found > 0, `${name} found nothing`);
  const found = readFileSync(path("labelled/part-00000.jsonl"), "utf8").trim().split("\n")
    .map((line) => JSON.parse(line).entities.map((e: { text: string }) => e.text));
  for (const [i, term] of [[0, "asthma"], [0, "ibuprofen"], [1, "gout"]]) {
    assert.ok(found[i as number].includes(term), `${term} is not among ${found[i as number]}`);
  }
});

test(`edge-ner ${annotate!.args.join(" ")}`, async () => {
  writeFileSync(
    path("my-model.safetensors"),
    writePackage(await loadBundle(fixture("tiny-torchscript"))),
  );
  mkdirSync(path("corpus/deep"), { recursive: true });
  writeFileSync(path("corpus/deep/a.jsonl.gz"), gzipSync('{"text": "জ্বর"}\n'));
  const { code, stderr } = await run(annotate!);
  assert.is(code, 0, stderr);
  assert.match(readFileSync(path("annotated/part-00000.jsonl"), "utf8"), /"entities":/);
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = listen().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What Redis is called where it is installed. */
const REDIS = ["redis-server", "valkey-server"].find((name) =>
  spawnSync(name, ["--version"]).status === 0
);

test("the commands of the queue, on a Redis of its own, or by their names where there is none", async () => {
  assert.equal(queue.map(({ args: [name] }) => name), ["worker", "annotate", "status"]);
  if (REDIS === undefined) return console.log("no Redis here: the queue is left to test:queue");
  const [redis, metrics] = [await freePort(), await freePort()];
  /** A command with what is this machine's in the place of the page's. */
  const here = ({ args }: Call): string[] =>
    args.map((arg) =>
      arg.replace("10.0.0.7:6379", `127.0.0.1:${redis}`)
        .replace("/shared/", path("shared-")).replace(/^9464$/, String(metrics))
    );
  const server = spawn(REDIS, ["--port", String(redis), "--bind", "127.0.0.1", "--save", ""], {
    stdio: "ignore",
  });
  const [work, make, ask] = queue.map(here);
  const worker = start(work!, {}, path("."));
  const ended = [server, worker].map((child) => once(child, "exit"));
  worker.stdout.resume();
  worker.stderr.resume();
  try {
    const { code, stderr } = await cli(make!, { cwd: path(".") });
    assert.is(code, 0, stderr);
    assert.match(readFileSync(path("shared-annotated/part-00000.jsonl"), "utf8"), /"entities":/);
    const told = await fetch(`http://127.0.0.1:${metrics}/metrics`);
    assert.match(await told.text(), /^# TYPE edge_ner_/m);
    const status = await cli(ask!, { cwd: path(".") });
    assert.is(status.code, 0, status.stderr);
  } finally {
    worker.kill("SIGTERM");
    await ended[1];
    server.kill("SIGKILL");
    await ended[0];
  }
});

test.run();
