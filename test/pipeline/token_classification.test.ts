/**
 * The pipeline beside Python transformers', whose answers `tools/fixtures/pipeline_reference.py` wrote down: several
 * models and scripts, every strategy, with and without labels left out.
 *
 * Scores: the float32 backend's emissions differ from PyTorch's by up to 1e-6 of their size, and so do probabilities;
 * 1e-5 leaves room.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Aggregation, InputError, Ner, pipeline, type Token } from "../../mod.ts";

interface Case {
  readonly model: string;
  readonly strategy: Aggregation;
  readonly ignore: string[];
  readonly text: string;
  readonly found: readonly Record<string, string | number>[];
}

const fixtures = new URL("../fixtures/", import.meta.url);
const { cases } = JSON.parse(readFileSync(new URL("pipeline.json", fixtures), "utf8")) as {
  cases: readonly Case[];
};

/** UTF-16 position of a place that counts characters. */
const utf16 = (text: string, place: number): number => [...text].slice(0, place).join("").length;

/**
 * Whether a token that is only the space before a word lies at `place`: the one difference. Its place is empty here;
 * there it is the character after it, which is the next token's.
 */
const endsInBlank = (tokens: readonly Token[], place: number): boolean =>
  tokens.some(({ piece, start, end }) => piece === "▁" && start === place && end === place);

test("every strategy gives what Python transformers gives", async () => {
  let entities = 0;
  for (const model of new Set(cases.map((each) => each.model))) {
    using ner = await Ner.load(new URL(`zoo/${model}/`, fixtures).pathname, {
      backend: "fp32",
      threads: 1,
    });
    const classify = pipeline("token-classification", ner);
    for (const { strategy, ignore, text, found } of cases.filter((each) => each.model === model)) {
      const got = await classify(text, {
        aggregation_strategy: strategy,
        ignore_labels: ignore,
      });
      const where = `${model}, ${strategy}, ${JSON.stringify(text)}`;
      const tokens = ner.tokenize(text);
      const want = found.map((entity) => ({
        ...entity,
        start: utf16(text, Number(entity.start)),
        end: utf16(text, Number(entity.end)),
      }));
      const plain = (list: readonly object[]) =>
        list.map((entity, i) => {
          const { end, ...rest } = entity as Record<string, unknown>;
          const ours = Number((got[i] as { end?: number } | undefined)?.end);
          const differs = Number(want[i]?.end) === ours + 1 && endsInBlank(tokens, ours);
          return { ...rest, score: 0, ...(!differs && { end }) };
        });
      assert.equal(plain(got), plain(want), where);
      got.forEach(({ score }, i) =>
        assert.ok(Math.abs(score - Number(found[i].score)) < 1e-5, `${where}: score ${score}`)
      );
      entities += got.length;
    }
  }
  assert.ok(cases.length >= 400 && entities > 1000, `${cases.length} cases, ${entities} entities`);
});

test("a list of texts gives a list of lists; a CRF's scores are its marginals, which sum to 1", async () => {
  using ner = await Ner.load(new URL("tiny-torchscript/", fixtures).pathname, { threads: 1 });
  const classify = pipeline("ner", ner, { ignore_labels: [] });
  const texts = ["Metformin 500mg twice a day.", "", "x"];
  const all = await classify(texts);
  assert.is(all.length, 3);
  assert.equal(all[0], await classify(texts[0]));
  const { data, labels, tokens } = await ner.probabilities(texts[0]);
  assert.is(all[0].length, tokens.length);
  for (let t = 0; t < tokens.length; t++) {
    const row = data.subarray(t * labels.length, (t + 1) * labels.length);
    assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-5);
  }
});

test("other tasks and options are refused with what was probably meant", async () => {
  using ner = await Ner.load(new URL("tiny-torchscript/", fixtures).pathname, { threads: 1 });
  // deno-lint-ignore no-explicit-any
  const odd = (value: any) => value;
  const message = async (call: () => unknown): Promise<string> => {
    try {
      await call();
    } catch (error) {
      assert.instance(error, InputError);
      return (error as InputError).message;
    }
    return "";
  };
  assert.match(
    await message(() => pipeline(odd("token-clasification"), ner)),
    /token-classification was/,
  );
  assert.match(
    await message(() => pipeline("ner", ner, odd({ aggregationStrategy: "simple" }))),
    /aggregation_strategy was/,
  );
  assert.match(
    await message(() => pipeline("ner", ner)("x", { aggregation_strategy: odd("middle") })),
    /expected "none"/,
  );
});

test.run();
