/**
 * How errors become a line and an exit code.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../mod.ts";
import { CheckFailed, endingOf, OutputClosed, UsageError } from "../../src/cli/errors.ts";

const system = (code: string, fields: Record<string, unknown> = {}): Error =>
  Object.assign(new Error(`${code}: open 'from-message'`), { code, ...fields });

const CASES: readonly (readonly [string, unknown, number, RegExp | undefined])[] = [
  ["usage", new UsageError("give text"), 2, /^give text$/],
  ["typed", new FormatError("onnx/truncated", "cut\n  off"), 2, /^cut off \(onnx\/truncated\)$/],
  ["a closed pipe", new OutputClosed(), 0, undefined],
  ["a failed check", new CheckFailed("too far apart"), 1, /^too far apart$/],
  ["a missing file", system("ENOENT", { path: "a.txt" }), 2, /^a\.txt: no such file/],
  ["a path only in the message", system("EACCES"), 2, /^from-message: permission denied$/],
  ["a full disk", system("ENOSPC"), 1, /no space/],
  ["an unknown code", system("EWHAT"), 1, /^internal error: EWHAT/],
  ["a bug", new TypeError("x is undefined"), 1, /^internal error: x is undefined .*EDGE_NER_DEBUG/],
  ["a thrown string", "odd", 1, /^internal error: odd/],
  ["undefined", undefined, 1, /^internal error: undefined/],
];

for (const [name, error, exitCode, message] of CASES) {
  test(name, () => {
    const ending = endingOf(error);
    assert.is(ending.exitCode, exitCode);
    if (message === undefined) assert.is(ending.message, undefined);
    else assert.match(ending.message!, message);
    assert.not.match(ending.message ?? "", /\n/);
  });
}

test.run();
