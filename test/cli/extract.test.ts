/**
 * `edge-ner extract` as its users run it.
 *
 * The model is a tiny one with random weights: what it finds means nothing, so these tests look at the
 * form of the output, at how it follows the input, and at how bad input is answered.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cli, fixture, scratch, start } from "./run.ts";

interface Found {
  text: string;
  entities: { type: string; text: string; start: number; end: number; score: number }[];
}

const TINY = fixture("tiny-torchscript");
const MODEL = ["--model", TINY];
const TEXT = "জ্বর ও ব্যথায় প্যারাসিটামল, ডায়াবেটিসে মেটফরমিন ও ইনসুলিন দেওয়া হয়।";
const path = scratch();

function parse(stdout: string): Found[] {
  assert.ok(stdout === "" || stdout.endsWith("\n"), "the last line ends");
  return stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

async function jsonl(args: string[], input?: string | Uint8Array): Promise<Found[]> {
  const run = await cli(["extract", ...MODEL, "--format", "jsonl", ...args], { input });
  assert.is(run.stderr, "");
  assert.is(run.code, 0);
  return parse(run.stdout);
}

test("--threads changes nothing but the time", async () => {
  const input = Array(500).fill(TEXT).join("\n");
  assert.equal(await jsonl(["--threads", "3"], input), await jsonl(["--threads", "1"], input));
});

test("jsonl: one object a document, with its fields in order", async () => {
  const [document, ...others] = await jsonl([TEXT]);
  assert.equal(others, []);
  assert.equal(Object.keys(document), ["text", "entities"]);
  assert.is(document.text, TEXT);
  assert.ok(document.entities.length > 0, "the tiny model finds something here");
  for (const entity of document.entities) {
    assert.equal(Object.keys(entity), ["type", "text", "start", "end", "score"]);
    assert.is(TEXT.slice(entity.start, entity.end), entity.text);
    assert.ok(entity.score >= 0 && entity.score <= 1);
  }
});

test("each argument is a document; -- ends the options", async () => {
  const found = await jsonl([TEXT, "", "x", "--", "-y"]);
  assert.equal(found.map(({ text }) => text), [TEXT, "", "x", "-y"]);
  assert.equal(found[1].entities, []);
});

const INPUTS: readonly (readonly [string, string, string[]])[] = [
  ["no input", "", []],
  ["one newline", "\n", [""]],
  ["no final newline", `${TEXT}\nx`, [TEXT, "x"]],
  ["a final newline", `${TEXT}\nx\n`, [TEXT, "x"]],
  ["empty lines", `\n${TEXT}\n\n\nx\n\n`, ["", TEXT, "", "", "x", ""]],
  ["CRLF", `${TEXT}\r\n\r\nx\r\n`, [TEXT, "", "x"]],
  ["a byte order mark", `\ufeff${TEXT}\n`, [TEXT]],
  ["brackets, quotes and control characters", '[a b] "\\\t\u0001\n', ['[a b] "\\\t\u0001']],
];

for (const [name, input, texts] of INPUTS) {
  test(`standard input, ${name}: one output line an input line`, async () => {
    assert.equal((await jsonl([], input)).map(({ text }) => text), texts);
    const plain = await cli(["extract", ...MODEL, "--format", "text"], { input });
    assert.is(plain.code, 0);
    assert.is(plain.stdout.split("\n").length - 1, texts.length);
  });
}

test("files are read in order, with standard input as -", async () => {
  writeFileSync(path("a.txt"), "one\ntwo");
  writeFileSync(path("b.txt"), "three\n");
  const args = ["--file", path("a.txt"), "-f", "-", "--file", path("b.txt")];
  const found = await jsonl(args, "middle\n");
  assert.equal(found.map(({ text }) => text), ["one", "two", "middle", "three"]);
});

test("batch size changes nothing", async () => {
  const input = Array.from({ length: 70 }, (_, i) => `${TEXT.slice(i % 30)} ${i}\n`).join("");
  const [one, some, all] = await Promise.all(
    ["1", "7", "4096"].map((n) => jsonl(["--batch", n], input)),
  );
  assert.is(one.length, 70);
  assert.equal(some, one);
  assert.equal(all, one);
});

test("--boundary and --sentences are those of the library", async () => {
  const [alone] = await jsonl([TEXT]), [words] = await jsonl(["--boundary", "word", TEXT]);
  assert.not.equal(words, alone);
  for (const { end } of words.entities) assert.not.match(TEXT.slice(end), /^[\p{L}\p{M}]/u);
  const two = `${TEXT} ${TEXT}`;
  const [both] = await jsonl(["--sentences", two]);
  const texts = alone.entities.map(({ text }) => text);
  assert.equal(both.entities.map(({ text }) => text), [...texts, ...texts]);
});

test("--min-score leaves out what is below, and only that", async () => {
  const [{ entities }] = await jsonl([TEXT]);
  const scores = entities.map(({ score }) => score).sort((a, b) => a - b);
  const limit = scores[scores.length >> 1];
  const [kept] = await jsonl(["--min-score", String(limit), TEXT]);
  assert.equal(kept.entities, entities.filter(({ score }) => score >= limit));
  assert.ok(kept.entities.length > 0);
});

test("--types, --offsets and --n-best are the library's, and the last two JSON's", async () => {
  const [{ entities }] = await jsonl([TEXT]), [{ type }] = entities;
  const [typed] = await jsonl([TEXT, "--types", type]);
  assert.equal(typed.entities, entities.filter((entity) => entity.type === type));
  const [bytes] = await jsonl([TEXT, "--offsets", "byte"]);
  const before = new TextEncoder().encode(TEXT.slice(0, entities[0].start));
  assert.is(bytes.entities[0].start, before.length);
  const args = ["extract", ...MODEL, "--format", "jsonl", "--n-best", "2", TEXT];
  const [{ readings, ...rest }] = parse((await cli(args)).stdout) as unknown as {
    readings: { probability: number; entities: unknown[] }[];
  }[];
  assert.equal(rest, { text: TEXT });
  assert.equal(readings[0].entities, entities);
  assert.ok(readings[1].probability <= readings[0].probability);
  for (const wrong of [["--n-best", "2"], ["--offsets", "byte"]]) {
    const run = await cli(["extract", ...MODEL, ...wrong, TEXT]);
    assert.is(run.code, 2);
    assert.match(run.stderr, /is for --format jsonl/);
  }
});

test("text: brackets in a pipe, colours with --color, and NO_COLOR and --no-color against it", async () => {
  const [{ entities }] = await jsonl(["--boundary", "grapheme", TEXT]);
  const { start, text, type } = entities[0];
  const bracketed = `${TEXT.slice(0, start)}[${text} ${type}]`;
  const run = (args: string[], env = {}): ReturnType<typeof cli> =>
    cli(["extract", ...MODEL, ...args, TEXT], { env });
  for (
    const [args, env, colour] of [
      [[], {}, false],
      [["--color"], {}, true],
      [["--color"], { NO_COLOR: "1" }, true],
      [[], { FORCE_COLOR: "1" }, true],
      [[], { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
      [["--no-color"], { FORCE_COLOR: "1" }, false],
    ] as const
  ) {
    const { code, stdout } = await run([...args], env);
    assert.is(code, 0);
    assert.is(stdout.includes("\x1b["), colour, `${args} ${JSON.stringify(env)}`);
    assert.is(stdout.startsWith(bracketed), !colour);
  }
});

test("invalid UTF-8 is replaced, said on stderr, and does not cost a line", async () => {
  const input = Uint8Array.of(0x61, 0xff, 0x0a, 0x62, 0x0a);
  const run = await cli(["extract", ...MODEL, "--format", "jsonl"], { input });
  assert.is(run.code, 0);
  assert.equal(parse(run.stdout).map(({ text }) => text), ["a\ufffd", "b"]);
  assert.match(run.stderr, /^edge-ner: warning: standard input, line 1: not UTF-8.*\n$/);
});

test("a reader that goes away ends the program quietly", async () => {
  const child = start(["extract", ...MODEL, "--format", "jsonl"]);
  let stderr = "";
  child.stderr.on("data", (chunk: Uint8Array) => stderr += new TextDecoder().decode(chunk));
  // Standard input stays open: the program must end because nobody reads, not because of its end.
  const feed = setInterval(() => child.stdin.write(`${TEXT}\n`.repeat(50)), 5);
  child.stdout.once("data", () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(feed);
  assert.is(stderr, "");
  assert.is(code, 0);
});

test("an answer comes before the input ends", async () => {
  const child = start(["extract", ...MODEL, "--format", "jsonl"]);
  child.stdin.write("x\n");
  const first = await new Promise<Uint8Array>((resolve) => child.stdout.once("data", resolve));
  assert.is(JSON.parse(new TextDecoder().decode(first)).text, "x");
  child.stdin.end();
  assert.is(await new Promise((resolve) => child.on("close", resolve)), 0);
});

writeFileSync(path("empty"), "");
writeFileSync(path("broken.safetensors"), Uint8Array.from({ length: 300 }, (_, i) => i * 7));
writeFileSync(path("text.txt"), "a\n");
mkdirSync(path("folder"), { recursive: true });

const REFUSED: readonly (readonly [string, string[], RegExp])[] = [
  ["a missing model", ["--model", "no-such-model", "x"], /no-such-model/],
  ["an empty model", ["--model", path("empty"), "x"], /./],
  ["a broken model", ["--model", path("broken.safetensors"), "x"], /./],
  ["a folder without a model", ["--model", path("folder"), "x"], /./],
  ["a missing file", [...MODEL, "--file", "no-such-file"], /no-such-file: no such file/],
  ["a folder as file", [...MODEL, "--file", path("folder")], /is a folder/],
  ["a bad second file", [...MODEL, "-f", path("text.txt"), "-f", "nope"], /nope: no such file/],
  ["text and file", [...MODEL, "--file", path("text.txt"), "x"], /not both/],
  ["stdin twice", [...MODEL, "-f", "-", "-f", "-"], /only once/],
  ["an unknown option", ["--formt", "text", "x"], /unknown option '--formt'.*--format/],
  ["an unknown format", ["--format", "xml", "x"], /xml.*text, jsonl/],
  ["an unknown boundary", ["--boundary", "line", "x"], /line.*model, grapheme, word/],
  ["an unknown backend", ["--backend", "gpu", "x"], /gpu.*int8, fp32, webgpu, auto, reference/],
  ["a score above 1", ["--min-score", "1.5", "x"], /from 0 to 1/],
  ["a score that is no number", ["--min-score", "high", "x"], /from 0 to 1/],
  ["an empty score", ["--min-score", "", "x"], /from 0 to 1/],
  ["batch 0", ["--batch", "0", "x"], /from 1 to 4096/],
  ["a fraction as batch", ["--batch", "1.5", "x"], /from 1 to 4096/],
  ["an option without its value", ["--model"], /argument missing/],
];

for (const [name, args, message] of REFUSED) {
  test(`refused with exit code 2 and one line: ${name}`, async () => {
    const { code, stdout, stderr } = await cli(["extract", ...args]);
    assert.is(stdout, "");
    assert.match(stderr, /^edge-ner: [^\n]+\n$/);
    assert.match(stderr, message);
    assert.not.match(stderr, /internal error/);
    assert.is(code, 2);
  });
}

test("EDGE_NER_DEBUG shows where an error came from", async () => {
  const { code, stderr } = await cli(["extract", "--file", "nope"], {
    env: { EDGE_NER_DEBUG: "1" },
  });
  assert.is(code, 2);
  assert.match(stderr, /\n\s+at /);
});

test.run();
