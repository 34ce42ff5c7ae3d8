/** `edge-ner label`: a file of labelers in, labels, posteriors and a report out; and what a wrong file is told. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { labelSchema, readLabelConfig } from "../../src/cli/label_config.ts";
import { cli, scratch } from "./run.ts";

const path = scratch();

function messageOf(yaml: string): string {
  writeFileSync(path("wrong.yaml"), yaml);
  try {
    readLabelConfig(path("wrong.yaml"));
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test("a wrong file is told which field is wrong, of the labeler that was meant", () => {
  const good = `
input: [a.jsonl]
output: out
combine: { method: hmm }
labelers:
  - { name: list, kind: dictionary, format: table, files: [x.tsv], type: T }
  - { name: rules, kind: regex, patterns: [{ pattern: x, type: T }] }
`;
  assert.is(messageOf(good), "");
  assert.match(messageOf(good.replace("hmm", "best")), /combine\.method/);
  assert.match(messageOf(good.replace("files: [x.tsv], ", "")), /labelers\.0\.files/);
  assert.match(messageOf(good.replace("x.tsv], type", "x.tsv], typ")), /labelers\.0.*typ/);
  assert.match(messageOf(good.replace("rules", "list")), /two labelers are called list/);
  assert.match(messageOf("input: ["), /neither YAML nor JSON/);
  assert.match(JSON.stringify(labelSchema()), /"additionalProperties":false/);
});

test("lists, rules and a language model label a corpus; a second run asks and writes the same", async () => {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    request.resume();
    const content = JSON.stringify({
      entities: [{ type: "DIS", quote: "fever" }, { type: "DIS", quote: "plague" }],
    });
    response.end(
      JSON.stringify({ choices: [{ message: { content } }], usage: { total_tokens: 10 } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    writeFileSync(path("drugs.tsv"), "1\tibuprofen\n2\tparacetamol\n");
    const gold = (type: string, start: number, end: number) => ({ type, start, end });
    writeFileSync(
      path("notes.jsonl"),
      [
        {
          id: 1,
          text: "Ibuprofen 200 mg for fever",
          entities: [gold("MED", 0, 9), gold("DIS", 21, 26)],
        },
        {
          id: 2,
          text: "no fever, paracetamol",
          entities: [gold("DIS", 3, 8), gold("MED", 10, 21)],
        },
        { id: 3 },
      ].map((each) => JSON.stringify(each)).join("\n"),
    );
    writeFileSync(
      path("label.yaml"),
      `
input: [notes.jsonl]
output: labelled
posteriors: true
labelers:
  - { name: drugs, kind: dictionary, format: table, files: [drugs.tsv], type: MED }
  - { name: doses, kind: regex, patterns: [{ pattern: '(\\d+ mg)', type: DOSE }] }
  - { name: llm, kind: llm, url: 'http://127.0.0.1:${port}', model: m, types: { DIS: a disease } }
combine: { method: hmm }
`,
    );
    const first = await cli(["label", path("label.yaml")]);
    assert.is(first.code, 0, first.stderr);
    const read = (name: string): string => readFileSync(path(`labelled/${name}`), "utf8");
    const [one, two] = read("part-00000.jsonl").trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.equal(one.entities.map((e: { type: string; text: string }) => [e.type, e.text]), [
      ["MED", "Ibuprofen"],
      ["DOSE", "200 mg"],
      ["DIS", "fever"],
    ]);
    assert.equal([one.id, two.id, two.entities.length], [1, 2, 2]);
    const soft = JSON.parse(read("posteriors-00000.jsonl").split("\n")[0]!);
    assert.equal(soft.labels, ["O", "B-DIS", "I-DIS", "B-DOSE", "I-DOSE", "B-MED", "I-MED"]);
    assert.is(soft.posteriors.length, soft.starts.length);
    for (const row of soft.posteriors) {
      assert.ok(Math.abs(row.reduce((a: number, b: number) => a + b) - 1) < 1e-4);
    }
    assert.match(read("dead-00000.jsonl"), /\\"id\\":3/);
    const report = JSON.parse(read("report.json"));
    assert.equal([report.texts, report.labelers[0].scores.micro.f1, report.llms[0].notFound], [
      2,
      1,
      2,
    ]);
    assert.is(asked, 2);
    const before = read("part-00000.jsonl");
    rmSync(path("labelled/votes-00000.jsonl"));
    const second = await cli(["label", path("label.yaml")]);
    assert.is(second.code, 0, second.stderr);
    assert.is(read("part-00000.jsonl"), before);
    assert.is(asked, 2, "answers are kept");
    assert.match(second.stdout, /2 kept from before/);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test.run();
