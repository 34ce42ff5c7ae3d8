/**
 * Tag schemes against brute force.
 *
 * A scheme is written down here a second time, as an encoder from spans to labels. A path is legal exactly when
 * writing out its spans gives it back, so legality needs no second set of rules.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseKernels } from "../../src/kernels/module.ts";
import { Crf } from "../../src/crf/crf.ts";
import {
  continuation,
  mayEnd,
  mayFollow,
  parseTags,
  spansOf,
  type TokenSpan,
} from "../../src/crf/scheme.ts";
import { decodeSpans } from "../../src/eval/decode.ts";
import { normal, random, shipped } from "../support.ts";

const chosen = await chooseKernels([await shipped("baseline")]);

/** Prefixes of an entity's first, inner and last token, and of one that is all of it. */
const PREFIXES: Record<string, readonly [string, string, string, string]> = {
  iob2: ["B", "I", "I", "B"],
  bioes: ["B", "I", "E", "S"],
  bilou: ["B", "I", "L", "U"],
};

/** Spans to labels; in IOB1 a span begins with B only where it touches one of its type. */
function write(scheme: string, spans: readonly TokenSpan[], length: number): string[] {
  const labels = new Array<string>(length).fill("O");
  spans.forEach(({ type, first, last }, i) => {
    const before = spans[i - 1];
    const touches = before !== undefined && before.type === type && before.last === first - 1;
    for (let t = first; t <= last; t++) {
      if (scheme === "plain") labels[t] = type;
      else if (scheme === "iob1") labels[t] = `${t === first && touches ? "B" : "I"}-${type}`;
      else {
        const [begin, inside, end, single] = PREFIXES[scheme];
        const prefix = first === last ? single : t === first ? begin : t === last ? end : inside;
        labels[t] = `${prefix}-${type}`;
      }
    }
  });
  return labels;
}

/** A scheme's labels for some types. */
function labelsOf(scheme: string, types: readonly string[]): string[] {
  if (scheme === "plain") return ["O", ...types];
  // The first type never touches itself in this data set, so it has no B-x: that is how IOB1 shows.
  if (scheme === "iob1") {
    return [
      "O",
      ...types.flatMap((t, i) => i ? [`I-${t}`, `B-${t}`] : [`I-${t}`]),
    ];
  }
  return ["O", ...types.flatMap((t) => [...new Set(PREFIXES[scheme])].map((p) => `${p}-${t}`))];
}

const SCHEMES = ["iob2", "iob1", "bioes", "bilou", "plain"] as const;

/** Gap, type and length of each span of a text. */
const runs = fc.array(fc.tuple(fc.nat(2), fc.nat(1), fc.integer({ min: 1, max: 4 })), {
  maxLength: 5,
});

function spansFrom(scheme: string, types: readonly string[], parts: [number, number, number][]) {
  const spans: TokenSpan[] = [];
  let at = 0;
  for (const [gap, which, length] of parts) {
    const type = types[which];
    const before = spans.at(-1);
    const touches = gap === 0 && before?.type === type;
    // Plain labels cannot tell touching spans of one type apart; nor can IOB1 without its B-x.
    const apart = touches && (scheme === "plain" || (scheme === "iob1" && which === 0)) ? 1 : 0;
    const first = at + gap + apart;
    spans.push({ type, first, last: first + length - 1 });
    at = first + length;
  }
  return { spans, length: at + 1 };
}

for (const scheme of SCHEMES) {
  test(`${scheme}: spans, written as labels in any order and read again, are the same`, () => {
    fc.assert(
      fc.property(runs, fc.integer(), (parts, seed) => {
        const types = ["MED", "S-phase"], next = random(seed);
        const labels = labelsOf(scheme, types).sort(() => next() - 0.5);
        const tags = parseTags(labels);
        const { spans, length } = spansFrom(scheme, types, parts);
        const path = write(scheme, spans, length).map((label) => labels.indexOf(label));
        assert.equal(path.includes(-1), false);
        assert.equal(spansOf(path, tags), spans);
        // And what a data set can contain, the constraints allow.
        path.forEach((label, t) =>
          assert.ok(mayFollow(t ? tags[path[t - 1]] : undefined, tags[label], tags))
        );
        assert.ok(mayEnd(tags[path.at(-1)!], tags));
      }),
      { numRuns: 300 },
    );
  });
}

for (const scheme of ["iob2", "bioes", "bilou"]) {
  test(`${scheme}: the constrained path is the best of all legal ones, and never another`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 4 }), async (seed, steps) => {
        const types = scheme === "iob2" ? ["A", "B"] : ["A"], next = random(seed);
        const labels = labelsOf(scheme, types).sort(() => next() - 0.5);
        const tags = parseTags(labels), n = labels.length;
        const emissions = normal(next, steps * n, 3);
        const crf = await Crf.create(chosen, tags, undefined, true);

        let paths: number[][] = [[]];
        for (let t = 0; t < steps; t++) {
          paths = paths.flatMap((path) => labels.map((_, j) => [...path, j]));
        }
        const legal = paths.filter((path) => {
          const written = write(scheme, spansOf(path, tags), steps);
          return written.every((label, t) => label === labels[path[t]]);
        });
        const score = (path: number[]): number =>
          path.reduce((sum, label, t) => sum + emissions[t * n + label], 0);
        const best = legal.reduce((a, b) => score(b) > score(a) ? b : a);
        assert.equal([...crf.decode(emissions).labels], best);
        assert.equal(decodeSpans(emissions, labels), spansOf(best, tags));
        const sum = legal.reduce((total, path) => total + Math.exp(score(path)), 0);
        const lattice = crf.lattice(emissions);
        assert.ok(Math.abs(lattice.logPartition - Math.log(sum)) < 1e-9);
        // A closed span has no continuation: its probability is that of the paths that contain it.
        for (const span of spansOf(best, tags)) {
          const inside = continuation(best[span.last], tags);
          const same = legal.filter((path) =>
            spansOf(path, tags).some((s) =>
              s.type === span.type && s.first === span.first && s.last === span.last
            )
          );
          const want = same.reduce((total, path) => total + Math.exp(score(path)), 0) / sum;
          const got = crf.spanProbability(emissions, Int32Array.from(best), span, inside, lattice);
          assert.ok(Math.abs(got - want) < 1e-9, `${got} is not ${want}`);
        }
      }),
      { numRuns: 150 },
    );
  });
}

test("a label set says which scheme it is in", () => {
  const roles = (labels: string[]): string => parseTags(labels).map(({ role }) => role).join();
  assert.is(roles(["I-A", "O", "B-A"]), "inside,outside,begin");
  assert.is(roles(["L-A", "O", "U-A", "B-A", "I-A"]), "end,outside,single,begin,inside");
  assert.is(roles(["S-A", "E-A", "I-A", "B-A", "O"]), "single,end,inside,begin,outside");
  assert.is(roles(["O", "E-mail", "S-phase"]), "outside,plain,plain");
  assert.is(roles(["LABEL_0", "LABEL_1"]), "plain,plain");
  assert.is(roles(["O", "B-A", "I-A", "DATE"]), "outside,plain,plain,plain");
  assert.is(roles(["[PAD]", "O", "B-A", "I-A", "[CLS]"]), "outside,outside,begin,inside,outside");
  assert.is(parseTags(["O", "B-A-b"])[1].type, "A-b");
});

test("IOB1 shows where a type has no B-x; else the set is taken to be IOB2", () => {
  const follows = (labels: string[], from: number | undefined, to: number): boolean => {
    const tags = parseTags(labels);
    return mayFollow(from === undefined ? undefined : tags[from], tags[to], tags);
  };
  const iob1 = ["O", "I-A", "I-B", "B-B"], iob2 = ["O", "I-A", "B-A", "I-B", "B-B"];
  for (const [from, to] of [[undefined, 2], [0, 2], [1, 2], [0, 1]] as const) {
    assert.ok(follows(iob1, from, to));
  }
  assert.is(follows(iob2, 0, 1), false);
  assert.is(follows(iob2, undefined, 1), false);
  assert.is(follows(iob2, 3, 1), false);
  assert.is(follows(iob2, 2, 1), true);
});

test("labels that leave a text without a legal end do not end in nothing", async () => {
  // No O, no S-x: one token can only begin what it cannot close.
  const labels = ["B-A", "I-A", "E-A"], tags = parseTags(labels);
  const crf = await Crf.create(chosen, tags, undefined, true);
  const { score } = crf.decode(Float32Array.of(1, 2, 3));
  assert.is(score, 1);
  assert.ok(Number.isFinite(crf.lattice(Float32Array.of(1, 2, 3)).logPartition));
});

test("unclosed and stray labels are read as far as they go", () => {
  const labels = ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B", "E-B", "S-B"];
  const tags = parseTags(labels);
  const spans = (path: number[]): string =>
    spansOf(path, tags).map(({ type, first, last }) => `${type}${first}-${last}`).join();
  assert.is(spans([1, 2, 0]), "A0-1");
  assert.is(spans([3, 3]), "A0-0,A1-1");
  assert.is(spans([2, 2, 3]), "A0-2");
  assert.is(spans([4, 2, 3]), "A0-0,A1-2");
  assert.is(spans([1, 6, 7]), "A0-0,B1-2");
  assert.is(spans([1, 1, 3]), "A0-0,A1-2");
  assert.is(spans([1, 3, 2, 3]), "A0-1,A2-3");
  assert.is(spans([1, 3, 3]), "A0-1,A2-2");
});

test.run();
