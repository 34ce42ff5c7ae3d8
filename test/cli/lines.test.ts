/**
 * Reading documents, one a line, however the bytes arrive.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { MAX_LINE_BYTES, readLines } from "../../src/cli/lines.ts";

interface Result {
  texts: string[];
  numbers: number[];
  warnings: string[];
}

async function read(...chunks: (string | number[] | Uint8Array)[]): Promise<Result> {
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (const c of chunks) {
      yield typeof c === "string" ? new TextEncoder().encode(c) : Uint8Array.from(c);
    }
  }
  const result: Result = { texts: [], numbers: [], warnings: [] };
  for await (const lines of readLines(stream(), "input", (w) => result.warnings.push(w))) {
    for (const { text, number } of lines) {
      result.texts.push(text);
      result.numbers.push(number);
    }
  }
  return result;
}

const CASES: readonly (readonly [string, string[]])[] = [
  ["", []],
  ["\n", [""]],
  ["a", ["a"]],
  ["a\n", ["a"]],
  ["a\nb", ["a", "b"]],
  ["a\n\n", ["a", ""]],
  ["\n\nক\n", ["", "", "ক"]],
  ["a\r\nb\r\n", ["a", "b"]],
  ["a\r\n\r\nb", ["a", "", "b"]],
  ["a\rb\n", ["a\rb"]],
  ["a\u2028b\u0085c\n", ["a\u2028b\u0085c"]],
  ["\ufeffa\n\ufeffb\n", ["a", "\ufeffb"]],
  ["\u0000\n", ["\u0000"]],
];

for (const [input, expected] of CASES) {
  test(`lines of ${JSON.stringify(input)}`, async () => {
    const { texts, numbers, warnings } = await read(input);
    assert.equal(texts, expected);
    assert.equal(numbers, expected.map((_, i) => i + 1));
    assert.equal(warnings, []);
  });
}

test("how the bytes are cut into chunks does not matter", async () => {
  const pieces = fc.constantFrom("\n", "\r\n", "\r", "প্যা", "রাসি", "x", " ", "\ufeff", "😀");
  await fc.assert(fc.asyncProperty(
    fc.array(pieces, { maxLength: 40 }),
    fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 10 }),
    async (parts, sizes) => {
      const bytes = new TextEncoder().encode(parts.join(""));
      const chunks: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length];
        chunks.push(bytes.slice(at, at + size));
        at += size;
      }
      assert.equal((await read(...chunks)).texts, (await read(bytes)).texts);
    },
  ));
});

test("a stream may reuse its buffer", async () => {
  const buffer = new Uint8Array(2);
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (const text of ["ab", "cd", "\nx"]) {
      new TextEncoder().encodeInto(text, buffer);
      yield buffer;
    }
  }
  const texts: string[] = [];
  for await (const lines of readLines(stream(), "input", () => {})) {
    texts.push(...lines.map((line) => line.text));
  }
  assert.equal(texts, ["abcd", "x"]);
});

test("lines come as soon as they are complete", async () => {
  const seen: string[] = [];
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode("one\ntw");
    seen.push("asked again");
    yield new TextEncoder().encode("o\n");
  }
  for await (const lines of readLines(stream(), "input", () => {})) {
    seen.push(...lines.map((line) => line.text));
  }
  assert.equal(seen, ["one", "asked again", "two"]);
});

test("bytes that are not UTF-8 are replaced and reported once, with a count at the end", async () => {
  const bad = [0x61, 0xff, 0x0a];
  const one = await read("ok\n", bad);
  assert.equal(one.texts, ["ok", "a\ufffd"]);
  assert.equal(one.warnings.length, 1);
  assert.match(one.warnings[0], /input, line 2/);
  const many = await read(bad, bad, bad);
  assert.equal(many.warnings.length, 2);
  assert.match(many.warnings[1], /3 lines/);
});

test("a character cut by the end of the input is replaced, too", async () => {
  const { texts, warnings } = await read([0xe0, 0xa6]);
  assert.equal(texts, ["\ufffd"]);
  assert.equal(warnings.length, 1);
});

test("UTF-16 is refused with advice", async () => {
  for (const mark of [[0xff, 0xfe], [0xfe, 0xff]]) {
    try {
      await read([...mark, 0x61, 0x00, 0x0a, 0x00]);
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, /input is UTF-16.*iconv/);
    }
  }
});

test("a line without end is refused before it fills the memory", async () => {
  const chunk = new Uint8Array(MAX_LINE_BYTES / 4).fill(0x61);
  let pulled = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      pulled++;
      yield chunk;
    }
  }
  try {
    for await (const _ of readLines(endless(), "input", () => {}));
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /input, line 1 is over 16 MiB/);
  }
  assert.is(pulled, 5);
});

test.run();
