/**
 * Every loss and the gradient by every parameter, against PyTorch in float64 (tools/fixtures/make_training.py).
 *
 * Tolerance: 2e-6 relative L2 for each tensor. float32 rounds by 6e-8, a pass has some dozens of roundings in
 * a row, and erf is good to 5e-7. The key's bias is the one exception: a softmax does not change when all
 * scores of a query move together, so its derivative is 0, and what is computed is rounding; it is judged
 * by the size of the whole QKV bias's gradient, of which it is a third.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crfLoss, partialCrfLoss } from "../../src/train/losses/crf.ts";
import { crossEntropyLoss, maskedLoss } from "../../src/train/losses/cross_entropy.ts";
import { distillationLoss } from "../../src/train/losses/distillation.ts";
import { replacedLoss } from "../../src/train/losses/replaced.ts";
import { attentionLoss } from "../../src/train/losses/attention.ts";
import type { Example, Loss } from "../../src/train/types.ts";
import { distance, type Fixture, FIXTURES, modelOf, readFixture, trainerOf } from "./support.ts";

const LIMIT = 2e-6;

/** The inner product with a fixed cotangent: the encoder's backward pass by itself. */
function innerProduct(cotangent: Float32Array): Loss {
  return {
    name: "inner product",
    head: "labels",
    count: 1,
    evaluate({ emissions: { rows, columns, start, stride, memory }, cotangent: d, scale }): number {
      let sum = 0;
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < columns; j++) {
          const c = cotangent[r * columns + j];
          sum += c * memory[start + r * stride + j];
          memory[d.start + r * d.stride + j] += scale * c;
        }
      }
      return sum;
    },
  };
}

/** Attention of a teacher with so many heads, three times, beside the cross-entropy. */
function attention(key: string, heads: number) {
  return ({ i32, u8, f32, names }: Fixture): Omit<Example, "batch"> => {
    const layers = names.filter((name) => name.startsWith(`${key}.teacher.`)).map((_, i) => i + 1);
    return {
      loss: crossEntropyLoss(i32("labels")),
      attention: attentionLoss(
        layers,
        layers.map((layer) => f32(`${key}.teacher.${layer - 1}`)),
        { heads, offsets: i32("offsets"), counted: u8("counted"), weight: 3 },
      ),
    };
  };
}

/** The losses of the fixtures by their names there. */
const LOSSES: Readonly<Record<string, (fixture: Fixture) => Loss | Omit<Example, "batch">>> = {
  attention: attention("attention", 2),
  attention_mean: attention("attention_mean", 3),
  inner_product: ({ f32 }) => innerProduct(f32("cotangent")),
  cross_entropy: ({ i32 }) => crossEntropyLoss(i32("labels")),
  crf: ({ i32 }) => crfLoss(i32("labels"), i32("offsets")),
  partial_crf: ({ u8, i32 }) => partialCrfLoss(u8("allowed"), i32("offsets")),
  distillation: ({ f32, u8 }) =>
    distillationLoss(f32("teacher"), u8("counted").length, 2, u8("counted")),
  masked: ({ i32 }) => maskedLoss(i32("masked"), i32("pieces")),
  replaced: ({ i32 }) => replacedLoss(i32("replaced")),
};

for (const [name, config] of Object.entries(FIXTURES)) {
  const fixture = await readFixture(name);
  const model = modelOf(config, (key) => fixture.f32(key));
  const batch = {
    ids: fixture.i32("ids"),
    offsets: fixture.i32("offsets"),
    ...(config.features !== undefined && { features: fixture.f32("features") }),
  };

  test(`${name}: emissions are PyTorch's`, async () => {
    const trainer = await trainerOf(model);
    assert.ok(distance(trainer.emissions(batch), fixture.f64("emissions")) < LIMIT);
    trainer.close();
  });

  for (const checkpointing of [false, true]) {
    for (const [key, make] of Object.entries(LOSSES)) {
      test(`${name}: ${key}${checkpointing ? ", layers computed again" : ""}: loss and gradients`, async () => {
        const trainer = await trainerOf(model, { checkpointing, attention: true });
        const made = make(fixture), asked = "loss" in made ? made : { loss: made };
        const { loss, gradientNorm } = await trainer.step([{ batch, ...asked }], 0);
        const [expected] = fixture.f64(`${key}.loss`);
        assert.ok(
          Math.abs(loss - expected) <= LIMIT * Math.abs(expected),
          `loss ${loss}, expected ${expected}`,
        );
        let worst = 0, worstName = "", squares = 0;
        for (const { name: parameter } of trainer.parameters) {
          const got = trainer.gradient(parameter)!;
          squares += got.reduce((sum, g) => sum + g * g, 0);
          if (!fixture.names.includes(`${key}.${parameter}`)) {
            assert.ok(got.every((g) => g === 0), `${parameter} takes no part, yet has a gradient`);
            continue;
          }
          const far = distance(got, fixture.f32(`${key}.${parameter}`));
          if (far > worst) [worst, worstName] = [far, parameter];
        }
        console.log(`${name} ${key}: worst ${worst.toExponential(2)} (${worstName})`);
        assert.ok(worst <= LIMIT, `${worstName}: relative L2 ${worst}`);
        assert.ok(
          Math.abs(gradientNorm / Math.sqrt(squares) - 1) < 1e-6,
          "the norm is that of the gradients",
        );
        trainer.close();
      });
    }
  }
}

test("odd: five clipped steps are PyTorch's AdamW's", async () => {
  // An epsilon that is large beside small gradients: Adam divides each by its own size, and so makes as much of
  // the rounding of one that is almost 0 as of any other.
  const fixture = await readFixture("odd"),
    model = modelOf(FIXTURES.odd, (key) => fixture.f32(key));
  const trainer = await trainerOf(model, {
    beta1: 0.8,
    beta2: 0.99,
    epsilon: 1e-3,
    weightDecay: 0.1,
    clip: 0.5,
  });
  const batch = { ids: fixture.i32("ids"), offsets: fixture.i32("offsets") };
  const loss = crossEntropyLoss(fixture.i32("labels"));
  for (let i = 0; i < 5; i++) {
    const { gradientNorm } = await trainer.step([{ batch, loss }], 1e-2);
    assert.ok(gradientNorm > 0.5, `the norm is ${gradientNorm}, so nothing is clipped`);
  }
  for (const { name } of trainer.parameters) {
    // How far each has come, against how far PyTorch's has. What only decays moves by a thousandth of itself a
    // step, which float32 rounds to 6e-8 of the whole.
    const from = fixture.f32(name),
      way = (to: Float32Array): Float32Array => to.map((v, i) => v - from[i]);
    const far = distance(way(trainer.read(name)), way(fixture.f32(`adamw.${name}`)));
    assert.ok(far < 5e-5, `${name}: relative L2 ${far}`);
  }
  trainer.close();
});

test.run();
