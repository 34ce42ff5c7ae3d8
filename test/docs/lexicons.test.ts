/**
 * docs/lexicons.md: its program and its commands, on a tiny model and with lists that are made up here.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner } from "../../mod.ts";
import { cli, fixture, scratch } from "../cli/run.ts";

const page = readFileSync(new URL("../../docs/lexicons.md", import.meta.url), "utf8");
const [, call] = /^await ner\.extract\(([^]*?)^}\);$/m.exec(page)!;
const commands = [...page.matchAll(/^edge-ner (.*)$/gm)].map(([, line]) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
);
const TINY = fixture("tiny-torchscript"), path = scratch(), folder = path(".");
writeFileSync(path("drugs.txt"), "নাপা\nসেকলো\n");
writeFileSync(path("not-names.txt"), "রোগ\n");
writeFileSync(path("brands.txt"), "নাপা\n");

test("the page's call", async () => {
  const [text, options] = JSON.parse(
    `[${call.replace(/(\w+):/g, '"$1":')}}]`.replace(/,(\s*[\]}])/g, "$1"),
  );
  const ner = await Ner.load(TINY);
  const plain = await ner.probabilities(text), view = await ner.withLexicon(options);
  const columns = ["B-MED", "I-MED"].map((label) => plain.labels.indexOf(label));
  /** How much the text's tokens are of the list's type. */
  const sum = (data: Float32Array): number =>
    data.reduce((all, p, i) => columns.includes(i % plain.labels.length) ? all + p : all, 0);
  assert.ok(sum((await view.probabilities(text)).data) > sum(plain.data) + 0.01);
  assert.ok(Array.isArray(await ner.extract(text, options)));
  view.close();
  ner.close();
});

test("the page's commands", async () => {
  const [extract, convert] = commands;
  const found = await cli([...extract, "--model", TINY], { cwd: folder });
  assert.is(found.code, 0, found.stderr);
  const made = await cli(["convert", TINY, ...convert.slice(2)], { cwd: folder });
  assert.is(made.code, 0, made.stderr);
  assert.match(made.stdout, /own terms +\S* +16 B/);
});

test("a packed list does what the same list does beside the model", async () => {
  const text = "নাপা খান, নাপাও ভালো।", lists = ["--always", "BRAND=brands.txt"];
  const run = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(args, { cwd: folder });
    assert.is(code, 0, stderr);
    return stdout;
  };
  await run(["convert", TINY, ...lists, "-o", "brands.safetensors"]);
  const beside = await run(["extract", "--model", TINY, ...lists, "--format", "jsonl", text]);
  assert.is(
    JSON.parse(beside).entities.filter(({ type }: { type: string }) => type === "BRAND").length,
    2,
  );
  // int8, as the package is.
  assert.is(
    await run(["extract", "--model", "brands.safetensors", "--format", "jsonl", text]),
    beside,
  );
  const { code, stderr } = await cli(["export", "brands.safetensors", "-o", "out"], {
    cwd: folder,
  });
  assert.is(code, 2);
  assert.match(stderr, /no place for the 1 lists of terms/);
});

test("a list that is not there, or of a type that the model has not, is refused", async () => {
  const refused = async (args: string[], message: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await cli(["extract", "--model", TINY, ...args, "x"], {
      cwd: folder,
    });
    assert.is(code, 2);
    assert.is(stdout, "");
    assert.match(stderr, message);
  };
  await refused(["--lexicon", "MED=none.txt"], /none\.txt/);
  await refused(["--lexicon", "PLANT=drugs.txt"], /lexicon\[0\]\.type is "PLANT"/);
  await refused(["--lexicon", "drugs.txt"], /TYPE=FILE/);
});

test.run();
