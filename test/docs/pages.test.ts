/**
 * That no document has a command which nothing runs: each page with programs names the tests that run them, commands stand in blocks
 * of `sh`, where those tests find them, and what is named in passing has the options and tasks that it says.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MODELS } from "../../models/registry.ts";
import { cli } from "../cli/run.ts";
import { blocksOf, linesOf, textOf } from "./page.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const CARDS = MODELS.map(({ name }) => `models/${name}/README.md`);
const PAGES = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", ...CARDS],
  ...readdirSync(new URL("docs/", root)).filter((name) => name.endsWith(".md")).map((name) =>
    `docs/${name}`
  ),
];

/** Which files run a page's blocks. */
const RUN_BY: Readonly<Record<string, readonly string[]>> = {
  "README.md": ["test/docs/readme.test.ts", "test/runtime/install/run.ts"],
  "docs/boundaries.md": ["test/docs/boundaries.test.ts"],
  "docs/calibration.md": ["test/docs/calibration.test.ts"],
  "docs/corpora.md": ["test/docs/corpora.test.ts"],
  "docs/deployment.md": ["test/docs/programs.test.ts"],
  "docs/documents.md": ["test/docs/programs.test.ts"],
  "docs/errors.md": ["test/docs/programs.test.ts"],
  "docs/formats.md": ["test/docs/formats.test.ts"],
  "docs/lexicons.md": ["test/docs/lexicons.test.ts"],
  "docs/models.md": ["test/tools/models.test.ts"],
  "docs/reproduction.md": ["test/docs/reproduction.test.ts"],
  "docs/runtimes.md": ["test/docs/programs.test.ts", "test/runtime/examples/run.ts"],
  "docs/training.md": ["test/docs/training.test.ts"],
};

/** Pages whose commands want what a fresh clone has not, or are .ci/run itself. */
const NOT_RUN: Readonly<Record<string, string>> = {
  "CONTRIBUTING.md": "its tasks are what .ci/run does",
  ...Object.fromEntries(CARDS.map((card) => [card, "a model's own making, from data of others"])),
};

for (const page of PAGES) {
  test(`${page}: its programs are run`, () => {
    const programs = blocksOf(page).filter(({ language }) => /^(sh|ts|js|yaml)$/.test(language));
    if (programs.length === 0 || NOT_RUN[page] !== undefined) return;
    const tests = RUN_BY[page] ?? [];
    assert.ok(tests.length > 0, `${page} has programs, and no test is named for them`);
    for (const path of tests) {
      assert.match(read(path), page.replace("docs/", ""), `${path} says nothing of ${page}`);
    }
  });

  test(`${page}: commands stand in blocks of sh`, () => {
    const blocks = blocksOf(page).filter(({ language }) => language !== "sh");
    const lines = [
      ...blocks.flatMap(({ content }) => content.split("\n")),
      ...[...textOf(page).matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line!),
    ];
    const commands = lines.filter((line) => /^(edge-ner|deno|npx|npm|bun|node) /.test(line));
    assert.equal(commands, []);
  });
}

const HELP = new Map<string, string>();

test("options that pages name are those of their commands", async () => {
  const wrong: string[] = [];
  for (const page of PAGES) {
    const inline = [...textOf(page).matchAll(/`([^`]+)`/g)].map(([, code]) =>
      code!.replace(/\s+/g, " ")
    );
    for (const line of [...inline, ...linesOf(page)]) {
      const [, name, rest] = /^(?:edge-ner|npx -y deno@\S+ task ner) ([a-z]+)(.*)$/.exec(line) ??
        [];
      if (name === undefined) continue;
      if (!HELP.has(name)) HELP.set(name, (await cli([name, "--help"])).stdout);
      for (const [option] of rest!.matchAll(/(?<= )--[a-z][a-z-]*/g)) {
        const known = new RegExp(`(^|\\W)${option}(?![a-z-])`);
        if (option !== "--help" && !known.test(HELP.get(name)!)) {
          wrong.push(`${page}: ${line}: ${option}`);
        }
      }
    }
  }
  assert.equal(wrong, []);
});

test("tasks and programs that pages name are there", () => {
  const { tasks } = JSON.parse(read("deno.json")), wrong: string[] = [];
  for (const page of PAGES) {
    for (const [, task] of textOf(page).matchAll(/\bdeno(?:@\S+)? task ([a-z][\w:]*)/g)) {
      if (tasks[task!] === undefined) wrong.push(`${page}: deno task ${task}`);
    }
    for (const [, path] of textOf(page).matchAll(/\bdeno run [^`\n]*?(\S+\.ts)\b/g)) {
      if (!existsSync(new URL(path!, root))) wrong.push(`${page}: ${path}`);
    }
  }
  assert.equal(wrong, []);
});

test.run();
