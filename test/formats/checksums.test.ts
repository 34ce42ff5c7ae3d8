/** Checksums of packages: XXH32 beside its reference, and a flipped bit anywhere in a file. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FormatError, NerError } from "../../src/errors.ts";
import { withChecksums, Xxh32 } from "../../src/formats/package/checksums.ts";
import { type Means, packageOf, readPackage } from "../../src/formats/package/read.ts";
import { collectModel, streamPackage } from "../../src/formats/package/stream.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { loadingKernels } from "../../src/kernels/loading.ts";
import { importSharedMemory } from "../../src/runtime/threads.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { shipped } from "../support.ts";
import { floatsOf, sameBits, shared, throwsCode } from "./helpers.ts";

const bundle = bundleFromExport({
  model: shared("tiny-torchscript/model.onnx"),
  config: shared("tiny-torchscript/config.json"),
  tokenizer: shared("tiny-torchscript/tokenizer.json"),
  crf: shared("tiny-torchscript/crf.safetensors"),
});
const quantized = { ...bundle, weights: quantizeEncoder(bundle.weights).weights };
const bytes = writePackage(quantized);

/** In JavaScript, by each family's kernel, and by one over shared memory. */
const WAYS: readonly (Means | undefined)[] = [
  undefined,
  ...await Promise.all((["relaxed", "pairs", "baseline"] as const).map(async (family) => {
    return await loadingKernels([await shipped(family)]);
  })),
  await loadingKernels([
    await WebAssembly.compile(
      importSharedMemory(await Deno.readFile(new URL("../../wasm/baseline.wasm", import.meta.url))),
    ),
  ]),
];

async function streamed(
  bytes: Uint8Array,
  piece: number,
  means?: Means,
): Promise<ReturnType<typeof readPackage>> {
  const model = await streamPackage(
    {
      size: bytes.length,
      chunks: (async function* () {
        for (let at = 0; at < bytes.length; at += piece) {
          yield await Promise.resolve(bytes.subarray(at, at + piece));
        }
      })(),
    },
    {},
    means,
  );
  return await collectModel(model);
}

/** By python-xxhash 3 (xxhash.xxh32(...).hexdigest()), of the bytes 31 i + 7 modulo 256. */
const REFERENCE: readonly (readonly [number, string])[] = [
  [0, "02cc5d05"],
  [1, "002e0d32"],
  [3, "aca17380"],
  [4, "073faa82"],
  [5, "16ac9537"],
  [15, "9f29f87b"],
  [16, "3f6c9665"],
  [17, "e048ecdb"],
  [31, "00f1525c"],
  [32, "ee42e668"],
  [100, "75936eb8"],
  [1000, "a793e7c7"],
  [65537, "51851338"],
];

test("XXH32 is the reference's, however the bytes are cut and wherever they lie", () => {
  for (const [way, means] of WAYS.entries()) {
    for (const [length, want] of REFERENCE) {
      const data = Uint8Array.from({ length }, (_, i) => 31 * i + 7), where = `${length}, ${way}`;
      assert.is(new Xxh32(means?.stripes).update(data).hex(), want, where);
      for (const piece of [1, 3, 7, 16, 17, 33, 4096]) {
        const sum = new Xxh32(means?.stripes);
        for (let at = 0; at < length; at += piece) sum.update(data.slice(at, at + piece));
        assert.is(sum.hex(), want, `${where} by ${piece}`);
      }
      const moved = new Uint8Array(length + 3);
      moved.set(data, 3);
      assert.is(
        new Xxh32(means?.stripes).update(moved.subarray(3)).hex(),
        want,
        `${where}, not aligned`,
      );
    }
  }
});

test("kernels find the byte that int8 weights must not be, wherever it is, and no other", () => {
  assert.is(WAYS.length, 5);
  for (const [way, means] of WAYS.entries()) {
    assert.ok(way === 0 || means !== undefined, "every module has the kernel");
    for (const length of [1, 16, 31, 1000, 65536 + 40]) {
      const data = Uint8Array.from({ length }, (_, i) => (i % 255 + 129) & 255);
      assert.is(
        new Xxh32(means?.stripes).update(data).least,
        way === 0 && length >= 16,
        `${way} ${length}`,
      );
      for (const at of [0, length >> 1, length - 1, 65535, 65536]) {
        const other = data.slice();
        if (at < length) other[at] = 0x80;
        const cut = new Xxh32(means?.stripes).update(other.subarray(0, length >> 2)).update(
          other.subarray(length >> 2),
        );
        assert.is(cut.least, at < length || (way === 0 && length >= 16), `${way} ${length} ${at}`);
      }
    }
  }
});

test("a weight of -128 is refused by name and place though all sums are right", async () => {
  const { tensors, metadata } = readSafetensors(bytes), name = "embeddings.word.weight";
  const { data, ...described } = tensors.get(name)!, lying = data.slice();
  lying[lying.length - 3] = 0x80;
  const all = new Map(tensors).set(name, { ...described, data: lying });
  const file = writeSafetensors(all, withChecksums(all, Object.fromEntries(metadata)));
  for (const means of WAYS) {
    throwsCode(() => packageOf(file, {}, means), "model/weights", /word.*element \d+ is -128/);
    try {
      await streamed(file, 999, means);
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, /word.*element \d+ is -128/);
    }
  }
});

test("a flipped bit anywhere in a package is an error, read whole or as it arrives", async () => {
  const headerEnd = 8 + new DataView(bytes.buffer).getUint32(0, true);
  // All of the header's bytes by turns of bits, and then bytes far enough apart to meet each tensor.
  // (But for the name of the sums themselves: whoever damages that has the model as it was, unchecked.)
  const name = new TextDecoder("latin1").decode(bytes.subarray(0, headerEnd)).indexOf("xxh32");
  const places = [
    ...Array.from({ length: headerEnd / 5 }, (_, i) => i * 5),
    ...Array.from({ length: (bytes.length - headerEnd) / 97 }, (_, i) => headerEnd + 97 * i),
    bytes.length - 1,
  ].filter((at) => at < name || at >= name + 5);
  for (const [i, at] of places.entries()) {
    const damaged = bytes.slice();
    damaged[at] ^= 1 << (i % 8);
    const means = WAYS[i % WAYS.length];
    assert.throws(
      () => packageOf(damaged, {}, means),
      (e: unknown) => e instanceof NerError,
      `byte ${at}`,
    );
    if (i % 16 > 0) continue;
    try {
      await streamed(damaged, 1000, means);
      assert.unreachable(`bit ${i % 8} of byte ${at}`);
    } catch (error) {
      assert.instance(error, NerError, `byte ${at}: ${error}`);
    }
  }
});

test("what is wrong is said: which tensor, or the header", async () => {
  const damaged = bytes.slice();
  damaged[damaged.length - 1] ^= 4;
  throwsCode(() => readPackage(damaged), "package/checksum", /tensor ".*" is .* not /);
  try {
    await streamed(damaged, 4096);
    assert.unreachable();
  } catch (error) {
    assert.is((error as FormatError).code, "package/checksum");
  }
  const { tensors, metadata } = readSafetensors(bytes);
  const other = { ...Object.fromEntries(metadata), lanes: "{}" };
  throwsCode(() => readPackage(writeSafetensors(tensors, other)), "package/checksum", /its header/);
  const without = { ...Object.fromEntries(metadata), xxh32: "{}" };
  throwsCode(
    () => readPackage(writeSafetensors(tensors, without)),
    "package/metadata",
    /no checksum of its header/,
  );
});

test("a package of before, without checksums, is read as ever", async () => {
  const { tensors, metadata } = readSafetensors(bytes);
  const { xxh32, ...before } = Object.fromEntries(metadata);
  assert.match(xxh32, /"classifier\.bias":"[0-9a-f]{8}"/);
  const old = writeSafetensors(tensors, before);
  sameBits(floatsOf(readPackage(old).weights), floatsOf(quantized.weights));
  sameBits(floatsOf((await streamed(old, 4096)).weights), floatsOf(quantized.weights));
  // Reading and writing it again adds them.
  assert.equal(writePackage(readPackage(old)), bytes);
});

test.run();
