/** `edge-ner annotate` on one machine: what is read, what is written, and what a run that was stopped leaves. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gzipSync } from "node:zlib";
import { InputError } from "../../mod.ts";
import { annotateShard, Stopped } from "../../src/cli/corpus/annotate_shard.ts";
import { type Document, readDocuments } from "../../src/cli/corpus/documents.ts";
import { findInputs } from "../../src/cli/corpus/inputs.ts";
import { cutShards } from "../../src/cli/corpus/shards.ts";
import { cli, fixture, scratch } from "./run.ts";

const path = scratch();
const MODEL = ["--model", fixture("tiny-torchscript"), "--threads", "1"];

/** Documents of files, cut into shards of so many bytes. */
async function documentsOf(
  names: readonly string[],
  bytes: number,
  column = "text",
): Promise<Document[]> {
  const found: Document[] = [];
  for (const shard of cutShards(await findInputs(names), bytes)) {
    for await (const some of readDocuments(shard, column)) found.push(...some);
  }
  return found;
}

const texts = (documents: readonly Document[]): string[] =>
  documents.map(({ text, error }) => error === undefined ? text : `${error}: ${text}`);

test("each line belongs to one shard, wherever files are cut", async () => {
  const lines = ["জ্বর", "", "two", "a longer line than a shard", "x", "", "last without an end"];
  writeFileSync(path("cut.txt"), "\uFEFF" + lines.join("\r\n"));
  for (let bytes = 1; bytes < 80; bytes++) {
    assert.equal(texts(await documentsOf([path("cut.txt")], bytes)), lines, `${bytes}`);
  }
  const at = (await documentsOf([path("cut.txt")], 7)).map((document) => document.at);
  assert.equal(at.slice(0, 3), [0, 17, 19]);
});

test("JSON lines, tables and packed files; fields are kept, what is no document is told", async () => {
  writeFileSync(path("a.jsonl"), '{"id": 1, "text": "one"}\n\n{"text": 2}\n[]\n{"text"\n');
  assert.equal(texts(await documentsOf([path("a.jsonl")], 9)).map((text) => text.split(":")[0]), [
    "one",
    '"text" is missing or not a string',
    "not a JSON object",
    texts(await documentsOf([path("a.jsonl")], 1000))[3]!.split(":")[0],
  ]);
  writeFileSync(path("b.tsv"), "id\tnote\n7\tseven\n8\teight\tmore\n");
  const table = await documentsOf([path("b.tsv")], 5, "note");
  assert.equal(table[0], { at: 8, text: "seven", fields: { id: "7" } });
  assert.match(table[1]!.error!, "3 cells in a table of 2 columns");
  writeFileSync(path("c.txt.gz"), gzipSync("one\ntwo\n"));
  assert.equal(texts(await documentsOf([path("c.txt.gz")], 1)), ["one", "two"]);
  // "one\ntwo\n", by zstd 1.5.
  const zst = "28b52ffd0458410000" + "6f6e650a74776f0a" + "e6a60e40";
  writeFileSync(
    path("d.txt.zst"),
    Uint8Array.from(zst.match(/../g)!, (byte) => parseInt(byte, 16)),
  );
  assert.equal(texts(await documentsOf([path("d.txt.zst")], 1)), ["one", "two"]);
  writeFileSync(path("e.txt"), Uint8Array.from([0x61, 0x0a, 0xff, 0x0a, 0x62]));
  assert.equal(texts(await documentsOf([path("e.txt")], 1000)), ["a", "not UTF-8: \uFFFD", "b"]);
  writeFileSync(path("f.txt"), "a\n" + "x".repeat(17 << 20) + "\nb\n");
  const long = await documentsOf([path("f.txt")], 1 << 20);
  assert.equal(long.map(({ error }) => error), [undefined, "longer than 16 MiB", undefined]);
  assert.equal([long[1]!.text.length, long[2]!.text], [1024, "b"]);
});

test("inputs: folders, patterns, each file once, in order; others are refused", async () => {
  mkdirSync(path("corpus/deep"), { recursive: true });
  for (const name of ["b.txt", "a.jsonl", "deep/c.tsv.gz", "readme.md"]) {
    writeFileSync(path(`corpus/${name}`), "x");
  }
  const names = async (...args: string[]): Promise<string[]> =>
    (await findInputs(args.map(path))).map((input) => input.path.split("/corpus/")[1]!);
  assert.equal(await names("corpus"), ["a.jsonl", "b.txt", "deep/c.tsv.gz"]);
  assert.equal(await names("corpus/*.txt", "corpus/b.txt"), ["b.txt"]);
  for (const [name, message] of [["none", "no such file"], ["corpus/readme.md", "the name says"]]) {
    try {
      await names(name!);
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, message!);
    }
  }
});

test("a text that the library refuses is a dead letter; what is stopped leaves nothing", async () => {
  writeFileSync(path("g.txt"), "one\nbad\nthree\n");
  const [shard] = cutShards(await findInputs([path("g.txt")]), 1000);
  const ner = {
    extractBatch(batch: readonly string[]) {
      if (batch.includes("bad")) return Promise.reject(new InputError("input/type", "no."));
      return Promise.resolve(
        batch.map((text) => [{ type: "T", text, start: 0, end: text.length, score: 0.5 }]),
      );
    },
  };
  const job = { column: "text", minScore: 0 }, options = { batch: 8 };
  assert.equal(await annotateShard(ner, shard!, job, path("g"), options), {
    documents: 3,
    dead: 1,
  });
  const read = (name: string): string[] =>
    readFileSync(path(`g/${name}`), "utf8").trimEnd().split("\n");
  assert.equal(read("part-00000.jsonl").map((line) => JSON.parse(line).entities[0].text), [
    "one",
    "three",
  ]);
  const [letter] = read("dead-00000.jsonl").map((line) => JSON.parse(line));
  assert.equal([letter.at, letter.text, letter.error], [4, "bad", "no. (input/type)"]);
  const stopped = { ...options, signal: AbortSignal.abort() };
  try {
    await annotateShard(ner, shard!, job, path("h"), stopped);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Stopped);
  }
  assert.equal(readdirSync(path("h")), []);
});

test("the command: parts as extract prints them, gone on with where parts are missing", async () => {
  const words = ["জ্বর", "ibuprofen", "and", "মাথাব্যথা"];
  const lines = Array.from({ length: 60 }, (_, i) => `${words[i % 4]} ${words[(i * 7) % 3]} ${i}`);
  writeFileSync(path("i.txt"), lines.join("\n") + "\n");
  const args = ["annotate", path("i.txt"), ...MODEL, "-o", path("out"), "--shard", "400"];
  const first = await cli(args);
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /^60 documents, .* a second; 0 dead letters; \d+ parts/);
  const parts = readdirSync(path("out")).filter((name) => name.startsWith("part-")).sort();
  assert.ok(parts.length > 2);
  const content = (): string =>
    parts.map((name) => readFileSync(path(`out/${name}`), "utf8")).join("");
  const before = content();
  const extracted = await cli(["extract", "--file", path("i.txt"), "--format", "jsonl", ...MODEL]);
  assert.is(before, extracted.stdout);
  rmSync(path(`out/${parts[1]}`));
  const second = await cli(args);
  assert.match(second.stdout, /1 parts in/);
  assert.match(second.stderr, new RegExp(`${parts.length - 1} of ${parts.length} parts are there`));
  assert.is(content(), before);
  const other = await cli([...args, "--min-score", "0.5"]);
  assert.is(other.code, 2);
  assert.match(other.stderr, "has the output of another job");
  writeFileSync(path("j.txt.gz"), "no gzip");
  const damaged = await cli(["annotate", path("j.txt.gz"), ...MODEL, "-o", path("damaged")]);
  assert.is(damaged.code, 2);
  assert.match(damaged.stderr, "is damaged");
});

test("a full disk ends a run with a sentence, and leaves no part", async () => {
  // A file system of 64 kB needs a privilege that not every machine gives.
  const folder = path("full");
  mkdirSync(folder);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).status !== 0) return;
  try {
    writeFileSync(path("k.txt"), "ibuprofen and জ্বর\n".repeat(5000));
    const run = await cli(["annotate", path("k.txt"), ...MODEL, "-o", `${folder}/out`]);
    assert.is(run.code, 1, run.stderr);
    assert.match(run.stderr, "no space left");
    assert.equal(readdirSync(`${folder}/out`), ["job.json"]);
  } finally {
    spawnSync("umount", [folder]);
  }
});

test.run();
