/**
 * Targets of training: labelled texts, adapters, and the state of a run.
 *
 * @module
 */
import { labelsOf, readTexts } from "../train.ts";
import type { LabelledTexts } from "../train.ts";
import { readAdapter, writeAdapter } from "../src/formats/hf/adapter.ts";
import { readPackage } from "../src/formats/package/read.ts";
import { ADAPTED, adaptedMap, type Adapter, mergeAdapter } from "../src/model/adapter.ts";
import type { EncoderWeights, F32Matrix } from "../src/model/weights.ts";
import { dequantizeEncoder } from "../src/quantize/encoder.ts";
import { Labeller, reachOf } from "../src/train/data/labels.ts";
import { readState, type RunState, writeState } from "../src/train/loop/state.ts";
import type { Case, Target } from "./case.ts";
import { mutateJson } from "./json.ts";
import { mutateSafetensors } from "./package.ts";
import { must } from "./promises.ts";
import type { Random } from "./random.ts";
import { mixed } from "./text.ts";

const encoder = new TextEncoder();

/** Good files of each kind. */
const DATA: Readonly<Record<string, string>> = {
  "a.jsonl":
    '{"text":"জ্বরে Napa 😀 খান","entities":[{"type":"MED","start":6,"end":10,"text":"Napa"}]}\n' +
    '{"text":"fever","spans":[{"label":"DIS","start":0,"end":5},{"label":"X","start":5,"end":5}]}\n',
  "a.tsv": "Napa\tB-MED\nExtra\tI-MED\n\nfor\tO\nfever\tS-DIS\n\ncough\tE-DIS\n",
  "a.csv": 'Text,Organ,Drug\n"চোখের রোগ, ""জ্বর""",চোখ,"Napa, Ace"\nlines,"li,lines",\n',
};

/** Pieces that mean something to one of the readers. */
const PIECES = [
  "\t",
  "\n",
  "\n\n",
  '"',
  ",",
  "{",
  "}",
  "[]",
  "B-",
  "I-",
  "O",
  "\u0000",
  "\uFEFF",
  "-1",
  "1e9",
  "\ud83d",
];

/** A text with some of its parts gone, doubled, moved or replaced. */
function edited(random: Random, text: string): string {
  for (let edits = random.size(12); edits > 0; edits--) {
    const from = random.int(text.length + 1), to = from + random.size(20);
    const part = text.slice(from, to);
    const insert = random.pick([
      "",
      part + part,
      random.pick(PIECES),
      mixed(random, 20),
      part.repeat(random.size(200)),
    ]);
    text = text.slice(0, from) + insert + text.slice(to);
  }
  return text;
}

const data: Target = {
  name: "data",
  make(random, seeds): Case {
    const name = random.pick(Object.keys(DATA)), text = edited(random, DATA[name]!);
    return {
      files: { [name]: encoder.encode(text) },
      read: () => readTexts(text, name),
      use(value): Promise<number> {
        const { texts } = value as LabelledTexts;
        let size = 0;
        for (const { text: own, entities } of texts) {
          size += own.length;
          let before = 0;
          for (const { type, start, end } of entities) {
            must(
              type !== "" && start >= before && end > start && end <= own.length,
              "a span is none",
            );
            before = end;
          }
        }
        const tokenizer = random.pick(seeds.tokenizers);
        const { ceiling } = reachOf(texts, tokenizer, new Labeller(labelsOf(texts)));
        must(ceiling.micro.f1 >= 0 && ceiling.micro.f1 <= 1, "a score is none");
        return Promise.resolve(4096 * size);
      },
    };
  },
};

/** An adapter for all maps of an encoder. */
function adapterFor(weights: EncoderWeights, random: Random): Adapter {
  const rank = 1 + random.int(3), { labels, hiddenSize } = weights.config;
  const matrix = (rows: number, columns: number): F32Matrix => ({
    type: "f32",
    rows,
    columns,
    data: Float32Array.from({ length: rows * columns }, () => random.unit()),
  });
  return {
    rank,
    alpha: 2,
    labels,
    parts: weights.layers.flatMap((own, layer) =>
      ADAPTED.map((map) => {
        const { linear, rows } = adaptedMap(own, map);
        return { layer, map, a: matrix(rank, own[linear].weight.columns), b: matrix(rows, rank) };
      })
    ),
    classifier: {
      weight: matrix(labels.length, hiddenSize),
      bias: new Float32Array(labels.length),
    },
    crf: undefined,
  };
}

const adapter: Target = {
  name: "adapter",
  make(random, seeds): Case {
    const base = readPackage(seeds.packages[0]!, { allowStripAccents: true });
    const weights = dequantizeEncoder(base.weights), { labels } = weights.config;
    const files = writeAdapter(adapterFor(weights, random), weights.config);
    const model = files.get("adapter_model.safetensors")!, json = files.get("adapter_config.json")!;
    const decoder = new TextDecoder(), odd = random.once(2);
    const bytes = odd ? model : mutateSafetensors(random, model);
    const config = odd ? mutateJson(random, decoder.decode(json)) : json;
    return {
      files: { "adapter_model.safetensors": bytes, "adapter_config.json": config },
      read: () => readAdapter(bytes, { config: decoder.decode(config), labels }),
      use(value): Promise<number> {
        const merged = mergeAdapter(weights, value as Adapter);
        must(merged.layers.length === weights.layers.length, "a layer is missing");
        return Promise.resolve(64 * seeds.packages[0]!.length);
      },
    };
  },
};

const state: Target = {
  name: "state",
  make(random): Case {
    const values = new Map([["a", Float32Array.of(1, 2)]]);
    const run = { options: { rate: 1 }, labels: ["O"] };
    const good: RunState = {
      step: 3,
      epoch: 1,
      batch: 1,
      losses: [1, 1],
      firstLoss: 2,
      best: { epoch: 1, since: 1, score: 0.5 },
      moments: [{ name: "a.m", shape: [2], data: Float32Array.of(1, 2) }],
      bestValues: values,
      average: values,
      values,
    };
    const bytes = mutateSafetensors(random, writeState(good, 1, run));
    return {
      files: { "optimizer.safetensors": bytes },
      read: () => readState(bytes, run),
      use(value): Promise<number> {
        const { step, epoch, batch, losses } = value as RunState;
        must(
          [step, epoch, batch].every((n) => Number.isSafeInteger(n) && n >= 0),
          "a count is none",
        );
        must(losses.length === 2 && losses.every(Number.isFinite), "the losses are none");
        return Promise.resolve(0);
      },
    };
  },
};

/** Targets of training. */
export const TRAINING: readonly Target[] = [data, adapter, state];
