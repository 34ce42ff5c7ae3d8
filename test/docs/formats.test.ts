/**
 * docs/formats.md: its commands, in its order, on a tiny model.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { OUTPUTS } from "../../src/cli/formats.ts";
import { cli, fixture, scratch } from "../cli/run.ts";

const page = readFileSync(new URL("../../docs/formats.md", import.meta.url), "utf8");
const path = scratch();
writeFileSync(path("notes.jsonl"), '{"text": "জ্বরের জন্য প্যারাসিটামল।"}\n{"text": "x"}\n');

for (const [, line] of page.matchAll(/^edge-ner (.*)$/gm)) {
  test(`edge-ner ${line}`, async () => {
    const [, command, file] = /^(.*?)(?: > (\S+))?$/.exec(line)!;
    const args = [...command.split(" "), "--model", fixture("tiny-torchscript")];
    const { code, stdout, stderr } = await cli(args, { cwd: path(".") });
    assert.is(code, 0, stderr);
    if (file) writeFileSync(path(file), stdout);
  });
}

test("the table names what extract writes", () => {
  assert.equal(
    [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name),
    [...OUTPUTS].sort((a, b) => page.indexOf(`| \`${a}\` |`) - page.indexOf(`| \`${b}\` |`)),
  );
});

test.run();
