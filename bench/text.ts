/**
 * Text to entities: the whole way, ours against ONNX Runtime's encoder between our tokenizer and our CRF,
 * and against the pipeline of transformers.js.
 *
 * With ONNX Runtime whatever is not the encoder is the same code on both sides, so the difference is the
 * encoder's and that of feeding it: packed sequences here, padded ones there. transformers.js has nothing
 * of ours. Texts go one by one, as a server gets them, and all in one call, as a batch job has them.
 *
 * @module
 */
import { defaultKernels, type Entity, type ModelBundle } from "../mod.ts";
import { chooseKernels } from "../src/kernels/module.ts";
import { table } from "../src/cli/table.ts";
import { Crf } from "../src/crf/crf.ts";
import { parseTags, type Tag } from "../src/crf/scheme.ts";
import { encoderToOnnx } from "../src/formats/onnx/write_encoder.ts";
import { withoutFeatures } from "../src/model/without_lexicons.ts";
import { entitiesOf } from "../src/ner/entities.ts";
import { type Budget, type Candidate, spread, takeTurns, type Timing, warmUp } from "./measure.ts";
import { rest } from "./rest.ts";
import { type Engine, longest, type OrtSession } from "./ort.ts";
import { type Contender, counterpart, type Ours, type Precision } from "./ours.ts";
import type { Texts } from "./texts.ts";
import { type Found, removeModel, type Transformers, writeModel } from "./transformers.ts";

const PRECISIONS = ["int8", "fp32"] as const;

/** Texts to entities. */
interface Pipeline extends Contender {
  extract(texts: readonly string[]): Promise<Found[][]>;
  close(): Promise<void> | void;
}

/** One pipeline, one way of giving it texts. */
export interface TextRow {
  /** `text/MODEL/one by one`, `text/MODEL/all at once`. */
  readonly name: string;
  readonly pipeline: string;
  /** Of all texts. */
  readonly timing: Timing;
  readonly textsPerSecond: number;
  /** Our time at the same precision over this one's: below 1 we are faster. */
  readonly ratio: number;
}

/** Results of the section. */
export interface TextReport {
  readonly model: string;
  readonly source: string;
  readonly textSource: string;
  readonly texts: number;
  readonly tokens: number;
  /** Entities of each pipeline, and how many of them our int8 finds too, same type and same letters. */
  readonly entities: readonly {
    readonly pipeline: string;
    readonly found: number;
    readonly same: number;
  }[];
  readonly rows: readonly TextRow[];
}

/** ONNX Runtime's encoder in the place of ours. */
class OrtPipeline implements Pipeline {
  readonly name: string;
  readonly precision: Precision;
  readonly threads: number;
  readonly ours = false;
  readonly #session: OrtSession;
  readonly #bundle: ModelBundle;
  readonly #crf: Crf;
  readonly #tags: readonly Tag[];

  constructor(
    engine: Engine,
    precision: Precision,
    session: OrtSession,
    bundle: ModelBundle,
    crf: Crf,
  ) {
    this.name = `${engine.name} ${precision}`;
    this.precision = precision;
    this.threads = engine.threads;
    this.#session = session;
    this.#bundle = bundle;
    this.#crf = crf;
    this.#tags = parseTags(bundle.weights.config.labels);
  }

  async extract(texts: readonly string[]): Promise<Entity[][]> {
    const { tokenizer, weights } = this.#bundle, { labels } = weights.config;
    const encodings = texts.map((text) => tokenizer.encode(text));
    const ids: number[] = [], offsets = [0];
    for (const encoding of encodings) {
      ids.push(tokenizer.cls, ...encoding.ids, tokenizer.sep);
      offsets.push(ids.length);
    }
    const batch = { ids: Int32Array.from(ids), offsets: Int32Array.from(offsets) };
    const rows = await this.#session.run(this.#session.input(batch, tokenizer.pad));
    const width = longest(batch) * labels.length;
    return encodings.map((encoding, i) => {
      const from = i * width + labels.length;
      const emissions = rows.slice(from, from + encoding.ids.length * labels.length);
      return entitiesOf(texts[i], encoding, emissions, this.#crf, this.#tags);
    });
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

/** Every engine at int8 and then at fp32, ours first. */
async function openPipelines(
  bundle: ModelBundle,
  ours: readonly Ours[],
  engines: readonly Engine[],
  others: readonly Transformers[],
): Promise<Pipeline[]> {
  const pipelines: Pipeline[] = [];
  for (const precision of PRECISIONS) {
    for (const { name, threads, recogniser } of ours) {
      const ner = await recogniser(bundle, precision);
      pipelines.push({
        name: `${name} ${precision}`,
        precision,
        threads,
        ours: true,
        extract: (texts) => ner.extractBatch(texts),
        close: () => ner.close(),
      });
    }
  }
  const chosen = await chooseKernels(await defaultKernels());
  const crf = await Crf.create(chosen, parseTags(bundle.weights.config.labels), bundle.crf, true);
  for (const precision of PRECISIONS) {
    const file = encoderToOnnx(withoutFeatures(bundle.weights), { int8: precision === "int8" });
    for (const engine of engines) {
      const session = await engine.open(file);
      pipelines.push(new OrtPipeline(engine, precision, session, bundle, crf));
    }
  }
  const folder = others.length > 0 ? await writeModel(bundle) : undefined;
  try {
    for (const precision of PRECISIONS) {
      for (const { name, threads, open } of others) {
        pipelines.push({
          name: `${name} ${precision}`,
          precision,
          threads,
          ours: false,
          ...await open(folder!, precision),
        });
      }
    }
  } finally {
    if (folder) await removeModel(folder);
  }
  return PRECISIONS.flatMap((p) => pipelines.filter(({ precision }) => precision === p));
}

/** Type and letters: transformers.js gives no places, and a text that was normalized and cut into pieces. */
const keys = (lists: readonly Found[][]): string[] =>
  lists.flatMap((list, i) =>
    list.map(({ type, text }) =>
      `${i} ${type} ${text.normalize("NFC").toLowerCase().replace(/\s/g, "")}`
    )
  );

/** Times all ways whose name contains `filter`; undefined if there is none. */
export async function benchText(
  { bundle, source }: { readonly bundle: ModelBundle; readonly source: string },
  model: string,
  ours: readonly Ours[],
  engines: readonly Engine[],
  others: readonly Transformers[],
  { texts, source: textSource }: Texts,
  filter: string,
  budget: Budget,
  note: (text: string) => void,
): Promise<TextReport | undefined> {
  const ways = [
    { name: `text/${model}/one by one`, groups: texts.map((text) => [text]) },
    { name: `text/${model}/all at once`, groups: [texts] },
  ].filter(({ name }) => name.includes(filter));
  if (ways.length === 0) return undefined;
  note(`text/${model}: loading`);
  const pipelines = await openPipelines(bundle, ours, engines, others), rows: TextRow[] = [];
  const found: string[][] = [];
  for (const pipeline of pipelines) found.push(keys(await pipeline.extract(texts)));
  for (const { name, groups } of ways) {
    note(name);
    const candidates = pipelines.map((pipeline): Candidate => ({
      name: pipeline.name,
      run: async () => {
        for (const group of groups) await pipeline.extract(group);
      },
    }));
    await warmUp(candidates, budget.warmUp);
    const timings = await takeTurns(candidates, budget, rest);
    for (const [i, timing] of timings.entries()) {
      const compared = timings[pipelines.indexOf(counterpart(pipelines, pipelines[i]))];
      rows.push({
        name,
        pipeline: timing.name,
        timing,
        textsPerSecond: texts.length / timing.median * 1000,
        ratio: compared.median / timing.median,
      });
    }
  }
  const first = new Set(found[0]);
  for (const pipeline of pipelines) await pipeline.close();
  return {
    model,
    source,
    textSource,
    texts: texts.length,
    tokens: texts.reduce((sum, text) => sum + bundle.tokenizer.encode(text).ids.length, 0),
    entities: pipelines.map(({ name }, i) => ({
      pipeline: name,
      found: found[i].length,
      same: found[i].filter((key) => first.has(key)).length,
    })),
    rows,
  };
}

/** The section as text. */
export function textText(
  { source, textSource, texts, tokens, entities, rows }: TextReport,
): string {
  const cells = rows.map((r) => {
    const { found, same } = entities.find((e) => e.pipeline === r.pipeline)!;
    return [
      `${r.name.split("/")[2]}: ${r.pipeline}`,
      r.textsPerSecond.toFixed(1),
      spread(r.timing),
      r.ratio.toFixed(2),
      `${same} of ${found}`,
    ];
  });
  return `${texts} texts, ${tokens} tokens (${textSource}); ${source}.\n` +
    table(["", "texts/s", "ms for all", "edge-ner / this", "entities int8 has too"], cells);
}
