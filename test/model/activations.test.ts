/** The list of activations: every part of the library knows the same ones and refuses all others. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { encode } from "../../src/backend/encoder.ts";
import { ModelError } from "../../src/errors.ts";
import { hfConfigOf } from "../../src/formats/hf/write_config.ts";
import { encoderToOnnx } from "../../src/formats/onnx/write_encoder.ts";
import {
  type Activation,
  ACTIVATION_NAMES,
  activationNamed,
  ACTIVATIONS,
} from "../../src/model/activations.ts";
import { checkConfig } from "../../src/model/config.ts";
import { erf } from "../../src/model/erf.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { batchOf, configOf, randomWeights, shipped } from "../support.ts";

const chosen = await chooseKernels([await shipped("baseline")]);

/** `toString` is no activation, though every object has one. */
const UNKNOWN = ["softsign", "GELU", "", "toString", "__proto__", undefined, null, 1];

async function refuses(what: string, action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    assert.instance(error, ModelError, `${what}: ${error}`);
    assert.is((error as ModelError).code, "model/config", what);
    assert.match((error as ModelError).message, /activation is .*; expected "gelu" or "/);
    return;
  }
  assert.unreachable(`${what} takes an activation that there is not`);
}

test("an activation that is not in the list is an error wherever one is looked up", async () => {
  const tokenizer = tokenizerFromVocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\nx\n", { strip_accents: false });
  for (const name of UNKNOWN) {
    const config = configOf({ activation: name as Activation });
    const weights = randomWeights(config, 1), batch = batchOf(config, [3], 1);
    await refuses("config", () => checkConfig(config));
    await refuses("reference", () => encode(new ReferenceBackend(weights, 8), batch));
    await refuses("wasm", async () => {
      await encode(
        await WasmBackend.create(chosen, weights, { precision: "fp32", maxTokens: 8 }),
        batch,
      );
    });
    await refuses("ONNX", () => encoderToOnnx(weights));
    await refuses("config.json", () => hfConfigOf(config, tokenizer));
  }
});

test("each has names that lead back to it, in no other's list", () => {
  assert.equal(Object.keys(ACTIVATIONS), ACTIVATION_NAMES);
  for (const activation of ACTIVATION_NAMES) {
    assert.ok(ACTIVATIONS[activation].names.length > 0);
    for (const name of ACTIVATIONS[activation].names) assert.is(activationNamed(name), activation);
  }
  for (const name of UNKNOWN) assert.is(activationNamed(String(name)), undefined);
});

/** The values are those of Abramowitz and Stegun, table 7.1, in ten digits, hence 5e-11. */
test("erf has the values of a table", () => {
  const table = [[0, 0], [0.5, 0.5204998778], [1, 0.8427007929], [1.5, 0.9661051465], [
    2,
    0.9953222650,
  ]];
  for (const [x, y] of [...table, [2.5, 0.9995930480], [3, 0.9999779095], [7, 1]]) {
    assert.ok(Math.abs(erf(x) - y) <= 5e-11, `erf(${x}) = ${erf(x)}`);
    assert.is(erf(-x), -erf(x));
  }
  assert.ok(Number.isNaN(erf(NaN)));
});

test.run();
