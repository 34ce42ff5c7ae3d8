/**
 * The command line as a whole: help, version, unknown commands.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cli } from "./run.ts";

/** All commands, as `--help` lists them; `help` itself apart. */
const COMMANDS = [...(await cli(["--help"])).stdout.matchAll(/^ {2}([a-z]+) .*(<|\[)/gm)]
  .map(([, name]) => name!).filter((name) => name !== "help");

test("--help lists the commands and gives examples", async () => {
  const { code, stdout, stderr } = await cli(["--help"]);
  assert.is(code, 0);
  assert.is(stderr, "");
  for (const command of ["extract", "convert", "eval"]) {
    assert.ok(COMMANDS.includes(command), command);
  }
  assert.match(stdout, /Examples:/);
  assert.match(stdout, /\n$/);
});

for (const command of COMMANDS) {
  test(`${command} --help says what it takes, with examples`, async () => {
    const { code, stdout, stderr } = await cli([command, "--help"]);
    assert.is(code, 0);
    assert.is(stderr, "");
    assert.match(stdout, new RegExp(`^Usage: edge-ner ${command} `));
    assert.match(stdout, new RegExp(`Examples:\n  edge-ner ${command} `));
    const long = stdout.split("\n").filter((line) => line.length > 80 && !/^ {2,4}\S/.test(line));
    assert.equal(long, []);
    const byHelp = await cli(["help", command]);
    assert.is(byHelp.stdout, stdout);
  });
}

test("--version is the package's", async () => {
  const file = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(file, "utf8"));
  for (const flag of ["--version", "-V"]) {
    const { code, stdout } = await cli([flag]);
    assert.is(code, 0);
    assert.is(stdout, `${version}\n`);
  }
});

test("an unknown command is answered with the nearest one", async () => {
  const { code, stdout, stderr } = await cli(["extrct", "x"]);
  assert.is(code, 2);
  assert.is(stdout, "");
  assert.match(stderr, /^edge-ner: unknown command 'extrct'.*extract[^\n]*\n$/);
});

test("no command at all prints help to stderr and fails", async () => {
  const { code, stdout, stderr } = await cli([]);
  assert.is(code, 2);
  assert.is(stdout, "");
  assert.match(stderr, /^Usage: edge-ner/);
});

test.run();
