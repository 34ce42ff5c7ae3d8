/**
 * docs/boundaries.md: its command, its program, and what its table says of one word.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BOUNDARIES, Ner } from "../../mod.ts";
import { cli } from "../cli/run.ts";

const page = readFileSync(new URL("../../docs/boundaries.md", import.meta.url), "utf8");
const [, call] = /^await ner\.extract\((.*)\);$/m.exec(page)!;
const [, command] = /^edge-ner (.*)$/m.exec(page)!;
const [text] = JSON.parse(`[${/^"[^"]*"/.exec(call)![0]}]`) as string[];

const ner = await Ner.load(new URL("../../models/meder/meder-int8.safetensors", import.meta.url));

test("the table's word in each mode", async () => {
  for (const boundary of BOUNDARIES) {
    const [, shown] = new RegExp(`^\\| \`"${boundary}"\`.*\\| ([^ :]+)[^|]*\\|$`, "m").exec(page)!;
    const [first] = await ner.extract(text, { boundary });
    assert.is(first.text, shown);
  }
});

test("the page's call and command", async () => {
  const options = /\{.*\}$/.exec(call)![0].replace(/(\w+):/g, '"$1":');
  assert.is((await ner.extract(text, JSON.parse(options)))[0].text, "জ্বরে");
  const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted ?? plain
  );
  const { code, stdout } = await cli(args);
  assert.is(code, 0);
  assert.match(stdout, /\[জ্বরের DIS\]/);
});

test.run();
