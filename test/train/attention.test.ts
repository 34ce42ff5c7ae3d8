/**
 * Losses on attention weights: what the weights are, derivatives by finite differences, and what must not change a bit. The gradient by
 * every parameter against PyTorch's is in gradients.test.ts.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createTrainer } from "../../src/runtime/trainer.ts";
import { attentionLoss } from "../../src/train/losses/attention.ts";
import { crossEntropyLoss } from "../../src/train/losses/cross_entropy.ts";
import type { Example, TrainerOptions } from "../../src/train/types.ts";
import { batchOf, configOf, random } from "../support.ts";
import { checkSlopes, randomModel, trainerOf } from "./support.ts";

const CONFIG = configOf({
  hiddenSize: 24,
  embeddingSize: 24,
  heads: 4,
  feedForwardSize: 40,
  layers: 3,
  vocabSize: 60,
  maxPositions: 24,
});
const MODEL = randomModel(CONFIG, 3);
// Sequences that fill tiles of four queries and panels of eight keys, and ones that do not.
const BATCH = batchOf(CONFIG, [1, 9, 4, 18], 5), TOKENS = BATCH.ids.length;
const COUNTED = Uint8Array.from({ length: TOKENS }, (_, t) => Number(t % 3 !== 0));

/** The layers' weights of another model, of so many heads. */
async function weightsOf(heads: number, layers: readonly number[]): Promise<Float32Array[]> {
  const other = await trainerOf(randomModel({ ...CONFIG, heads }, 4), { attention: true });
  const weights = other.attention(BATCH, layers);
  other.close();
  return weights;
}

async function exampleOf(heads: number): Promise<Example> {
  const [first, last] = await weightsOf(heads, [1, 3]);
  const labels = Int32Array.from({ length: TOKENS }, (_, t) => COUNTED[t] ? t % 3 : -100);
  // In the other order: the student's first layer is to attend like the teacher's last.
  const attention = attentionLoss([1, 3], [last!, first!], {
    ...{ heads, offsets: BATCH.offsets, counted: COUNTED, weight: 5 },
  });
  return { batch: BATCH, loss: crossEntropyLoss(labels), attention };
}

test("weights are rows that add up to 1, the same alone and in a batch", async () => {
  const trainer = await trainerOf(MODEL, { attention: true });
  const [second] = trainer.attention(BATCH, [2]), { offsets } = BATCH;
  let at = 0;
  for (let i = 1; i < offsets.length; i++) {
    const [from, to] = [offsets[i - 1]!, offsets[i]!], s = to - from, size = 4 * s * s;
    const own = second!.subarray(at, at += size);
    for (let row = 0; row < 4 * s; row++) {
      const sum = own.subarray(row * s, (row + 1) * s).reduce((all, w) => all + w, 0);
      assert.ok(Math.abs(sum - 1) < 1e-6, `row ${row} of sequence ${i}: ${sum}`);
    }
    const alone = { ids: BATCH.ids.slice(from, to), offsets: Int32Array.of(0, s) };
    assert.equal(trainer.attention(alone, [2])[0], own);
  }
  assert.is(at, second!.length);
  trainer.close();
});

for (const heads of [4, 2]) {
  test(`derivatives are those of finite differences, of a teacher with ${heads} heads`, async () => {
    const example = await exampleOf(heads), next = random(5);
    const trainer = await trainerOf(MODEL, { attention: true });
    const { loss } = await trainer.step([example], 0);
    assert.ok(Math.abs(loss - await trainer.evaluate([example])) < 1e-6 * loss);
    const alone = await trainer.evaluate([{ batch: BATCH, loss: example.loss }]);
    assert.ok(loss > alone + 0.1, `${loss}, ${alone} alone`);
    await checkSlopes(trainer, example, {
      names: [
        "embeddings.word.weight",
        "layers.0.attention.qkv.weight",
        "layers.1.feed_forward.up.bias",
        "layers.2.attention.qkv.weight",
      ],
      next,
      h: 5e-4,
    });
    trainer.close();
  });
}

test("a student that attends like its teacher has nothing to learn of it", async () => {
  const trainer = await trainerOf(MODEL, { attention: true });
  const weights = trainer.attention(BATCH, [1, 2, 3]), { loss } = await exampleOf(4);
  const attention = attentionLoss([1, 2, 3], weights, {
    ...{ heads: 4, offsets: BATCH.offsets, counted: COUNTED, weight: 1e3 },
  });
  const both = await trainer.evaluate([{ batch: BATCH, loss, attention }]);
  assert.is(both, await trainer.evaluate([{ batch: BATCH, loss }]));
  trainer.close();
});

test("threads, layers that are computed again and room for more change no bit", async () => {
  const example = await exampleOf(4);
  const bits = async (options: Partial<TrainerOptions>, threads: number): Promise<string> => {
    const trainer = await createTrainer(MODEL, {
      ...{ maxTokens: 64, dropout: 0.1, attention: true, threads, ...options },
    });
    for (let i = 0; i < 3; i++) await trainer.step([example], 1e-3);
    const parts = trainer.parameters.map(({ name }) => trainer.read(name).join());
    trainer.close();
    return parts.join("; ");
  };
  const one = await bits({}, 1);
  assert.is(await bits({}, 2), one);
  assert.is(await bits({ checkpointing: true }, 1), one);
  assert.is(await bits({ maxTokens: 200 }, 1), one);
});

test("without room, without such layers, and without as many weights it is refused", async () => {
  const example = await exampleOf(4);
  const without = await trainerOf(MODEL);
  const refused = async (run: () => unknown, code: string, message: RegExp): Promise<void> => {
    try {
      await run();
    } catch (thrown) {
      const found = thrown as Error & { code: string };
      assert.is(found.code, code);
      assert.match(found.message, message);
      return;
    }
    assert.unreachable();
  };
  await refused(() => without.step([example], 0), "input/option", /made with `attention`/);
  await refused(() => without.attention(BATCH, [1]), "input/option", /made with `attention`/);
  without.close();
  const trainer = await trainerOf(MODEL, { attention: true });
  await refused(() => trainer.attention(BATCH, [4]), "input/option", /is 4; expected 1 to 3/);
  const options = { heads: 4, offsets: BATCH.offsets, counted: COUNTED, weight: 1 };
  const short = attentionLoss([1], [new Float32Array(7)], options);
  const asked = [{ ...example, attention: short }];
  await refused(() => trainer.evaluate(asked), "input/emissions", /has 7 attention weights/);
  await refused(
    () => attentionLoss([1], [], { ...options, weight: 0 }),
    "input/option",
    /the weight is 0; expected more/,
  );
  trainer.close();
});

test.run();
