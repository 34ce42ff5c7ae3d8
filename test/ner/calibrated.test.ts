/**
 * A calibrated model: the same entities with other scores, wherever these come from, and that its temperature goes with it.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scoredSpans } from "../../src/eval/calibration.ts";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { writeCheckpoint } from "../../src/formats/hf/write_checkpoint.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { writeExport } from "../../src/formats/write_export.ts";
import { NerError } from "../../src/errors.ts";
import { withoutLexicons } from "../../src/model/without_lexicons.ts";
import { Ner } from "../../src/runtime/ner.ts";

const bytes = await readFile(new URL("../../models/meder/meder-int8.safetensors", import.meta.url));
const { temperature: _, ...plain } = readPackage(bytes);
const warm = { ...plain, temperature: 2.5 };
const TEXT = "রোগীর তিন দিন ধরে জ্বর ও মাথাব্যথা, তাকে প্যারাসিটামল ৫০০ মিলিগ্রাম দেওয়া হয়েছে।";

test("the same is found, with the scores of the temperature", async () => {
  const cold = await Ner.fromBundle(plain), ner = await Ner.fromBundle(warm);
  const before = await cold.extract(TEXT), after = await ner.extract(TEXT);
  const place = ({ type, start, end }: typeof before[0]) => [type, start, end];
  assert.ok(before.length > 2);
  assert.equal(after.map(place), before.map(place));
  const { labels, data } = await ner.emissions(TEXT);
  assert.equal(data, (await cold.emissions(TEXT)).data);
  const want = scoredSpans(data, labels, plain.crf, { temperature: 2.5 });
  after.forEach(({ score }, i) => {
    assert.ok(Math.abs(score - want[i]!.score) < 1e-5, `${score}, expected ${want[i]!.score}`);
    assert.ok(Math.abs(score - before[i]!.score) > 0.01, "no different from before");
  });
  // A document, a stream and marginals are of the same CRF.
  const document = [];
  for await (const entity of ner.extractDocument([TEXT])) document.push(entity);
  assert.equal(document, after);
  const [{ data: marginals }] = await ner.probabilitiesBatch([TEXT]);
  const [{ data: colder }] = await cold.probabilitiesBatch([TEXT]);
  const least = (rows: Float32Array) =>
    rows.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0);
  assert.ok(least(marginals) > least(colder), "a temperature above 1 makes less sure");
  cold.close();
  ner.close();
});

test("without a CRF the softmax is that of the temperature", async () => {
  const ner = await Ner.fromBundle({ ...warm, crf: undefined });
  const { data } = await ner.probabilities("জ্বর"), { data: rows } = await ner.emissions("জ্বর");
  const size = plain.weights.config.labels.length, first = [...rows.subarray(0, size)];
  const powers = first.map((x) => Math.exp(x / 2.5)), sum = powers.reduce((a, b) => a + b);
  powers.forEach((power, i) => assert.ok(Math.abs(data[i]! - power / sum) < 1e-6));
  ner.close();
});

test("a package, a checkpoint and an export keep the temperature, and none is written for models without", () => {
  const packed = writePackage(warm);
  assert.is(readPackage(packed).temperature, 2.5);
  assert.equal(writePackage(readPackage(packed)), packed);
  const key = (bundle: ModelBundle) =>
    readSafetensors(writePackage(bundle)).metadata.get("temperature");
  assert.equal([key(warm), key(plain)], ["2.5", undefined]);
  const file = (files: ReadonlyMap<string, Uint8Array>, name: string) => files.get(name)!;
  for (const bundle of [warm, plain] as ModelBundle[]) {
    const files = writeCheckpoint(bundle),
      onnx = writeExport(withoutLexicons(bundle), { dtype: "int8" });
    const common = (all: ReadonlyMap<string, Uint8Array>) => ({
      config: file(all, "config.json"),
      tokenizer: file(all, "tokenizer.json"),
      crf: file(all, "crf.safetensors"),
    });
    const read = [
      bundleFromCheckpoint({
        model: file(files, "model.safetensors"),
        features: file(files, "features.safetensors"),
        ...common(files),
      }),
      bundleFromExport({ model: file(onnx, "model.onnx"), ...common(onnx) }),
    ];
    for (const { temperature } of read) assert.is(temperature, bundle.temperature);
  }
});

test("a temperature that cannot be is refused", async () => {
  for (const temperature of [0, -1, NaN, Infinity, 1e-3]) {
    const refused = (error: unknown): boolean =>
      error instanceof NerError && error.code === "model/config" &&
      /temperature/.test(error.message);
    assert.throws(() => writePackage({ ...plain, temperature }), refused);
    await Ner.fromBundle({ ...plain, temperature }).then(
      () => assert.unreachable(),
      (error) => assert.ok(refused(error)),
    );
  }
  const { tensors, metadata } = readSafetensors(writePackage(warm));
  const { xxh32: _, ...rest } = Object.fromEntries(metadata);
  const packed = writeSafetensors(tensors, { ...rest, temperature: "x" });
  assert.throws(() => readPackage(packed), /temperature of the model's scores is NaN/);
});

test.run();
