import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crfFromSafetensors } from "../../src/formats/hf/crf.ts";
import {
  type Dtype,
  DTYPES,
  readSafetensors,
  type SafeTensor,
  safetensorFloats,
} from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { local, returnsOrTyped, shared, throwsCode } from "./helpers.ts";

const REFERENCE = local("reference.safetensors");

const floats = (...values: number[]): SafeTensor => ({
  dtype: "F32",
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer),
});

/** A file with this header text and this much data. */
function file(header: string, data = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, 8);
  return bytes;
}

test("a file that the reference wrote is read", () => {
  const { tensors, metadata } = readSafetensors(REFERENCE);
  assert.equal([...metadata], [["note", 'quotes " and \\ and রোগ\n']]);
  assert.equal([...tensors.keys()].sort(), [
    "another",
    "byte",
    "empty",
    "float",
    "half",
    "long",
    "scalar",
  ]);
  const float = tensors.get("float")!;
  assert.equal(float.shape, [2, 3]);
  assert.equal([...safetensorFloats(float, "float")], [0, 0.25, 0.5, 0.75, 1, 1.25]);
  assert.equal([...safetensorFloats(tensors.get("scalar")!, "scalar")], [7.5]);
  assert.equal(tensors.get("scalar")!.shape, []);
  assert.equal(tensors.get("empty")!.shape, [0, 4]);
  assert.equal([...tensors.get("byte")!.data], [253, 254, 255, 0, 1, 2, 3]);
  assert.equal([...tensors.get("another")!.data], [1, 0, 1]);
  assert.is(tensors.get("long")!.dtype, "I64");
  assert.is(tensors.get("half")!.dtype, "F16");
  assert.is(float.data.buffer, REFERENCE.buffer);
});

test("files that the reference wrote are written again byte for byte, in whatever order", () => {
  for (const original of [REFERENCE, local("model.safetensors")]) {
    const { tensors, metadata } = readSafetensors(original);
    const shuffled = new Map([...tensors].reverse());
    const fields = metadata.size === 0 ? undefined : Object.fromEntries(metadata);
    assert.equal(writeSafetensors(shuffled, fields), original);
  }
});

test("tensors survive writing and reading, and the bytes depend on nothing else", () => {
  const dtypes = Object.keys(DTYPES) as Dtype[];
  const tensor = fc.tuple(
    fc.constantFrom(...dtypes),
    fc.array(fc.nat(3), { maxLength: 3 }),
    fc.nat(255),
  ).map(([dtype, shape, fill]): SafeTensor => {
    const size = shape.reduce((product, dim) => product * dim, DTYPES[dtype]);
    return { dtype, shape, data: new Uint8Array(size).fill(fill) };
  });
  const name = fc.string().filter((text) => text !== "__metadata__" && text !== "__proto__");
  fc.assert(
    fc.property(
      fc.dictionary(name, tensor, { maxKeys: 6, noNullPrototype: true }),
      fc.dictionary(fc.string().filter((text) => text !== "__proto__"), fc.string(), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
      (entries, fields) => {
        const tensors = new Map(Object.entries(entries));
        const bytes = writeSafetensors(tensors, fields);
        const back = readSafetensors(bytes);
        assert.equal(new Map([...back.tensors].sort()), new Map([...tensors].sort()));
        assert.equal(Object.fromEntries(back.metadata), fields);
        assert.equal(writeSafetensors(back.tensors, Object.fromEntries(back.metadata)), bytes);
        const header = new DataView(bytes.buffer).getUint32(0, true);
        assert.is(header % 8, 0);
      },
    ),
  );
});

test("names that objects treat specially are ordinary names", () => {
  const tensors = new Map([["__proto__", floats(1)], ["constructor", floats(2)], ["1", floats(3)]]);
  const back = readSafetensors(writeSafetensors(tensors)).tensors;
  assert.equal([...back.keys()].sort(), ["1", "__proto__", "constructor"]);
});

test("a writer refuses bytes that do not fit", () => {
  const tensor: SafeTensor = { dtype: "F32", shape: [2], data: new Uint8Array(4) };
  throwsCode(() => writeSafetensors(new Map([["t", tensor]])), "input/tensor", /4 bytes.*needs 8/);
  throwsCode(() => writeSafetensors(new Map([["__metadata__", floats(1)]])), "input/tensor");
});

test("misaligned floats are copied with the same values", () => {
  const original = writeSafetensors(new Map([["t", floats(1.5, -2)]]));
  for (let shift = 0; shift < 8; shift++) {
    const buffer = new Uint8Array(original.length + shift);
    buffer.set(original, shift);
    const tensor = readSafetensors(buffer.subarray(shift)).tensors.get("t")!;
    const values = safetensorFloats(tensor, "t");
    assert.equal([...values], [1.5, -2]);
    assert.is(values.buffer === buffer.buffer, shift % 4 === 0);
  }
  throwsCode(
    () => safetensorFloats({ dtype: "I8", shape: [0], data: new Uint8Array(0) }, "t"),
    "safetensors/tensor",
    /"t" is I8, expected F32/,
  );
});

test("headers that are not what the format asks for", () => {
  const fails = (bytes: Uint8Array, code: string, message?: RegExp): void =>
    throwsCode(() => readSafetensors(bytes), code, message);
  throwsCode(() => readSafetensors("x" as unknown as Uint8Array), "input/bytes");
  fails(new Uint8Array(7), "safetensors/truncated", /7 bytes/);
  fails(Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 0x7b), "safetensors/truncated", /claims 9 bytes/);
  fails(new Uint8Array(16).fill(255), "safetensors/header", /at most/);
  fails(file(""), "safetensors/header", /start with/);
  fails(file(" {}"), "safetensors/header", /start with/);
  fails(file("[]"), "safetensors/header", /start with/);
  fails(file("{"), "safetensors/header", /not JSON/);
  fails(file("{} x"), "safetensors/header", /not JSON/);
  fails(file('{"a":1}'), "safetensors/tensor", /not an object/);
  fails(file('{"__metadata__":[]}'), "safetensors/header", /__metadata__/);
  fails(file('{"__metadata__":{"a":1}}'), "safetensors/header", /not a string/);
  const bad = file('{"a":0}');
  bad[9] = 0xff;
  fails(bad, "safetensors/header", /UTF-8/);
  fails(file("{}", 4), "safetensors/layout", /4 bytes follow/);
  assert.is(readSafetensors(file("{}  ")).tensors.size, 0);
  fails(file("[".repeat(100_000)), "safetensors/header");
  fails(file(`{"a":${"[".repeat(100_000)}`), "safetensors/header");
});

test("keys that occur twice are refused, at any depth and however they are spelled", () => {
  const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  const fails = (header: string): void =>
    throwsCode(() => readSafetensors(file(header, 1)), "safetensors/header", /twice/);
  fails(`{"a":${entry},"a":${entry}}`);
  fails(`{"a":${entry},"\\u0061":${entry}}`);
  fails(`{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}`);
  fails(`{"__metadata__":{"k":"1","k":"2"},"a":${entry}}`);
  // Equal strings that are values, and equal keys of different objects, are no repetition.
  const twice = `{"__metadata__":{"a":"a","b":"a","dtype":"{\\"a\\":1,\\"a\\":2}"},"a":${entry}}`;
  assert.is(readSafetensors(file(twice, 1)).tensors.size, 1);
});

test("tensors that contradict themselves or each other", () => {
  const entry = (dtype: string, shape: string, offsets: string): string =>
    `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
  const fails = (header: string, data: number, code: string, message?: RegExp): void =>
    throwsCode(() => readSafetensors(file(header, data)), code, message);
  const tensor = (dtype: string, shape: string, offsets: string, message: RegExp): void =>
    fails(`{"t":${entry(dtype, shape, offsets)}}`, 8, "safetensors/tensor", message);
  tensor('"F31"', "[2]", "[0,8]", /dtype "F31"/);
  tensor('"toString"', "[2]", "[0,8]", /dtype/);
  tensor("7", "[2]", "[0,8]", /dtype 7/);
  tensor('"F32"', "[-2]", "[0,8]", /shape/);
  tensor('"F32"', "[1.5]", "[0,8]", /shape/);
  tensor('"F32"', '["2"]', "[0,8]", /shape/);
  tensor('"F32"', "[1e300]", "[0,8]", /shape/);
  tensor('"F32"', "[4503599627370496,4503599627370496]", "[0,8]", /overflows/);
  tensor('"F32"', "2", "[0,8]", /shape/);
  tensor('"F32"', "[2]", "[0,8,8]", /3 offsets/);
  tensor('"F32"', "[2]", "[8,0]", /starts at 8 and ends at 0/);
  tensor('"F32"', "[3]", "[0,8]", /8 bytes.*needs 12/);
  tensor('"F32"', "[1]", "[0,8]", /8 bytes.*needs 4/);
  fails(`{"t":${entry('"F32"', "[4]", "[0,16]")}}`, 8, "safetensors/truncated", /ends at 16/);
  const two = (a: string, b: string): string =>
    `{"a":${entry('"U8"', "[4]", a)},"b":${entry('"U8"', "[4]", b)}}`;
  fails(two("[0,4]", "[2,6]"), 8, "safetensors/layout", /"b" starts at 2.*end at 4/);
  fails(two("[0,4]", "[0,4]"), 4, "safetensors/layout");
  fails(two("[0,4]", "[5,9]"), 9, "safetensors/layout", /"b" starts at 5/);
  fails(two("[1,5]", "[5,9]"), 9, "safetensors/layout", /"a" starts at 1/);
  assert.is(readSafetensors(file(two("[4,8]", "[0,4]"), 8)).tensors.size, 2);
});

test("a file cut at any byte, with bytes added or flipped, gives a typed error or a file", () => {
  for (let length = 0; length < REFERENCE.length; length++) {
    assert.not(returnsOrTyped(() => readSafetensors(REFERENCE.slice(0, length))), `cut ${length}`);
  }
  const longer = new Uint8Array(REFERENCE.length + 1);
  longer.set(REFERENCE);
  throwsCode(() => readSafetensors(longer), "safetensors/layout");
  fc.assert(
    fc.property(fc.nat(REFERENCE.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const damaged = REFERENCE.slice();
      damaged[at]! ^= mask;
      returnsOrTyped(() => readSafetensors(damaged));
    }),
    { numRuns: 2000 },
  );
});

test("a CRF is read by pytorch-crf's names, and checked", () => {
  const labels = 7;
  const crf = crfFromSafetensors(shared("tiny-torchscript/crf.safetensors"), labels);
  assert.is(crf.start.length, 7);
  assert.is(crf.end.length, 7);
  assert.is(crf.transitions.length, 49);
  throwsCode(
    () => crfFromSafetensors(shared("tiny-torchscript/crf.safetensors"), 5),
    "crf/tensor",
    /start_transitions has shape \[7\], expected \[5\] for 5 labels/,
  );
  throwsCode(() => crfFromSafetensors(REFERENCE, 7), "crf/tensor", /no tensor "start_transitions"/);
  const tensors = new Map([["start_transitions", floats(0)], ["end_transitions", floats(NaN)], [
    "transitions",
    { ...floats(0), shape: [1, 1] },
  ]]);
  throwsCode(
    () => crfFromSafetensors(writeSafetensors(tensors), 1),
    "model/weights",
    /end_transitions.*element 0 is NaN/,
  );
});

test.run();
