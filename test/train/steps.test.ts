/**
 * Steps: emissions that are the fp32 backend's, what must not change a bit, and what must be refused.
 */
import { createHash } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { encode } from "../../src/backend/encoder.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { createTrainer } from "../../src/runtime/trainer.ts";
import { crossEntropyLoss, maskedLoss } from "../../src/train/losses/cross_entropy.ts";
import { crfLoss } from "../../src/train/losses/crf.ts";
import { replacedLoss } from "../../src/train/losses/replaced.ts";
import type { Example, TrainableModel, Trainer, TrainerOptions } from "../../src/train/types.ts";
import { batchOf, configOf, random, shipped } from "../support.ts";
import { distance, randomModel, trainerOf } from "./support.ts";

const CONFIG = configOf({
  hiddenSize: 48,
  heads: 3,
  feedForwardSize: 80,
  layers: 3,
  vocabSize: 60,
  maxPositions: 40,
});

function labelsFor(tokens: number, labels: number, seed: number): Int32Array {
  const next = random(seed);
  return Int32Array.from({ length: tokens }, () => Math.floor(next() * labels));
}

/** Examples of two batches, one with each sequence length that tiles and panels end on differently. */
function examples(config = CONFIG): Example[] {
  return [[1, 2, 3, 4, 5, 8, 9], [33, 7, 16]].map((lengths, i) => {
    const batch = batchOf(config, lengths, 3 + i);
    return { batch, loss: crossEntropyLoss(labelsFor(batch.ids.length, config.labels.length, i)) };
  });
}

/** A digest of all parameters and moments, bit by bit. */
function bits(trainer: Trainer): string {
  const tensors = [
    ...trainer.parameters.map(({ name }) => trainer.read(name)),
    ...trainer.moments().map((m) => m.data),
  ];
  const hash = createHash("sha256");
  for (const { buffer } of tensors) hash.update(new Uint8Array(buffer));
  return hash.digest("hex");
}

async function run(
  model: TrainableModel,
  options: Partial<TrainerOptions>,
  steps = 4,
  threads?: number,
): Promise<string> {
  const trainer = threads === undefined
    ? await trainerOf(model, options)
    : await createTrainer(model, { maxTokens: 64, clip: Infinity, threads, ...options });
  for (let i = 0; i < steps; i++) await trainer.step(examples(model.weights.config), 1e-3);
  const found = bits(trainer);
  trainer.close();
  return found;
}

for (
  const [name, parts] of Object.entries({
    "48 wide": {},
    "heads of 6 columns": { hiddenSize: 12, heads: 2, feedForwardSize: 20 },
    "products of more than one block": {
      hiddenSize: 288,
      heads: 4,
      feedForwardSize: 520,
      layers: 1,
    },
    "a projection, tanh GELU, no types": {
      embeddingSize: 24,
      activation: "gelu_tanh" as const,
      typeVocabSize: 0,
    },
    "lexicon features": { features: 9, embeddingSize: 24 },
    "a head of two layers": { head: { size: 20, activation: "tanh" as const } },
  })
) {
  test(`${name}: emissions are the fp32 backend's, bit for bit`, async () => {
    const config = {
      ...CONFIG,
      embeddingSize: ("hiddenSize" in parts ? parts.hiddenSize : undefined) ?? 48,
      ...parts,
    };
    const model = randomModel(config, 11), trainer = await trainerOf(model);
    const backend = await WasmBackend.create(
      await chooseKernels([await shipped("baseline")]),
      model.weights,
      { precision: "fp32", maxTokens: 64 },
    );
    for (const lengths of [[1], [5, 1, 9], [40, 3, 21], [8, 16]]) {
      const batch = batchOf(config, lengths, 5),
        got = trainer.emissions(batch),
        want = await encode(backend, batch);
      assert.equal(new Uint32Array(got.buffer), new Uint32Array(want.buffer), String(lengths));
    }
    backend.close();
    trainer.close();
  });
}

test("dropout: the same seed gives the same bits, another seed or none others", async () => {
  const model = randomModel(CONFIG, 1), first = await run(model, { dropout: 0.1, seed: 5 });
  assert.equal(await run(model, { dropout: 0.1, seed: 5 }), first);
  assert.not.equal(await run(model, { dropout: 0.1, seed: 6 }), first);
  assert.not.equal(await run(model, { dropout: 0 }), first);
});

test("layers that are computed again give the same bits, dropout and all", async () => {
  const model = randomModel(CONFIG, 1), options = { dropout: 0.2, seed: 1 };
  assert.equal(await run(model, { ...options, checkpointing: true }), await run(model, options));
});

test("1, 2 and 3 threads give the same bits, and all take part", async () => {
  const model = randomModel(
    configOf({ ...CONFIG, hiddenSize: 192, embeddingSize: 192, feedForwardSize: 768 }),
    1,
  );
  const options = { dropout: 0.1, seed: 1 }, want = await run(model, options, 12);
  for (const threads of [1, 2, 3]) {
    assert.equal(await run(model, options, 12, threads), want, `${threads} threads`);
  }
  const trainer = await createTrainer(model, { maxTokens: 64, threads: 2 });
  for (let i = 0; i < 200 && !(trainer.threads.chunks[1] > 0); i++) {
    await trainer.step(examples(model.weights.config), 0);
  }
  assert.ok(
    trainer.threads.chunks.every((chunks) => chunks > 0),
    `chunks: ${trainer.threads.chunks}`,
  );
  trainer.close();
});

test("a run that is stopped and restored goes on with the same bits", async () => {
  const model = randomModel(CONFIG, 1), options = { dropout: 0.1, seed: 9 };
  const whole = await run(model, options, 6), first = await trainerOf(model, options);
  for (let i = 0; i < 3; i++) await first.step(examples(), 1e-3);
  const second = await trainerOf(first.model(), options);
  second.restore(first.moments(), first.steps);
  for (let i = 0; i < 3; i++) await second.step(examples(), 1e-3);
  assert.is(second.steps, 6);
  assert.equal(bits(second), whole);
});

test("with dropout, gradients are those of the very function that was computed", async () => {
  // Central differences, extrapolated to a step of 0. In float32 a loss is good to 1e-7, so steps of 1e-2 leave some
  // 1e-5 of the slope; the fifth derivative leaves less than 1e-3 of one that is not small.
  const config = configOf({
    ...CONFIG,
    hiddenSize: 24,
    embeddingSize: 24,
    heads: 2,
    feedForwardSize: 40,
    layers: 2,
    head: { size: 14, activation: "tanh" },
  });
  const model = randomModel(config, 2), trainer = await trainerOf(model, { dropout: 0.3, seed: 3 });
  const [example] = examples(config);
  await trainer.step([example], 0);
  const next = random(4);
  const names = trainer.parameters.map(({ name }) => name);
  const gradients = names.map((name) => trainer.gradient(name)!);
  for (const [i, name] of names.entries()) {
    if (/^(masked|replaced|crf)/.test(name)) continue;
    const at = trainer.read(name), gradient = gradients[i];
    // Towards the gradient, so that the change stands out of the rounding, and a little aside.
    const size = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)) || 1;
    const direction = gradient.map((g) =>
      g / size + 0.3 * (next() - 0.5) / Math.sqrt(gradient.length)
    );
    const lossAt = async (step: number): Promise<number> => {
      trainer.write(name, at.map((value, i) => value + step * direction[i]));
      // The number of the step decides what is dropped: always the first.
      trainer.restore(trainer.moments(), 0);
      const { loss } = await trainer.step([example], 0);
      return loss;
    };
    const difference = async (h: number): Promise<number> =>
      (await lossAt(h) - await lossAt(-h)) / (2 * h);
    const slope = (4 * await difference(1e-2) - await difference(2e-2)) / 3;
    trainer.write(name, at);
    const want = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
    assert.ok(
      Math.abs(slope - want) < 1e-3 * Math.abs(want) + 3e-5,
      `${name}: ${slope}, gradient says ${want}`,
    );
  }
  trainer.close();
});

test("every step drops something else", async () => {
  const model = randomModel(CONFIG, 1),
    trainer = await trainerOf(model, { dropout: 0.1, attentionDropout: 0 });
  const example = examples()[1];
  const seen: number[] = [];
  for (let i = 0; i < 20; i++) {
    await trainer.step([{
      ...example,
      loss: { ...example.loss, evaluate: (input) => (seen.push(example.loss.evaluate(input)), 0) },
    }], 0);
  }
  assert.is(new Set(seen).size, 20);
  trainer.close();
});

test("batches that are accumulated weigh as one batch", async () => {
  const model = randomModel(CONFIG, 1), one = await trainerOf(model), two = await trainerOf(model);
  const lengths = [9, 5, 12, 3],
    whole = batchOf(CONFIG, lengths, 1),
    labels = labelsFor(whole.ids.length, 3, 1);
  const cut = whole.offsets[2];
  const parts = [
    { ids: whole.ids.slice(0, cut), offsets: whole.offsets.slice(0, 3) },
    { ids: whole.ids.slice(cut), offsets: whole.offsets.slice(2).map((offset) => offset - cut) },
  ];
  const a = await one.step([{ batch: whole, loss: crossEntropyLoss(labels) }], 0);
  const b = await two.step(
    parts.map((batch, i) => ({
      batch,
      loss: crossEntropyLoss(i === 0 ? labels.slice(0, cut) : labels.slice(cut)),
    })),
    0,
  );
  // Both are float32; the order of sums differs.
  assert.ok(Math.abs(a.loss - b.loss) < 1e-6);
  for (const { name } of one.parameters) {
    assert.ok(distance(two.gradient(name)!, one.gradient(name)!) < 2e-6, name);
  }
});

test("what is frozen stays, costs no gradient, and changes no other gradient", async () => {
  const model = randomModel(CONFIG, 1), all = await trainerOf(model);
  const [example] = examples();
  await all.step([example], 0);
  for (
    const frozen of [/^embeddings|^layers\.0/, /weight$/, /norm\.weight$/, /^layers|^embeddings/]
  ) {
    const rateOf = ({ name }: { name: string }): number => frozen.test(name) ? 0 : 1;
    const some = await trainerOf(model, { rateOf });
    await some.step([example], 0);
    for (const { name, rate } of some.parameters) {
      assert.equal(some.gradient(name), rate === 0 ? undefined : all.gradient(name), name);
    }
    await some.step([example], 1e-2);
    for (const { name, rate } of some.parameters) {
      assert.is(
        distance(some.read(name), all.read(name)) > 0,
        rate > 0 && !/^(crf|masked|replaced)/.test(name) ||
          rate > 0 && /weight$/.test(name) && !/norm/.test(name),
        name,
      );
    }
    assert.ok(some.memoryBytes <= all.memoryBytes);
  }
});

test("layers that share weights have one gradient, the sum over their uses", async () => {
  const plain = randomModel(CONFIG, 1), [layer] = plain.weights.layers;
  const shared = { ...plain, weights: { ...plain.weights, layers: [layer, layer, layer] } };
  const copied = {
    ...plain,
    weights: { ...plain.weights, layers: Array.from({ length: 3 }, () => structuredClone(layer)) },
  };
  const one = await trainerOf(shared), three = await trainerOf(copied), [example] = examples();
  await one.step([example], 0);
  await three.step([example], 0);
  const name = "feed_forward.up.weight";
  const parts = [0, 1, 2].map((l) => three.gradient(`layers.${l}.${name}`)!);
  const sum = parts[0].map((g, i) => g + parts[1][i] + parts[2][i]);
  assert.ok(distance(one.gradient(`layers.2.${name}`)!, sum) < 2e-6);
  assert.not(one.parameters.some((p) => p.name.startsWith("layers.1")));
  const { layers } = one.model().weights;
  assert.is(layers[0], layers[2]);
});

test("pieces that the data cannot contain take no memory and change nothing", async () => {
  const { weights } = randomModel(CONFIG, 1), model = { weights }, used = new Set<number>();
  for (const { batch } of examples()) batch.ids.forEach((id) => used.add(id));
  const pieces = Int32Array.from([...used].sort((a, b) => a - b));
  assert.ok(pieces.length < CONFIG.vocabSize, "some piece is unused");
  const all = await trainerOf(model, { weightDecay: 0 }),
    some = await trainerOf(model, { weightDecay: 0, pieces });
  for (let i = 0; i < 4; i++) {
    await all.step(examples(), 1e-3);
    await some.step(examples(), 1e-3);
  }
  const [a, b] = [all, some].map((trainer) => trainer.model().weights);
  assert.equal(b.wordEmbedding, a.wordEmbedding);
  assert.equal(b.classifier, a.classifier);
  const unused = [...Array(CONFIG.vocabSize).keys()].find((id) => !used.has(id))!;
  assert.throws(
    () => some.emissions({ ids: Int32Array.of(unused), offsets: Int32Array.of(0, 1) }),
    /pieces/,
  );
});

test("a model learns by each loss, and with all together", async () => {
  const model = randomModel(CONFIG, 1), trainer = await trainerOf(model, { dropout: 0.1, clip: 1 });
  const [{ batch }] = examples(), n = batch.ids.length;
  const losses = [
    crossEntropyLoss(labelsFor(n, 3, 1)),
    crfLoss(labelsFor(n, 3, 1), batch.offsets),
    maskedLoss(Int32Array.of(3, 8, 20), Int32Array.of(4, 7, 9)),
    replacedLoss(labelsFor(n, 2, 5)),
  ];
  const before: number[] = [];
  for (const loss of losses) before.push(await trainer.evaluate([{ batch, loss }]));
  for (let i = 0; i < 40; i++) {
    for (const loss of losses) await trainer.step([{ batch, loss }], 2e-3);
  }
  for (const [i, loss] of losses.entries()) {
    assert.ok(
      await trainer.evaluate([{ batch, loss }]) < before[i] / 2,
      `${loss.name} went from ${before[i]}`,
    );
  }
});

test("a step that diverges says so and leaves everything as it was", async () => {
  const model = randomModel(CONFIG, 1), trainer = await trainerOf(model), [example] = examples();
  await trainer.step([example], 1e-3);
  const name = "layers.1.feed_forward.up.weight", before = bits(trainer), good = trainer.read(name);
  trainer.write(name, good.map((v, i) => i === 5 ? NaN : v));
  await trainer.step([example], 1e-3).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, "input/diverged"),
  );
  trainer.write(name, good);
  assert.equal(bits(trainer), before);
  assert.is(trainer.steps, 1);
  await trainer.step([example], 1e-3);
});

test("wrong arguments give typed errors", async () => {
  const model = randomModel(CONFIG, 1), [example] = examples();
  const codeOf = async (action: () => unknown): Promise<string> => {
    try {
      await action();
    } catch (error) {
      return (error as { code: string }).code;
    }
    return "none";
  };
  for (
    const options of [{ maxTokens: 0 }, { seed: -1 }, { dropout: 1 }, { beta1: 1 }, { clip: 0 }, {
      rateOf: () => -1,
    }]
  ) {
    assert.is(
      await codeOf(() => trainerOf(model, options)),
      "input/option",
      JSON.stringify(options),
    );
  }
  assert.is(
    await codeOf(() => trainerOf({ ...model, masked: model.masked }, { pieces: Int32Array.of(1) })),
    "input/option",
  );
  const trainer = await trainerOf({ weights: model.weights });
  const { batch } = example, n = batch.ids.length;
  for (
    const [code, loss] of [
      ["input/option", maskedLoss(Int32Array.of(1), Int32Array.of(1))],
      ["input/labels", crossEntropyLoss(new Int32Array(3))],
      ["input/labels", crossEntropyLoss(new Int32Array(n).fill(7))],
      ["input/labels", crossEntropyLoss(new Int32Array(n).fill(-100))],
    ] as const
  ) {
    assert.is(await codeOf(() => trainer.step([{ batch, loss }], 0)), code);
  }
  assert.is(await codeOf(() => trainer.step([example], NaN)), "input/option");
  assert.is(await codeOf(() => trainer.read("layers.9.x")), "input/tensor");
  assert.is(
    await codeOf(() => trainer.write("classifier.bias", new Float32Array(5))),
    "input/tensor",
  );
  assert.is(await codeOf(() => trainer.restore([], 1)), "input/tensor");
  trainer.close();
  assert.is(await codeOf(() => trainer.step([example], 0)), "input/closed");
});

test.run();
