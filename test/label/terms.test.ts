/** Lists of terms: their readers, the index, and where terms are found in a text. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  dictionaryLabeler,
  type DictionaryOptions,
  ENDINGS,
  readObo,
  readRxNorm,
  readSnomed,
  readTable,
  regexLabeler,
  type Term,
  TermIndex,
  type Terms,
} from "../../label.ts";
import { NerError } from "../../src/errors.ts";
import { random } from "../support.ts";

async function all(terms: Terms): Promise<string[]> {
  const found: string[] = [];
  for await (const { text, type } of terms) found.push(`${type}:${text}`);
  return found;
}

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert.instance(error, NerError);
    return `${(error as NerError).code} ${(error as Error).message}`;
  }
  throw new Error("nothing was refused");
}

/** What a dictionary finds, as `type:the characters of the text`. */
async function found(
  terms: readonly (string | Term)[],
  text: string,
  options: Partial<DictionaryOptions> = {},
): Promise<string[]> {
  const index = await TermIndex.from(
    terms.map((term) => typeof term === "string" ? { text: term, type: "T" } : term),
  );
  const [spans] = await dictionaryLabeler(index, { name: "list", ...options }).label([text]);
  return spans!.map(({ type, start, end }) => `${type}:${text.slice(start, end)}`);
}

test("tables: the last column, a named one, types from a column, several terms in a cell, quotes", async () => {
  const tsv = ["\uFEFFD:1\tasthma", "", "D:2\tgout "];
  assert.equal(await all(readTable(tsv, "x", { type: "D" })), ["D:asthma", "D:gout"]);
  const csv = ["name,kind", '"gout, acute",DIS', '"two', 'lines",DIS', "a + b,MED"];
  const options = { separator: "comma", column: "name", typeColumn: "kind", split: "+" } as const;
  assert.equal(await all(readTable(csv, "x", options)), [
    "DIS:gout, acute",
    "DIS:two\nlines",
    "MED:a",
    "MED:b",
  ]);
  const missing = () => all(readTable(["a\tb", "c"], "x.tsv", { type: "D", column: 2 }));
  assert.match(
    await refusal(missing),
    /^label\/terms x\.tsv, line 2: there is no column 2 among 1/,
  );
  assert.match(await refusal(() => all(readTable(csv, "x", {}))), /^input\/option/);
  const open = () => all(readTable(['"a'], "x", { ...options, type: "D", typeColumn: undefined }));
  assert.match(await refusal(open), /does not end/);
});

test("OBO: names and exact synonyms of terms that are not obsolete", async () => {
  const obo = `format-version: 1.2
default-namespace: disease

[Term]
id: X:1
name: asthma
synonym: "bronchial \\"asthma\\"\\, so to say" EXACT [MSH:1]
synonym: "wheezing" RELATED []

[Term]
id: X:2
name: old name
is_obsolete: true

[Typedef]
id: part_of
name: part of

[Term]
id: X:3
namespace: symptom
name: fever ! not the value
`.split("\n");
  assert.equal(await all(readObo(obo, "x", { type: "D" })), [
    "D:asthma",
    'D:bronchial "asthma", so to say',
    "D:fever",
  ]);
  const some = { type: "D", namespaces: ["disease"], scopes: ["RELATED"] as const };
  assert.equal(await all(readObo(obo, "x", some)), ["D:asthma", "D:wheezing"]);
  assert.match(await refusal(() => all(readObo(["[Term]", "nothing"], "x", some))), /x, line 2/);
});

test("RxNorm: ingredients and brands of its own, not suppressed", async () => {
  const line = (
    text: string,
    termType: string,
    { source = "RXNORM", suppress = "N" } = {},
  ): string => `1|ENG||||||1|1|1||${source}|${termType}|1|${text}||${suppress}||`;
  const lines = [
    line("ibuprofen", "IN"),
    line("Advil", "BN"),
    line("ibuprofen 200 MG Oral Tablet", "SCD"),
    line("Old", "BN", { suppress: "O" }),
    line("Elsewhere", "IN", { source: "DRUGBANK" }),
  ];
  assert.equal(await all(readRxNorm(lines, "x", { type: "MED" })), ["MED:ibuprofen", "MED:Advil"]);
  assert.match(
    await refusal(() => all(readRxNorm(["1|2|"], "x", { type: "MED" }))),
    /has 2 fields/,
  );
});

test("SNOMED: active names in the snapshot, typed by the tag of the fully specified one", async () => {
  const header =
    "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId";
  const line = (id: number, active: number, concept: number, kind: string, term: string): string =>
    `${id}\t20240101\t${active}\t9\t${concept}\ten\t${kind}\t${term}\t900000000000448009`;
  const full = "900000000000003001", synonym = "900000000000013009";
  const lines = [
    header,
    line(1, 1, 10, synonym, "Wheezy chest"),
    line(2, 1, 10, full, "Asthma (disorder)"),
    line(3, 1, 11, full, "Chair (physical object)"),
    line(4, 1, 11, synonym, "Seat"),
    line(5, 0, 10, synonym, "Not any more"),
  ];
  const tags = { disorder: "DIS" };
  assert.equal(await all(readSnomed(lines, "x", { tags })), ["DIS:Wheezy chest", "DIS:Asthma"]);
  const twice = () => all(readSnomed([...lines, lines[1]!], "x", { tags }));
  assert.match(await refusal(twice), /there twice; a Snapshot is expected/);
});

test("the longest term at words' ends, folded, with places in the caller's text", async () => {
  assert.equal(await found(["gout", "acute gout"], "Acute  GOUT, goutish."), ["T:Acute  GOUT"]);
  assert.equal(await found(["beta-blocker"], "a beta\u2010blocker"), ["T:beta\u2010blocker"]);
  assert.equal(await found(["fi"], "😀 ﬁ."), ["T:ﬁ"]);
  // The same letter as one character and as two.
  assert.equal(await found(["হৃদয়"], "হৃদ\u09DF"), ["T:হৃদ\u09DF"]);
  assert.equal(await found(["ALL", "Gout"], "All had gout; ALL."), ["T:gout", "T:ALL"]);
  assert.equal(await found(["a\u0301b", "(+)-x"], "á b áb (+)-x"), ["T:áb", "T:(+)-x"]);
});

test("inflected forms: the term or the word, before an ending and nothing else", async () => {
  const endings = ENDINGS["Bengali"]!;
  assert.equal(await found(["জ্বর"], "জ্বরের জ্বরটিx জ্বর", { endings }), ["T:জ্বর", "T:জ্বর"]);
  assert.equal(await found(["জ্বর"], "জ্বরের সময়", { endings, span: "word" }), ["T:জ্বরের"]);
  assert.equal(await found(["জ্বর"], "জ্বরের"), []);
});

test("an index agrees with a search through all terms, on random strings", async () => {
  const next = random(7), letters = "ab é-";
  const word = (most: number): string =>
    Array.from({ length: 1 + Math.floor(next() * most) }, () => letters[Math.floor(next() * 5)])
      .join("");
  for (let round = 0; round < 200; round++) {
    const terms = [...new Set(Array.from({ length: 12 }, () => word(5)))].filter((term) =>
      term.trim() === term && term.length > 1 && !term.includes("  ")
    );
    if (terms.length === 0) continue;
    const text = word(40).replace(/ +/g, " "), expected: string[] = [];
    const inside = (at: number): boolean =>
      /^[a-zé]{2}$/.test(text.slice(at - 1, at + 1)) && at > 0;
    for (let at = 0; at < text.length;) {
      const best = terms.filter((term) =>
        text.startsWith(term, at) && !inside(at) && !inside(at + term.length)
      ).sort((a, b) =>
        b.length - a.length
      )[0];
      if (best !== undefined) expected.push(`T:${best}`);
      at += best?.length ?? 1;
    }
    assert.equal(await found(terms, text), expected, `${JSON.stringify(terms)} in ${text}`);
  }
});

test("a term under two types is the first's, and counted; no term at all is refused", async () => {
  const index = await TermIndex.from([{ text: "x1", type: "A" }, { text: "X1 ", type: "B" }]);
  assert.equal([index.size, index.ambiguous, index.types], [1, 1, ["A", "B"]]);
  assert.match(await refusal(() => TermIndex.from([])), /^input\/data/);
});

test("expressions: groups, case, overlaps, and no time lost on a hostile one", async () => {
  const labeler = regexLabeler("rules", [
    { type: "DOSE", pattern: "(?P<n>\\d+) ?mg", group: "n", ignoreCase: true },
    { type: "LONG", pattern: "\\d+ MG daily", confidence: 0.5 },
    { type: "HOSTILE", pattern: "(a+)+$" },
  ]);
  const text = `😀 20 MG daily ${"a".repeat(20_000)}!`;
  const [spans] = await labeler.label([text]);
  assert.equal(spans, [{ type: "DOSE", start: 3, end: 5, confidence: 1 }]);
  assert.match(
    await refusal(() => regexLabeler("r", [{ type: "X", pattern: "(?=a)" }])),
    /^input\/option r, pattern 1/,
  );
  assert.match(
    await refusal(() => regexLabeler("r", [{ type: "X", pattern: "a", group: 2 }])),
    /no group 2/,
  );
});

test.run();
