/**
 * The encoder and the CRF against what PyTorch and pytorch-crf computed (tools/fixtures/make_fixtures.py).
 *
 * Tolerances. fp32 emissions: 1e-5 relative L2, see test/backend/encoder.test.ts. int8: 0.08 on these
 * random weights, ten times larger than trained ones and of width 16 to 36, where an error has few columns to
 * average over (0.055 at worst); what int8 computes is pinned bit for bit in test/backend/int8.test.ts. CRF: float64 on both
 * sides, from float32 parameters: 1e-6 of the score, because pytorch-crf adds in float32.
 */
import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { Crf } from "../../src/crf/crf.ts";
import { parseTags } from "../../src/crf/scheme.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { encode } from "../../src/backend/encoder.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { relativeL2, shipped } from "../support.ts";

interface CrfAnswer {
  path: number[];
  score: number;
  log_partition: number;
  marginals: number[][];
}

interface Sequence {
  ids: number[];
  emissions: number[][];
  crf?: { free: CrfAnswer; bio: CrfAnswer };
}

const chosen = await chooseKernels([await shipped("baseline")]);

for (const name of ["tiny-torchscript", "tiny-dynamo", "tiny-tanh"]) {
  const file = (path: string): Promise<Uint8Array> =>
    readFile(new URL(`../fixtures/${name}/${path}`, import.meta.url));
  const bundle = bundleFromExport({
    model: await file("model.onnx"),
    config: await file("config.json"),
    tokenizer: await file("tokenizer.json"),
    crf: await file("crf.safetensors"),
  });
  const { sequences } = JSON.parse(new TextDecoder().decode(await file("expected.json"))) as {
    sequences: Sequence[];
  };
  const { weights } = bundle, int8 = quantizeEncoder(weights).weights;

  for (
    const [backend, limit] of [
      [new ReferenceBackend(weights, 64), 1e-5],
      [await WasmBackend.create(chosen, weights, { precision: "fp32", maxTokens: 64 }), 1e-5],
      [await WasmBackend.create(chosen, int8, { precision: "int8", maxTokens: 64 }), 0.08],
    ] as const
  ) {
    test(`${name}: ${backend.name} gives PyTorch's emissions`, async () => {
      assert.ok(sequences.length >= 5);
      for (const { ids, emissions } of sequences) {
        const offsets = Int32Array.of(0, ids.length);
        const got = await encode(backend, { ids: Int32Array.from(ids), offsets });
        const error = relativeL2(got, Float32Array.from(emissions.flat()));
        assert.ok(error <= limit, `${ids.length} tokens: relative L2 ${error}`);
      }
    });
  }

  for (const mode of ["free", "bio"] as const) {
    test(`${name}: the CRF (${mode}) gives pytorch-crf's path, partition and marginals`, async () => {
      const tags = parseTags(weights.config.labels), size = tags.length;
      const crf = await Crf.create(chosen, tags, bundle.crf, mode === "bio");
      for (const { emissions, crf: answers } of sequences) {
        const want = answers?.[mode];
        if (!want) continue;
        // The CRF runs over the rows that the answer has: with or without the special tokens.
        const skip = (emissions.length - want.path.length) / 2;
        const rows = Float32Array.from(emissions.slice(skip, skip + want.path.length).flat());
        const { labels, score } = crf.decode(rows);
        assert.equal([...labels], want.path);
        const close = (a: number, b: number): boolean =>
          Math.abs(a - b) <= 1e-6 * (1 + Math.abs(b));
        assert.ok(close(score, want.score), `score ${score}, expected ${want.score}`);
        const { alpha, beta, logPartition } = crf.lattice(rows);
        assert.ok(close(logPartition, want.log_partition));
        want.marginals.forEach((row, t) =>
          row.forEach((p, j) => {
            const got = Math.exp(alpha[t * size + j] + beta[t * size + j] - logPartition);
            assert.ok(Math.abs(got - p) <= 1e-6, `token ${t}, label ${j}: ${got}, expected ${p}`);
          })
        );
      }
    });
  }
}

test.run();
