/**
 * Entities made visible in a text.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { bracketed, highlighter } from "../../src/cli/highlight.ts";
import { table } from "../../src/cli/table.ts";
import type { Entity } from "../../mod.ts";

const entity = (text: string, type: string, start: number, end: number): Entity => ({
  type,
  text: text.slice(start, end),
  start,
  end,
  score: 1,
});
const TEXT = "জ্বরে প্যারাসিটামল খান";
const FEVER = entity(TEXT, "DIS", 0, 4);
const DRUG = entity(TEXT, "MED", 6, 18);

test("brackets stand around the entity, with its type", () => {
  assert.is(bracketed(TEXT, [FEVER, DRUG]), "[জ্বর DIS]ে [প্যারাসিটামল MED] খান");
  assert.is(bracketed(TEXT, [DRUG, FEVER]), "[জ্বর DIS]ে [প্যারাসিটামল MED] খান");
  assert.is(bracketed(TEXT, []), TEXT);
  assert.is(bracketed("", []), "");
});

test("a label's control characters are pictures, in brackets, colours and tables", () => {
  const evil = entity(TEXT, "D\x1b[2J\nX\t\x9b\x7f", 0, 4),
    shown = "D\u241b[2J\u240aX\u2409\ufffd\u2421";
  assert.is(bracketed(TEXT, [evil]), `[জ্বর ${shown}]ে প্যারাসিটামল খান`);
  assert.ok(highlighter([])(TEXT, [evil]).includes(`\x1b[1m${shown}\x1b[22m`));
  assert.ok(table(["type"], [[evil.type]]).endsWith(`\n${shown}\n`));
});

test("colours: a bright background under black letters, one a type, and the type's name", () => {
  const render = highlighter(["MED", "DIS"]);
  assert.is(
    render(TEXT, [FEVER, DRUG]),
    "\x1b[30;103m জ্বর \x1b[1mDIS\x1b[22m \x1b[0mে " +
      "\x1b[30;106m প্যারাসিটামল \x1b[1mMED\x1b[22m \x1b[0m খান",
  );
});

test("a type that the model did not name gets a colour of its own, and keeps it", () => {
  const render = highlighter(["MED"]);
  const other = entity(TEXT, "NEW", 0, 4);
  const once = render(TEXT, [other]);
  assert.match(once, "\x1b[30;103m");
  assert.is(render(TEXT, [other]), once);
});

test("a document cannot steer the terminal", () => {
  const text = "a\x1b[2Jb\x07\x7f\x9b\tc";
  const shown = highlighter([])(text, [entity(text, "X\x1b", 1, 2)]);
  // deno-lint-ignore no-control-regex
  assert.is(shown.replace(/\x1b\[[0-9;]*m/g, ""), "a ␛ X␛ [2Jb␇␡\ufffd\tc");
});

test("without its marks, a rendering is the text", () => {
  const spans = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 5 })), { maxLength: 6 });
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), spans, (raw, found) => {
    const text = raw.replace(/[[\]]/g, "");
    const entities = found.filter(([start, length]) => start + length <= text.length)
      .map(([start, length]) => entity(text, "T", start, start + length));
    const marked = bracketed(text, entities);
    assert.is(marked.replace(/\[([^\]]*) T\]/g, "$1"), text);
  }));
});

test.run();
