/** Which adapters are programs on the processor, by what they say of themselves; and what is no GPU at all. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { InputError, Ner } from "../../mod.ts";
import { type AdapterInfo, describe, isSoftware } from "../../src/runtime/gpu/gpu.ts";

const model = new Uint8Array(0);

test("programs on the processor are known by any of their words, or by saying so", () => {
  const programs: AdapterInfo[] = [
    // As wgpu in Deno, and Dawn in Node and in Chromium, describe them.
    { vendor: "65541", description: "llvmpipe (LLVM 15.0.6, 256 bits)" },
    {
      vendor: "google",
      architecture: "swiftshader",
      device: "0xc0de",
      description: "SwiftShader driver 5.0.0",
    },
    { vendor: "google", architecture: "swiftshader" },
    { vendor: "mesa", device: "lavapipe" },
    { vendor: "microsoft", architecture: "warp" },
    { description: "Microsoft Basic Render Driver" },
    { vendor: "intel", isFallbackAdapter: true },
  ];
  for (const info of programs) assert.ok(isSoftware(info), JSON.stringify(info));
});

test("GPUs are none, also one that says little", () => {
  const gpus: AdapterInfo[] = [
    { vendor: "nvidia", architecture: "ada", description: "NVIDIA GeForce RTX 4090" },
    { vendor: "apple", architecture: "metal-3", isFallbackAdapter: false },
    { vendor: "arm", architecture: "valhall", device: "Mali-G715" },
    { vendor: "intel", architecture: "xe-2lpg" },
    // Of whom a name holds letters of another's.
    { description: "Warpcore 9000" },
    {},
  ];
  for (const info of gpus) assert.not.ok(isSoftware(info), JSON.stringify(info));
});

test("an adapter is called by its description, or by its other words", () => {
  assert.is(describe({ vendor: "google", description: "SwiftShader" }), "SwiftShader");
  assert.is(
    describe({ vendor: "apple", architecture: "metal-3", description: "" }),
    "apple metal-3",
  );
  assert.is(describe({}), "an adapter without a name");
});

test("options that are none are refused by name, before anything is opened", async () => {
  for (
    const [option, value] of [
      ["gpu", 7],
      ["gpu", {}],
      ["backend", "cuda"],
      ["gpuPrecision", "f64"],
      ["expect", { tokens: 3, sequences: 4 }],
      ["expect", { tokens: 3 }],
      ["expect", { tokens: 3, sequences: 1, texts: 2 }],
      ["expect", { tokens: 2.5, sequences: 1 }],
      ["choice", "gpu"],
      ["onGpuLost", "log"],
    ] as const
  ) {
    try {
      await Ner.fromBytes(model, { [option]: value } as object);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InputError);
      assert.is((error as InputError).code, "input/option");
      assert.match((error as Error).message, new RegExp(`${option} is`));
    }
  }
});

test.run();
