/**
 * Every format that `extract` writes: what is read back has the same entities, and what is written keeps the format's
 * documented grammar, looked at here by other means than the library's readers.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Entity } from "../../mod.ts";
import { type OutputName, writerOf } from "../../src/cli/formats.ts";
import { readLabelled } from "../../src/cli/labelled.ts";
import { Progress } from "../../src/cli/progress.ts";
import { readLines } from "../../src/cli/lines.ts";
import { cli, fixture, scratch } from "./run.ts";

const path = scratch();

interface Document {
  readonly text: string;
  readonly entities: readonly Entity[];
}

function document(text: string, ...found: [type: string, text: string][]): Document {
  let from = 0;
  const entities = found.map(([type, own]) => {
    const start = text.indexOf(own, from), end = from = start + own.length;
    assert.ok(start >= 0);
    return { type, text: own, start, end, score: 0.5 };
  });
  return { text, entities };
}

const DOCUMENTS: readonly Document[] = [
  document("জ্বরের জন্য প্যারাসিটামল।", ["DIS", "জ্বর"], ["MED", "প্যারাসিটামল"]),
  document('😀 Take 5,000 IU (x-ray), "twice"; it\'s <b>&amp;</b>', ["DOSE", "5,000 IU"], [
    "MED",
    "x",
  ]),
  document("Metformin and insulin glargine", ["MED", "Metformin"], ["MED", "insulin glargine"]),
  document("nothing here"),
  document("touching", ["A", "touch"], ["A", "ing"]),
  document("# text = of a comment, =1+1", ["A", "# text"], ["B", "=1+1"]),
  document("-DOCSTART- is no line", ["A", "-DOCSTART-"]),
  document("\u{20000}\u{1F600} beyond\u0301 the plane", ["A", "beyond\u0301"]),
];
/** What lines and columns are made with, and what a terminal obeys. */
const UNRULY = document("one\ttwo \u001b[31mthree\u0007 four\u2028five\u0085", [
  "A",
  "two \u001b[31mthree",
], [
  "B",
  "five",
]);

async function written(name: OutputName, documents: readonly Document[]): Promise<string> {
  const base = path(name), writer = await writerOf(name, { types: ["A"], color: false, base });
  let out = writer.start;
  for (const [i, { text, entities }] of documents.entries()) {
    out += await writer.write(text, entities, i + 1);
  }
  await writer.finish?.();
  return out + writer.end;
}

type Place = readonly [type: string, start: number, end: number];
const places = (
  { entities }: Pick<Document, "entities"> | { entities: readonly Entity[] },
): Place[] => entities.map(({ type, start, end }) => [type, start, end]);

for (
  const [name, file] of [["jsonl", "a.jsonl"], ["conll", "a.conll"], ["csv", "a.csv"]] as const
) {
  test(`${name}: read back, the same entities at the same places`, async () => {
    const all = [...DOCUMENTS, UNRULY];
    writeFileSync(path(file), await written(name, all));
    const read = readLabelled(path(file));
    assert.is(read.length, all.length);
    all.forEach((one, i) => {
      assert.equal(read[i].entities.map(({ type, start, end }) => [type, start, end]), places(one));
      assert.is(read[i].text.length, one.text.length);
      if (one !== UNRULY) assert.is(read[i].text, one.text);
    });
  });
}

test("brat: two files, offsets in characters; read back, the same entities", async () => {
  assert.is(await written("brat", [...DOCUMENTS, UNRULY]), "");
  const text = [...readFileSync(path("brat.txt"), "utf8")];
  const rows = readFileSync(path("brat.ann"), "utf8").trimEnd().split("\n");
  rows.forEach((row, i) => {
    // The grammar of brat's page on its standoff format.
    const [, id, , from, to, own] = /^(T\d+)\t(\S+) (\d+) (\d+)\t([^\t]+)$/.exec(row)!;
    assert.is(id, `T${i + 1}`);
    assert.is(text.slice(Number(from), Number(to)).join(""), own);
  });
  const read = readLabelled(path("brat.ann"));
  assert.equal(
    read.map(({ entities }) => entities.map(({ type, start, end }) => [type, start, end])),
    [...DOCUMENTS, UNRULY].map(places),
  );
});

test("conll and bio: conllu, NLTK and seqeval find the same entities in what is written", async () => {
  const committed = (name: string): string =>
    readFileSync(new URL(`fixtures/readers/${name}`, import.meta.url), "utf8");
  // What tools/fixtures/readers_reference.py had them read.
  assert.is(await written("conll", DOCUMENTS), committed("notes.conll"));
  assert.is(await written("bio", DOCUMENTS), committed("notes.bio"));
  const bare = (text: string): string => text.replace(/\s/g, "");
  const { conllu, nltk } = JSON.parse(committed("readers.json"));
  const own = DOCUMENTS.map(({ entities }) => entities.map(({ type, text }) => [type, bare(text)]));
  assert.equal(conllu.map(({ text }: { text: string }) => text), DOCUMENTS.map(({ text }) => text));
  assert.equal(conllu.map(({ entities }: { entities: unknown }) => entities), own);
  assert.equal(nltk, own);
});

test("bio: a token and a tag in a line; read back, the same entities among the same words", async () => {
  const out = await written("bio", DOCUMENTS);
  for (const line of out.split("\n")) assert.match(line, /^$|^[^\s]+\t(O|[BI]-\S+)$/);
  writeFileSync(path("a.bio"), out);
  const bare = (text: string): string => text.replace(/\s/g, "");
  assert.equal(
    readLabelled(path("a.bio")).map(({ text, entities }) => [
      bare(text),
      entities.map(({ type, start, end }) => [type, bare(text.slice(start, end))]),
    ]),
    DOCUMENTS.map(({ text, entities }) => [
      bare(text),
      entities.map(({ type, text }) => [type, bare(text)]),
    ]),
  );
});

test("conll: CoNLL-U Plus, whose tokens and spaces make up its texts", async () => {
  const [first, ...lines] = (await written("conll", DOCUMENTS)).split("\n");
  assert.is(first, "# global.columns = ID FORM NER MISC");
  const sentences = lines.join("\n").trimEnd().split("\n\n");
  sentences.forEach((sentence, i) => {
    const [comment, ...rows] = sentence.split("\n");
    const spelt = rows.map((row) => {
      const [, form, , misc] = row.split("\t");
      return form + (misc === "SpaceAfter=No" ? "" : " ");
    }).join("");
    assert.is(comment, `# text = ${DOCUMENTS[i].text}`);
    assert.is(spelt.trimEnd(), DOCUMENTS[i].text);
  });
});

test("csv: a table to any reader of RFC 4180", async () => {
  const rows = parse(await written("csv", DOCUMENTS), { columns: true }) as Record<
    string,
    string
  >[];
  const [first] = rows;
  assert.equal(Object.keys(first), ["document", "text", "type", "entity", "start", "end", "score"]);
  assert.equal(
    rows.filter(({ type }) => type !== "").map((
      { document, entity },
    ) => [Number(document), entity]),
    DOCUMENTS.flatMap(({ entities }, i) => entities.map(({ text }) => [i + 1, text])),
  );
});

test("html: escaped, marked, and without what a browser would run or fetch", async () => {
  const html = await written("html", [...DOCUMENTS, document("<script>alert(1)</script>")]);
  assert.not.match(html, /<script|https?:/);
  const marks = [...html.matchAll(/<mark[^>]*>([^<]*)<small>([^<]*)<\/small><\/mark>/g)];
  const unescape = (text: string): string =>
    text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&amp;/g, "&");
  assert.equal(
    marks.map(([, text, type]) => [type, unescape(text)]),
    DOCUMENTS.flatMap(({ entities }) => entities.map(({ type, text }) => [type, text])),
  );
});

test("no file has a control character of a text: JSON escapes it, the others show pictures", async () => {
  for (const name of ["jsonl", "conll", "bio", "csv", "html", "brat"] as const) {
    let out = await written(name, [UNRULY]);
    if (name === "brat") {
      out += readFileSync(path("brat.txt")) + String(readFileSync(path("brat.ann")));
    }
    // deno-lint-ignore no-control-regex
    const found = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/.exec(out);
    assert.is(found, null, name);
  }
});

test("a type that a format cannot say is refused", async () => {
  for (const name of ["conll", "bio", "brat"] as const) {
    const odd = document("a b", ["two words", "a"]);
    const error = await written(name, [odd]).then(() => undefined, (error) => error);
    assert.is(error?.code, "input/labels", name);
  }
});

test("brat's slips are named", () => {
  writeFileSync(path("slip.txt"), "one\ntwo three\n");
  const read = (ann: string): unknown => {
    writeFileSync(path("slip.ann"), ann);
    return readLabelled(path("slip.ann")).map(({ entities }) => entities);
  };
  assert.equal(read("#1\tnote\nT1\tA 4 7\ttwo\n"), [[], [{ type: "A", start: 0, end: 3 }]]);
  for (
    const [ann, message] of [
      ["T1\tA 0 3\ttwo\n", /line 1: .* reads "one"/],
      ["T1\tA 0 3;4 7\tone two\n", /in several parts/],
      ["T1\tA 0 7\tone\ntwo\n", /line 1: .* reads|over the end of a line/],
      ["T1\tA 0 99\tone\n", /has 14 characters/],
      ["T1 A 0 3 one\n", /is no entity/],
    ] as const
  ) {
    assert.throws(() => read(ann), message);
  }
});

test("the time left is told by what is done, byte by byte of the input", async () => {
  const content = "\ufeffশুরু\r\n\r\nend\nlast", encoded = new TextEncoder().encode(content);
  let sum = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield encoded.subarray(0, 7);
    yield encoded.subarray(7);
  }
  for await (const lines of readLines(chunks(), "in", () => {})) {
    for (const { bytes } of lines) sum += bytes;
  }
  // The last line lacks its end, which is counted.
  assert.is(sum, encoded.length + 1);
  const left = (done: number, seconds: number): number =>
    Math.round(1000 * Progress.left(done, 100, seconds)) / 1000;
  assert.equal([10, 50, 99, 100].map((done) => left(done, done / 10)), [9, 5, 0.1, 0]);
});

test("as commands: documents of one format to another, and a score of what was found", async () => {
  const model = ["--model", fixture("tiny-torchscript")];
  const text = DOCUMENTS.map(({ text }) => JSON.stringify({ text })).join("\n");
  writeFileSync(path("in.jsonl"), text);
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(args);
    assert.is(code, 0, stderr);
    return stdout;
  };
  const from = ["extract", ...model, "--file"];
  writeFileSync(
    path("out.conll"),
    await run(...from, path("in.jsonl"), "--input", "jsonl", "--format", "conll"),
  );
  await run(...from, path("out.conll"), "--input", "conll", "--format", "brat", "-o", path("out"));
  for (const file of ["out.conll", "out.ann"]) {
    const { micro, documents } = JSON.parse(await run("eval", path(file), ...model, "--json"));
    assert.equal([documents, micro.f1], [DOCUMENTS.length, 1], file);
  }
  const again = await cli([...from, path("in.jsonl"), "--format", "brat", "-o", path("out")]);
  assert.is(again.code, 2);
  assert.match(again.stderr, /out\.txt: exists already/);
});

test.run();
