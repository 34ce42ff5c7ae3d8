/**
 * `edge-ner extract --input jsonl`: what it prints, and what annotation tools do, read again.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { documentsOf, type LineInput } from "../../src/cli/documents.ts";
import type { Line } from "../../src/cli/lines.ts";
import { cli, fixture } from "./run.ts";

const MODEL = ["--model", fixture("tiny-torchscript"), "--format", "jsonl"];

async function read(input: LineInput, ...lines: string[]): Promise<string[]> {
  async function* source(): AsyncGenerator<Line[]> {
    yield lines.map((text, i) => ({ text, number: i + 1, bytes: text.length + 1 }));
  }
  const texts: string[] = [];
  for await (const some of documentsOf(source(), input, "in")) {
    texts.push(...some.map(({ text }) => text));
  }
  return texts;
}

test("a line is a text, or an object whose text is read and whose other fields are not", async () => {
  assert.equal(await read("text", '{"text": "a"}', ""), ['{"text": "a"}', ""]);
  assert.equal(await read("jsonl", '{"id": 1, "text": "a\\nb"}', '{"text": "", "spans": 3}'), [
    "a\nb",
    "",
  ]);
});

test("a line without a text is refused, and named", async () => {
  for (const line of ["", "x", "null", "[]", '"a"', '{"text": 1}', '{"txt": "a"}']) {
    const error = await read("jsonl", '{"text": "a"}', line).catch((error: Error) => error);
    assert.match((error as Error).message, /^in, line 2: /, line);
  }
});

test("arguments are texts: --input jsonl beside them is refused", async () => {
  const { code, stderr } = await cli(["extract", ...MODEL, "--input", "jsonl", '{"text": "a"}']);
  assert.is(code, 2);
  assert.match(stderr, /--input/);
});

test("what extract prints, read again, gives the same", async () => {
  const texts = ["জ্বর ও ব্যথায় প্যারাসিটামল", "", "a\tb"];
  const first = await cli(["extract", ...MODEL], { input: texts.join("\n") + "\n" });
  const again = await cli(["extract", ...MODEL, "--input", "jsonl"], { input: first.stdout });
  assert.is(again.code, 0, again.stderr);
  assert.is(again.stdout, first.stdout);
});

test.run();
