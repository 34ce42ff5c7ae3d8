/** Streams of texts, and documents in pieces: the entities of the whole. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Entity, InputError, Ner } from "../../mod.ts";
import { CONTEXT, SECTION } from "../../src/ner/document.ts";
import { shipped } from "../support.ts";

const folder = new URL("../fixtures/tiny-torchscript/", import.meta.url).pathname;
const ner = await Ner.load(folder, { kernels: [await shipped("baseline")] });

const WORDS = "Metformin 500mg twice a day পেটে ব্যথা হলে ডাক্তারকে জানান। হৃদরোগ, 😀 x\n\n y\tz".split(
  " ",
);

/** A text of some words, by a generator that is the same everywhere. */
function textOf(words: number, seed: number): string {
  let state = seed;
  const next = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
  return Array.from({ length: words }, () => WORDS[next(WORDS.length)]).join(" ");
}

/** A text in pieces of random lengths, which may fall between the halves of a character. */
function* piecesOf(text: string, seed: number): Generator<string> {
  let state = seed;
  for (let at = 0; at < text.length;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const length = 1 + (state >>> 8) % 3000;
    yield text.slice(at, at + length);
    at += length;
  }
}

async function documentOf(pieces: Iterable<string>): Promise<Entity[]> {
  return await Array.fromAsync(ner.extractDocument(pieces));
}

const placesOf = (found: readonly Entity[]) =>
  found.map(({ type, text, start, end }) => ({ type, text, start, end }));

test("a document that fits in a section gives what extract gives, scores and all", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 700 }), fc.nat(), async (words, seed) => {
      const text = textOf(words, seed);
      assert.ok(ner.tokenize(text).length <= SECTION + CONTEXT);
      assert.equal(await documentOf(piecesOf(text, seed)), await ner.extract(text));
    }),
    { numRuns: 12 },
  );
});

test("a longer one gives the entities of the whole, and their scores but for what lies far away", async () => {
  for (const seed of [1, 2]) {
    const text = textOf(6000, seed);
    assert.ok(ner.tokenize(text).length > 2 * (SECTION + CONTEXT));
    const whole = await ner.extract(text), found = await documentOf(piecesOf(text, seed));
    assert.equal(placesOf(found), placesOf(whole));
    // 256 tokens away the fixture's CRF has forgotten where it began to within rounding.
    found.forEach(({ score }, i) => assert.ok(Math.abs(score - whole[i].score) < 1e-9));
  }
});

test("memory does not grow with the document: text that was given is let go", async () => {
  // No piece is ever held: the source makes them anew, and counts how far it is ahead of what was given.
  let sent = 0, furthest = 0;
  const piece = textOf(500, 3);
  function* source(): Generator<string> {
    for (let i = 0; i < 40; i++) {
      sent += piece.length + 1;
      yield piece + " ";
    }
  }
  for await (const { start } of ner.extractDocument(source())) {
    furthest = Math.max(furthest, sent - start);
  }
  const tokens = ner.tokenize(piece).length;
  const units = (SECTION + 4 * CONTEXT) * piece.length / tokens + 4 * (1 << 13);
  assert.ok(furthest < units, `${furthest} code units behind, of ${sent}`);
});

test("text without a space between words is cut between characters", async () => {
  const found = await documentOf(piecesOf("😀".repeat(100_000), 5));
  assert.ok(Array.isArray(found));
});

test("a stream of texts gives the entities of each, from any kind of source", async () => {
  const texts = [textOf(10, 1), "", textOf(30, 2)];
  const want = await ner.extractBatch(texts);
  async function* later(): AsyncGenerator<string> {
    for (const text of texts) yield await Promise.resolve(text);
  }
  const stream = () =>
    new ReadableStream<string>({
      start(controller): void {
        for (const text of texts) controller.enqueue(text);
        controller.close();
      },
    });
  // As where streams cannot be iterated.
  const plain = stream();
  const bare = { getReader: () => plain.getReader() } as unknown as ReadableStream<string>;
  for (const source of [texts, new Set(texts), later(), stream(), bare]) {
    assert.equal(await Array.fromAsync(ner.extractStream(source)), want);
  }
});

test("a stream that is left early is cancelled; what is none is refused by name", async () => {
  let cancelled = false;
  const endless = new ReadableStream<string>({
    pull: (controller) => controller.enqueue("x"),
    cancel: () => void (cancelled = true),
  });
  for await (const _ of ner.extractStream(endless)) break;
  assert.ok(cancelled);
  for (const bad of ["a text", 3, null, [1], {}]) {
    for (const method of ["extractStream", "extractDocument"] as const) {
      // deno-lint-ignore no-explicit-any
      const error = await Array.fromAsync<unknown>(ner[method](bad as any)).catch((e) => e);
      assert.instance(error, InputError);
      assert.is(error.code, "input/type");
      assert.match(error.message, new RegExp(`^${method} takes`));
    }
  }
});

test.run();
