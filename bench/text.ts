/**
 * Text to entities: the whole way, ours against ONNX Runtime's encoder between our tokenizer and our CRF.
 *
 * Whatever is not the encoder is the same code on both sides, so the difference is the encoder's and that of
 * feeding it: packed sequences here, padded ones there. Texts go one by one, as a server gets them, and all
 * at once, as a batch job has them.
 *
 * A whole pipeline of somebody else (transformers.js, with its own tokenizer and aggregation) would be one
 * more {@link Pipeline} in {@link openPipelines}.
 *
 * @module
 */
import { defaultKernels, type Entity, type ModelBundle, Ner } from "../mod.ts";
import { chooseKernels } from "../src/backend/wasm/kernels.ts";
import { SENTENCES } from "../src/cli/sentences.ts";
import { table } from "../src/cli/table.ts";
import { Crf } from "../src/crf/crf.ts";
import { parseTags, spansOf } from "../src/crf/scheme.ts";
import type { Encoding } from "../src/tokenizer/types.ts";
import { type Budget, type Candidate, spread, takeTurns, type Timing } from "./measure.ts";
import { encoderToOnnx } from "../src/formats/onnx/write.ts";
import { type Engine, longest, type OrtSession } from "./ort.ts";

/** Texts to entities. */
interface Pipeline {
  readonly name: string;
  /** Arithmetic of the encoder's matrix products. */
  readonly precision: "int8" | "fp32";
  extract(texts: readonly string[]): Promise<Entity[][]>;
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
  readonly source: string;
  readonly texts: number;
  readonly tokens: number;
  /** Entities of each pipeline, and how many of them our int8 finds too, same place and type. */
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
  readonly precision: "int8" | "fp32";
  readonly #session: OrtSession;
  readonly #bundle: ModelBundle;
  readonly #crf: Crf;

  constructor(
    engine: string,
    precision: "int8" | "fp32",
    session: OrtSession,
    bundle: ModelBundle,
    crf: Crf,
  ) {
    this.name = `${engine} ${precision}`;
    this.precision = precision;
    this.#session = session;
    this.#bundle = bundle;
    this.#crf = crf;
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
      return this.#entities(texts[i], encoding, emissions);
    });
  }

  /** As the recogniser does it: best path, spans, and each span's probability. */
  #entities(text: string, { starts, ends }: Encoding, emissions: Float32Array): Entity[] {
    const tags = parseTags(this.#bundle.weights.config.labels);
    const path = this.#crf.decode(emissions).labels, spans = spansOf(path, tags);
    if (spans.length === 0) return [];
    const lattice = this.#crf.lattice(emissions);
    return spans.map((span) => {
      const inside = tags.findIndex((tag) =>
        tag.type === span.type && (tag.role === "inside" || tag.role === "plain")
      );
      const start = starts[span.first], end = ends[span.last];
      const score = this.#crf.spanProbability(emissions, path, span, inside, lattice);
      return { type: span.type, text: text.slice(start, end), start, end, score };
    });
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

/** Ours first, then every engine at both precisions. */
async function openPipelines(bundle: ModelBundle, engines: readonly Engine[]): Promise<Pipeline[]> {
  const pipelines: Pipeline[] = [];
  for (const precision of ["int8", "fp32"] as const) {
    const ner = await Ner.fromBundle(bundle, { backend: precision });
    pipelines.push({
      name: `edge-ner 1t ${precision}`,
      precision,
      extract: (texts) => ner.extractBatch(texts),
      close: () => ner.close(),
    });
  }
  const chosen = await chooseKernels(await defaultKernels());
  const crf = await Crf.create(chosen, parseTags(bundle.weights.config.labels), bundle.crf, true);
  for (const precision of ["int8", "fp32"] as const) {
    const file = encoderToOnnx(bundle.weights, precision === "int8");
    for (const engine of engines) {
      const session = await engine.open(file);
      pipelines.push(new OrtPipeline(engine.name, precision, session, bundle, crf));
    }
  }
  return pipelines;
}

const keys = (entities: readonly Entity[][]): string[] =>
  entities.flatMap((list, i) => list.map((e) => `${i} ${e.start} ${e.end} ${e.type}`));

/** Times all ways whose name contains `filter`; undefined if there is none. */
export async function benchText(
  load: () => Promise<{ bundle: ModelBundle; source: string }>,
  model: string,
  engines: readonly Engine[],
  filter: string,
  budget: Budget,
  note: (text: string) => void,
): Promise<TextReport | undefined> {
  const ways = [
    { name: `text/${model}/one by one`, groups: SENTENCES.map((text) => [text]) },
    { name: `text/${model}/all at once`, groups: [SENTENCES] },
  ].filter(({ name }) => name.includes(filter));
  if (ways.length === 0) return undefined;
  const { bundle, source } = await load(), room = bundle.weights.config.maxPositions - 2;
  // Longer texts go in windows, which a single run of the graph cannot be compared with.
  const fits = (text: string): boolean => bundle.tokenizer.encode(text).ids.length <= room;
  const texts = SENTENCES.filter(fits);
  const pipelines = await openPipelines(bundle, engines), rows: TextRow[] = [];
  for (const { name, groups } of ways) {
    note(name);
    const fitting = groups.map((group) => group.filter(fits)).filter((group) => group.length > 0);
    const candidates = pipelines.map(({ name, extract }, i): Candidate => ({
      name,
      run: async () => {
        for (const group of fitting) await extract.call(pipelines[i], group);
      },
    }));
    const timings = await takeTurns(candidates, budget);
    for (const [i, timing] of timings.entries()) {
      const { precision } = pipelines[i];
      const ours = timings[pipelines.findIndex((p) => p.precision === precision)];
      rows.push({
        name,
        pipeline: timing.name,
        timing,
        textsPerSecond: texts.length / timing.median * 1000,
        ratio: ours.median / timing.median,
      });
    }
  }
  const found = await Promise.all(pipelines.map(async (p) => keys(await p.extract(texts))));
  const ours = new Set(found[0]);
  for (const pipeline of pipelines) await pipeline.close();
  return {
    source,
    texts: texts.length,
    tokens: texts.reduce((sum, text) => sum + bundle.tokenizer.encode(text).ids.length, 0),
    entities: pipelines.map(({ name }, i) => ({
      pipeline: name,
      found: found[i].length,
      same: found[i].filter((key) => ours.has(key)).length,
    })),
    rows,
  };
}

/** The section as text. */
export function textText({ source, texts, tokens, entities, rows }: TextReport): string {
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
  return `${texts} texts, ${tokens} tokens (${source}).\n` +
    table(["", "texts/s", "ms for all", "edge-ner / this", "entities int8 has too"], cells);
}
