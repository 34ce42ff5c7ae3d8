/**
 * What making a model smaller changed, measured on sentences: the error of weights says little about the error of
 * entities.
 *
 * @module
 */
import { DifferenceMeter, Ner, scoreSpans } from "../../mod.ts";
import type { ModelBundle, QuantizeReport, Span, Token } from "../../mod.ts";
import { CheckFailed } from "./errors.ts";
import { SENTENCES } from "./sentences.ts";
import { small } from "./table.ts";

/** How two models differ on the built-in sentences. */
export interface Change {
  /** Of the emissions of sentences whose tokens are the same; others have no counterpart. */
  readonly maxAbs: number;
  readonly relativeL2: number;
  /** Sentences whose tokens are the same. */
  readonly comparable: number;
  readonly before: number;
  readonly after: number;
  readonly same: number;
}

/** Whether two models cut a text into the same pieces; trimming gives them other ids. */
function sameTokens(a: readonly Token[], b: readonly Token[]): boolean {
  return a.length === b.length &&
    a.every(({ piece, start, end }, i) =>
      piece === b[i].piece && start === b[i].start && end === b[i].end
    );
}

/**
 * The largest relative L2 of a package's emissions against its source's. Both backends read the same weights,
 * so float32 has no reason to differ but the order of sums. int8 takes 0.02 at most on trained weights (as
 * onnxruntime's own int8 does, and `verify` allows) and up to 0.04 on the random ones of the tests; the bound
 * leaves five times the former, and a part that is missing or in the wrong place makes it 0.3 to 1.6. An int4
 * embedding alone has a relative error of 0.1.
 */
const MOST = { f32: 1e-5, int8: 0.1, int4: 0.25 } as const;

/** Refuses a package that is not its source any more; throws {@link CheckFailed}. */
export function checkChange(
  { relativeL2 }: Change,
  type: keyof typeof MOST,
  output: string,
): void {
  if (relativeL2 <= MOST[type]) return;
  throw new CheckFailed(
    `${output}: not written: on the built-in sentences its emissions would differ from its source's by a ` +
      `relative L2 of ${small(relativeL2)}, and rounding to ${type} explains at most ${
        MOST[type]
      }. ` +
      "Either the weights do not bear it (--dtype f32 keeps them as they are), or this is a fault to be " +
      "reported; --force writes it all the same.",
  );
}

/** Runs the packed model and, in float32, the original. */
export async function changeOf(
  original: ModelBundle,
  packed: ModelBundle,
  backend: "int8" | "fp32",
): Promise<Change> {
  const one = await Ner.fromBundle(original, { backend: "fp32" });
  const two = await Ner.fromBundle(packed, { backend });
  const meter = new DifferenceMeter();
  const entities: [Span[][], Span[][]] = [[], []];
  let comparable = 0;
  try {
    for (const sentence of SENTENCES) {
      const [old, now] = [await one.emissions(sentence), await two.emissions(sentence)];
      if (sameTokens(old.tokens, now.tokens)) {
        meter.add(now.data, old.data);
        comparable++;
      }
      entities[0].push(await one.extract(sentence));
      entities[1].push(await two.extract(sentence));
    }
  } finally {
    one.close();
    two.close();
  }
  const { support, predicted, correct } = scoreSpans(...entities).micro;
  return { ...meter.value, comparable, before: support, after: predicted, same: correct };
}

/** How many entities there were, are, and stayed. */
export function entitiesText({ before, after, same, comparable }: Change): string {
  return `${before} entities before, ${after} after, ${same} the same` +
    (comparable < SENTENCES.length ? ` (by characters, on all ${SENTENCES.length}).` : ".");
}

/** The report on what quantizing, if it was done, and leaving out cost. */
export function costText(report: QuantizeReport | undefined, change: Change): string {
  const lines: string[] = [];
  if (report && report.tensors.length > 0) {
    const worst = report.tensors.reduce((a, b) => b.relativeError > a.relativeError ? b : a);
    const row = report.tensors.reduce((a, b) => b.worstRowError > a.worstRowError ? b : a);
    lines.push(
      `Relative error of a quantized matrix: at most ${
        small(worst.relativeError)
      } (${worst.name});`,
      `of a row: at most ${small(row.worstRowError)} (row ${row.worstRow} of ${row.name}).`,
    );
  }
  const { comparable } = change;
  lines.push(
    comparable === 0
      ? `None of ${SENTENCES.length} built-in sentences has the tokens it had, so emissions cannot be ` +
        "compared with float32's;"
      : `On ${comparable} built-in sentences, against float32: emissions differ by a relative L2 of ` +
        `${small(change.relativeL2)}, at most ${small(change.maxAbs)};`,
    entitiesText(change),
  );
  return lines.map((line) => line + "\n").join("");
}
