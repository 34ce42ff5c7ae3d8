/** Checksums of packages: XXH32 beside its reference, and a flipped bit anywhere in a file. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type FormatError, NerError } from "../../src/errors.ts";
import { Xxh32 } from "../../src/formats/package/checksums.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { collectModel, streamPackage } from "../../src/formats/package/stream.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { floatsOf, sameBits, shared, throwsCode } from "./helpers.ts";

const bundle = bundleFromExport({
  model: shared("tiny-torchscript/model.onnx"),
  config: shared("tiny-torchscript/config.json"),
  tokenizer: shared("tiny-torchscript/tokenizer.json"),
  crf: shared("tiny-torchscript/crf.safetensors"),
});
const quantized = { ...bundle, weights: quantizeEncoder(bundle.weights).weights };
const bytes = writePackage(quantized);

async function streamed(bytes: Uint8Array, piece: number): Promise<ReturnType<typeof readPackage>> {
  const model = await streamPackage({
    size: bytes.length,
    chunks: (async function* () {
      for (let at = 0; at < bytes.length; at += piece) {
        yield await Promise.resolve(bytes.subarray(at, at + piece));
      }
    })(),
  });
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
  for (const [length, want] of REFERENCE) {
    const data = Uint8Array.from({ length }, (_, i) => 31 * i + 7);
    assert.is(new Xxh32().update(data).hex(), want, `${length} bytes`);
    for (const piece of [1, 3, 7, 16, 17, 33, 4096]) {
      const sum = new Xxh32();
      for (let at = 0; at < length; at += piece) sum.update(data.slice(at, at + piece));
      assert.is(sum.hex(), want, `${length} bytes by ${piece}`);
    }
    const moved = new Uint8Array(length + 3);
    moved.set(data, 3);
    assert.is(new Xxh32().update(moved.subarray(3)).hex(), want, `${length} bytes, not aligned`);
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
    assert.throws(() => readPackage(damaged), (e: unknown) => e instanceof NerError, `byte ${at}`);
    if (i % 16 > 0) continue;
    try {
      await streamed(damaged, 1000);
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
