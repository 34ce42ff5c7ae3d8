/**
 * Regular expressions: matches are Oniguruma's, which Hugging Face tokenizers run them with (golden ones made by
 * `tools/fixtures/make_regex_fixtures.py fixtures`), no expression takes long, and what is not read is refused.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { cpuUsage } from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TokenizerError } from "../../src/errors.ts";
import { Aligned } from "../../src/tokenizer/aligned.ts";
import { characters, numeric } from "../../src/tokenizer/categories.ts";
import { Spans } from "../../src/tokenizer/cuts.ts";
import { Regex } from "../../src/tokenizer/regex/match.ts";
import { complement, END, intersection, union } from "../../src/tokenizer/regex/sets.ts";
import { cutByScript } from "../../src/tokenizer/scripts.ts";
import { matchesOf } from "./support.ts";

interface Golden {
  texts: string[];
  cases: [pattern: string, matches: number[][]][];
  classes: Record<string, [count: number, sum: number]>;
  scripts: [count: number, sum: number];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("./fixtures/regexes.json", import.meta.url), "utf8"),
);

/** Compiles; undefined if it is refused. */
function compile(pattern: string): Regex | undefined {
  try {
    return new Regex(pattern, "pattern");
  } catch (error) {
    assert.instance(error, TokenizerError, String(error));
    assert.is((error as TokenizerError).code, "tokenizer/unsupported");
    return undefined;
  }
}

test("matches are the reference's, whatever was searched before", () => {
  let refused = 0;
  for (const [pattern, matches] of golden.cases) {
    const regex = compile(pattern);
    if (regex === undefined) {
      refused++;
      continue;
    }
    matches.forEach((expected, i) => {
      const text = golden.texts[i];
      assert.equal(matchesOf(regex, text), expected, `${pattern} in ${JSON.stringify(text)}`);
    });
  }
  assert.ok(golden.cases.length > 200);
  assert.ok(refused < 40, `${refused} refused`);
});

test("the same where failures are written down from the first step on", () => {
  for (const [pattern, matches] of golden.cases) {
    const regex = compile(pattern);
    if (regex === undefined) continue;
    matches.forEach((expected, i) => {
      const text = golden.texts[i];
      // So many steps are free for each unit; this many blanks before cost as many for nothing.
      Object.defineProperty(regex, "steps", { get: () => -1, set: () => {}, configurable: true });
      assert.equal(matchesOf(regex, text), expected, `${pattern} in ${JSON.stringify(text)}`);
    });
  }
});

test("a stretch is a text to itself", () => {
  const units = Uint16Array.from("xaab😀", (_, i) => "xaab😀".charCodeAt(i));
  for (
    const [pattern, expected] of [
      [String.raw`\Aa`, [1, 2]],
      ["(?<=x)a", []],
      ["a$", [2, 3]],
      ["a(?!b)", [1, 2, 2, 3]],
    ] as const
  ) {
    const regex = new Regex(pattern, ""), found: number[] = [];
    regex.enter(units, 1, 3);
    while (regex.find()) found.push(regex.start, regex.end);
    assert.equal(found, expected, pattern);
  }
});

test("no expression takes longer than the text times the expression", () => {
  // Each of these takes exponential or quadratic time in an engine that only goes back.
  const hostile: [string, string][] = [
    ["(a+)+$", "a"],
    ["(a|a)*b", "a"],
    ["(a|ab|b)*c", "ab"],
    ["a*b|a", "a"],
    ["a*a*a*a*a*b", "a"],
    ["a?".repeat(30) + "a{30}b", "a"],
    [String.raw`(?:\s+)+x|\s`, " "],
    [String.raw`\s*[\r\n]+|\s`, " "],
    ["(?:(?:a|b)*c|a)", "ab"],
    ["(?=a{1,50}b)a|a", "a"],
    ["a++b|a", "a"],
    [String.raw`(?:\p{L}+\p{M}*)+1`, "ক্"],
    ["(.|\\n)*?x|.", "y"],
    ["(?:aa|a)*?b|a", "a"],
    [".*.*=.*", "x"],
    ["(?:" + "a|".repeat(100) + "a)a{100}b", "a"],
  ];
  const size = 30_000;
  for (const [pattern, part] of hostile) {
    const regex = new Regex(pattern, ""), text = part.repeat(size / part.length);
    const began = cpuUsage();
    matchesOf(regex, text);
    const { user, system } = cpuUsage(began);
    // Linear is milliseconds, quadratic many seconds; a shared processor counts what others took of it.
    assert.ok(user + system < 5e6, `${pattern}: ${(user + system) / 1000} ms`);
  }
});

test("what is not read is refused by name", () => {
  const cases: [pattern: string, part: string][] = [
    ["(?>a)", "(?>a"],
    ["(?<name>a)", "(?<n"],
    ["(?P<name>a)", "(?P<"],
    ["(?m:a)", "(?m:"],
    ["(?x) a", "(?x)"],
    ["a(?i)b|c", "(?i)"],
    ["(?#a)", "(?#a"],
    ["(?(1)a|b)", "(?(1"],
    [String.raw`(a)\1`, String.raw`\1`],
    [String.raw`\k<a>`, String.raw`\k`],
    [String.raw`\G`, String.raw`\G`],
    [String.raw`\K`, String.raw`\K`],
    [String.raw`\R`, String.raw`\R`],
    [String.raw`\X`, String.raw`\X`],
    [String.raw`\h`, String.raw`\h`],
    [String.raw`\012`, String.raw`\0`],
    [String.raw`\xe9`, String.raw`\x`],
    [String.raw`\x{110000}`, String.raw`\x{110000}`],
    [String.raw`\ud800`, String.raw`\ud800`],
    [String.raw`\pL`, String.raw`\p`],
    [String.raw`\p{Letter}`, String.raw`\p{Letter}`],
    [String.raw`\p{Bengali}`, String.raw`\p{Bengali}`],
    ["[[:alpha:]]", "[:"],
    ["[]", "a ] first in a set"],
    ["[^]a]", "a ] first in a set"],
    ["[a", "a [ without a ]"],
    ["[a-c-e]", "a - in the middle of a set"],
    [String.raw`[\w-a]`, "a - in the middle of a set"],
    [String.raw`[a-\w]`, "a range to a set"],
    ["[c-a]", "c-a"],
    ["(a", "a ( without a )"],
    ["a)", "a ) without a ("],
    ["*a", "* after nothing"],
    ["a{", "a { that is no repetition"],
    ["a{2}?", "{2}?"],
    ["a{,}", "{,}"],
    ["a{3,2}", "{3,2}"],
    ["a{1001}", "{1001}"],
    ["a**", "a repetition of a repetition"],
    ["a{1,2}+", "a repetition of a repetition"],
    ["(ab)++", "after more than one character"],
    ["(a?)*", "after what can be empty"],
    ["(|a){2}", "after what can be empty"],
    ["^*", "after what can be empty"],
    ["(?=a*b)", "looking ahead without a bound"],
    ["(?<=ab)", "looking behind by other than one character"],
    ["(?i:ss)", "without case"],
    ["(?i)a(?:bf)(?:[i]c)", "without case"],
    ["(?i:é)", "without case"],
    [String.raw`(?i:\p{L})`, "without case"],
    ["(?i:[a-é])", "without case"],
    ["(?:(?:a{10}){10}){10}{1}", "repetition"],
    ["(?:(?:a{10}){10}){11}", "steps"],
    ["a".repeat(10_001), "characters"],
    ["(".repeat(50) + ")".repeat(50), "nesting"],
    ["[".repeat(50) + "a" + "]".repeat(50), "nesting"],
  ];
  for (const [pattern, part] of cases) {
    assert.throws(
      () => new Regex(pattern, "normalizer.pattern.Regex"),
      (error: unknown) =>
        error instanceof TokenizerError && error.code === "tokenizer/unsupported" &&
        error.message.startsWith("normalizer.pattern.Regex: ") && error.message.includes(part),
      `${pattern.slice(0, 40)}: ${part}`,
    );
  }
});

test("a stretch that would take too much memory is refused, and the next is searched", () => {
  const regex = new Regex("a?".repeat(480) + "b|a", "");
  assert.throws(
    () => matchesOf(regex, "a".repeat(1_200_000)),
    (error: unknown) => error instanceof TokenizerError && error.code === "tokenizer/growth",
  );
  assert.equal(matchesOf(regex, "aab"), [0, 3]);
});

test("classes have the characters that the reference's have, by number and sum", () => {
  for (const [name, expected] of Object.entries(golden.classes)) {
    const ranges = name === "Digits" ? numeric() : characters(name)!;
    let count = 0, sum = 0;
    for (let i = 0; i < ranges.length; i += 2) {
      for (let c = ranges[i]; c < ranges[i + 1]; c++) {
        if (c >= 0xd800 && c < 0xe000) continue; // a text has none alone
        count++;
        sum += c;
      }
    }
    assert.equal([count, sum], expected, name);
  }
});

test("scripts change where the reference's do, over all code points", () => {
  const text = new Aligned(), spans = new Spans(), out = new Spans();
  let everything = "";
  for (let c = 0; c < END; c++) if (c < 0xd800 || c > 0xdfff) everything += String.fromCodePoint(c);
  text.load(everything);
  spans.push(0, text.length);
  cutByScript()(text, spans, new Aligned(), out);
  let sum = 0;
  for (let s = 1; s < out.length; s += 2) {
    // In code points: those above the basic plane are two units, and there are no surrogates.
    const end = out.bounds[s], below = 0x10000 - 0x800;
    sum += end <= below ? end : below + (end - below) / 2;
  }
  assert.equal([out.length / 2, sum], golden.scripts);
});

test("categories part all characters; sets are what they say", () => {
  const names = "L M N P S Z C".split(" ");
  let all: readonly number[] = [];
  for (const name of names) {
    const ranges = characters(name)!;
    assert.equal(intersection(all, ranges), []);
    all = union(all, ranges);
  }
  assert.equal(all, [0, END]);
  assert.equal(complement(all), []);
  assert.equal(complement([]), [0, END]);
  assert.equal(intersection([0, 5, 9, 12], [3, 10]), [3, 5, 9, 10]);
  assert.equal(union([0, 5], [5, 9]), [0, 9]);
  for (const name of ["", "l", "Cs", "Xx", "LL", "constructor"]) {
    assert.is(characters(name), undefined);
  }
});

test.run();
