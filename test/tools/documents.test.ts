/** The check of what documents name. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { missing } from "../../tools/check/documents.ts";

const PATHS = ["README.md", "docs/a.md", "src/errors.ts", "src/ner/a.ts", "tools/x/README.md"];
const of = (text: string): string[] => missing("docs/b.md", text, PATHS);

test("links are followed from the document, paths in words from the root", () => {
  assert.equal(
    of(
      "[a](a.md), [r](../README.md#use), [t](../tools/x/), [web](https://example.org/src/no.ts), [here](#x), " +
        "`src/errors.ts`, src/ner/ and `src/ner/*.ts`; https://example.org/src/no.ts",
    ),
    [],
  );
  assert.equal(of("[a](README.md)"), ["docs/b.md names docs/README.md, which is not there."]);
  assert.equal(of("see `src/no.ts`, src/no.ts."), [
    "docs/b.md names src/no.ts, which is not there.",
  ]);
  assert.equal(of("`src/crf/`, `src/err*.py`").length, 2);
});

test.run();
