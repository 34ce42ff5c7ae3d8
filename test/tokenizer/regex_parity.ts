/**
 * Compares regular expressions with Hugging Face's on a file of `tools/fixtures/make_regex_fixtures.py dump`: a
 * program, not a test, since there are many.
 *
 *     deno run -A test/tokenizer/regex_parity.ts dump.jsonl
 *
 * Expressions are refused or match where the reference's do. Exits with 1 if one does not.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { TokenizerError } from "../../src/errors.ts";
import { Regex } from "../../src/tokenizer/regex/match.ts";
import { matchesOf } from "./support.ts";

let refused = 0, texts = 0, wrong = 0;
const lines = readFileSync(argv[2], "utf8").trimEnd().split("\n");
for (const line of lines) {
  const [pattern, found]: [string, [string, number[]][]] = JSON.parse(line);
  let regex: Regex;
  try {
    regex = new Regex(pattern, "regex");
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    refused++;
    continue;
  }
  for (const [text, expected] of found) {
    texts++;
    const got = matchesOf(regex, text);
    if (got.join() === expected.join()) continue;
    if (wrong++ < 20) {
      console.log(`${JSON.stringify(pattern)} in ${JSON.stringify(text)}: ${got}, not ${expected}`);
    }
  }
}
console.log(
  `${lines.length} expressions, ${refused} refused; ${texts} texts, ${wrong} of them otherwise`,
);
exit(wrong ? 1 : 0);
