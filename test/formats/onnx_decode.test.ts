import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeOnnx } from "../../src/formats/onnx/decode.ts";
import { float16ToNumber } from "../../src/formats/floats.ts";
import { tensorFloats, tensorNumbers } from "../../src/formats/onnx/tensor.ts";
import { local, returnsOrTyped, throwsCode } from "./helpers.ts";
import { intAttribute, modelBytes, type ModelSpec, type TensorSpec } from "./onnx_writer.ts";

const bytesOf = (array: ArrayBufferView<ArrayBuffer>): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function tensor(spec: TensorSpec, external?: Map<string, Uint8Array>) {
  return decodeOnnx(modelBytes({ tensors: [spec] }), external).initializers.get("t")!;
}

/** Two inputs, one Add, one output. */
const ADD: ModelSpec = {
  inputs: ["x"],
  outputs: ["y"],
  tensors: [{ name: "b", dims: [2], floats: [1, 2] }],
  nodes: [{ op: "Add", inputs: ["x", "b"], outputs: ["y"], name: "sum" }],
};

test("nodes, values and attributes come out as they are", () => {
  const graph = decodeOnnx(modelBytes({
    ...ADD,
    nodes: [{
      ...ADD.nodes![0]!,
      domain: "ai.onnx",
      attributes: [intAttribute("axis", -1), intAttribute("big", 7)],
    }],
  }));
  assert.is(graph.opset, 20);
  assert.equal(graph.inputs, ["x"]);
  assert.equal(graph.outputs, ["y"]);
  const [node] = graph.nodes;
  assert.is(node!.op, "Add");
  assert.is(node!.domain, "");
  assert.equal(node!.inputs, ["x", "b"]);
  assert.equal([...node!.attributes], [["axis", -1], ["big", 7]]);
});

test("every data type, raw and as a list", () => {
  const cases: [number, TensorSpec, TensorSpec, number[]][] = [
    [1, { raw: bytesOf(Float32Array.of(0.5, -2)) }, { floats: [0.5, -2] }, [0.5, -2]],
    [2, { raw: Uint8Array.of(255, 1) }, { int32s: [255, 1] }, [255, 1]],
    [3, { raw: Uint8Array.of(255, 1) }, { int32s: [-1, 1] }, [-1, 1]],
    [6, { raw: bytesOf(Int32Array.of(-7, 1 << 30)) }, { int32s: [-7, 1 << 30] }, [-7, 1 << 30]],
    [9, { raw: Uint8Array.of(0, 1) }, { int32s: [0, 1] }, [0, 1]],
    [10, { raw: bytesOf(Uint16Array.of(0x3800, 0xc000)) }, { int32s: [0x3800, 0xc000] }, [0.5, -2]],
    [11, { raw: bytesOf(Float64Array.of(0.1, -2)) }, { doubles: [0.1, -2] }, [0.1, -2]],
    [16, { raw: bytesOf(Uint16Array.of(0x3f00, 0xc000)) }, { int32s: [0x3f00, 0xc000] }, [0.5, -2]],
    [
      7,
      { raw: bytesOf(BigInt64Array.of(-1n, 1n << 40n)) },
      { int64s: [-1n, 1n << 40n] },
      [-1, 2 ** 40],
    ],
  ];
  for (const [type, raw, list, values] of cases) {
    for (const spec of [raw, list]) {
      const found = tensor({ ...spec, type, dims: [2] });
      assert.equal(tensorNumbers(found), values, `type ${type}`);
      const floats = tensorFloats(found);
      if (/float/.test(found.type)) assert.equal([...floats!], values.map(Math.fround));
      else assert.is(floats, undefined);
    }
  }
});

test("float16 is exact for every bit pattern", () => {
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    const magnitude = exponent === 31
      ? (fraction === 0 ? Infinity : NaN)
      : exponent === 0
      ? fraction * 2 ** -14
      : (1 + fraction) * 2 ** (exponent - 15);
    const expected = bits >> 15 ? -magnitude : magnitude;
    if (!Object.is(float16ToNumber(bits), expected)) assert.is(float16ToNumber(bits), expected);
  }
});

test("raw data are views; misaligned floats are copied with the same values", () => {
  const values = Float32Array.of(1.5, -2.25, 1e-30);
  const file = modelBytes({ tensors: [{ dims: [3], raw: bytesOf(values) }] });
  let views = 0;
  for (let shift = 0; shift < 4; shift++) {
    const buffer = new Uint8Array(file.length + shift);
    buffer.set(file, shift);
    const found = decodeOnnx(buffer.subarray(shift)).initializers.get("t")!;
    assert.is(found.bytes.buffer, buffer.buffer);
    const floats = tensorFloats(found)!;
    assert.equal(floats, values);
    if (floats.buffer === buffer.buffer) views++;
  }
  assert.is(views, 1);
});

test("external data are taken by name, offset and length", () => {
  const store = new Uint8Array(20);
  store.set(bytesOf(Float32Array.of(3, 4)), 8);
  const external = new Map([["model.onnx.data", store]]);
  const spec = { dims: [2], location: 1 };
  const at = { location: "model.onnx.data", offset: "8", length: "8" };
  const found = tensor({ ...spec, external: at }, external);
  assert.equal([...tensorFloats(found)!], [3, 4]);
  assert.is(found.bytes.buffer, store.buffer);
  assert.equal(
    [...tensor({ ...spec, external: { location: "model.onnx.data" } }, external).bytes],
    [...store.subarray(0, 8)],
  );

  const fails = (entries: Record<string, string>, code: string, message: RegExp): void =>
    throwsCode(() => tensor({ ...spec, external: entries }, external), code, message);
  fails({ ...at, location: "other.data" }, "onnx/external", /"other\.data".*not handed in/);
  throwsCode(() => tensor({ ...spec, external: at }), "onnx/external", /not handed in/);
  for (
    const location of ["../x", "/etc/passwd", "a/../b", "..", "a\\..\\b", "\\\\host\\x", "C:x", ""]
  ) {
    const all = new Map([[location, store]]);
    throwsCode(
      () => tensor({ ...spec, external: { location } }, all),
      "onnx/external",
      /relative name/,
    );
  }
  fails({ ...at, offset: "16" }, "onnx/external", /bytes 16 to 24 of .* which has 20/);
  fails({ ...at, length: "4" }, "onnx/tensor", /4 bytes.*need 8/);
  fails({ ...at, offset: "-8" }, "onnx/tensor", /offset/);
  fails({ ...at, offset: "1e3" }, "onnx/tensor", /offset/);
  fails({ ...at, length: "99999999999999999999" }, "onnx/tensor", /length/);
});

test("a tensor that contradicts itself is refused", () => {
  const fails = (spec: TensorSpec, message: RegExp): void =>
    throwsCode(() => tensor(spec), "onnx/tensor", message);
  fails({ dims: [2], type: 8, raw: new Uint8Array(8) }, /data type 8/);
  fails({ dims: [-2], floats: [1] }, /dimension -2/);
  fails({ dims: [1n << 60n], floats: [1] }, /dimension/);
  fails({ dims: [1 << 30, 1 << 30, 1 << 30], floats: [1] }, /overflow/);
  fails({ dims: [2 ** 40, 2 ** 12, 0], floats: [1] }, /overflow/);
  fails({ dims: [3], raw: new Uint8Array(8) }, /8 bytes.*needs 12/);
  fails({ dims: [1], raw: new Uint8Array(8) }, /8 bytes.*needs 4/);
  fails({ dims: [1000000000] }, /0 bytes/);
  fails({ dims: [3], floats: [1, 2] }, /2 elements.*needs 3/);
  fails({ dims: [2], type: 7, floats: [1, 2] }, /0 elements/);
  fails({ dims: [1], floats: [1], raw: new Uint8Array(4) }, /more than one field/);
  fails({ dims: [1], floats: [1], location: 1, external: { location: "x" } }, /both inside/);
  fails({ dims: [1], floats: [1], location: 7 }, /data location 7/);
  fails({ dims: new Array(65).fill(1), floats: [1] }, /65 dimensions/);
  assert.is(tensor({ dims: [0, 4] }).size, 0);
  assert.is(tensor({ dims: [], floats: [2] }).size, 1);
});

test("a graph whose names do not fit together is refused", () => {
  const fails = (spec: ModelSpec, message: RegExp): void =>
    throwsCode(() => decodeOnnx(modelBytes(spec)), "onnx/graph", message);
  const [add] = ADD.nodes!;
  const [bias] = ADD.tensors!;
  fails({ graph: false }, /no graph/);
  fails({ ...ADD, opset: 0 }, /opset_import/);
  fails({ ...ADD, tensors: [bias!, bias!] }, /two initializers named "b"/);
  fails({ ...ADD, tensors: [{ ...bias!, name: "" }] }, /no name/);
  fails({ ...ADD, inputs: ["x", "x"] }, /inputs/);
  fails({ ...ADD, nodes: [add!, add!] }, /produces "y" a second time/);
  fails({ ...ADD, outputs: ["z"] }, /output "z"/);
  fails({ ...ADD, nodes: [{ ...add!, inputs: ["x", "nowhere"] }] }, /"sum".*"nowhere"/);
  fails({
    ...ADD,
    nodes: [
      { op: "Add", inputs: ["x", "y"], outputs: ["z"] },
      { op: "Add", inputs: ["z", "b"], outputs: ["y"] },
    ],
  }, /cycle/);
  fails({
    ...ADD,
    nodes: [{ ...add!, attributes: [intAttribute("axis", 1), intAttribute("axis", 2)] }],
  }, /two attributes "axis"/);
});

test("nodes that are listed in another order are put in order, and keep their numbers", () => {
  const chain = ["x", "a", "b", "c", "d"].map((from, i, all) => ({
    op: "Add",
    inputs: [from, i > 1 ? all[i - 1]! : "x"],
    outputs: [all[i + 1] ?? "y"],
  }));
  fc.assert(
    fc.property(fc.shuffledSubarray(chain, { minLength: chain.length }), (nodes) => {
      const graph = decodeOnnx(modelBytes({ nodes, inputs: ["x"], outputs: ["y"] }));
      assert.equal(graph.nodes.map(({ outputs }) => outputs[0]), ["a", "b", "c", "d", "y"]);
      assert.ok(graph.nodes.every(({ index, outputs }) => nodes[index]!.outputs[0] === outputs[0]));
    }),
  );
  // Those that do not wait for each other stay as they are listed.
  const apart = ["c", "a", "b"].map((name) => ({ op: "Add", inputs: ["x", "x"], outputs: [name] }));
  const { nodes } = decodeOnnx(modelBytes({ nodes: apart, inputs: ["x"], outputs: ["a"] }));
  assert.equal(nodes.map(({ outputs }) => outputs[0]), ["c", "a", "b"]);
});

test("bytes that are not ONNX are refused", () => {
  throwsCode(() => decodeOnnx("model.onnx" as unknown as Uint8Array), "input/bytes");
  throwsCode(() => decodeOnnx(new Uint8Array(0)), "onnx/graph", /no graph/);
  throwsCode(() => decodeOnnx(new TextEncoder().encode("<html>404</html>")), "onnx/protobuf");
  // ModelProto.graph (field 7) as a varint.
  throwsCode(() => decodeOnnx(Uint8Array.of(0x38, 1)), "onnx/protobuf", /wire type 0/);
  // A graph that claims 2^31 bytes, and one whose node runs past it.
  throwsCode(() => decodeOnnx(Uint8Array.of(0x3a, 0x80, 0x80, 0x80, 0x80, 8)), "onnx/truncated");
  throwsCode(
    () => decodeOnnx(Uint8Array.of(0x3a, 2, 0x0a, 9, ...new Uint8Array(9))),
    "onnx/truncated",
    /GraphProto.*node claims 9 bytes/,
  );
  // Packed floats of five bytes: field 4 of a TensorProto in an initializer.
  const packed = [0x22, 5, 0, 0, 0, 0, 0];
  const file = [0x3a, packed.length + 2, 0x2a, packed.length, ...packed];
  throwsCode(() => decodeOnnx(Uint8Array.from(file)), "onnx/truncated", /inside an element/);
  // Unknown groups, nested deep: field 100, start group.
  const groups = new Uint8Array(200_000);
  for (let i = 0; i < groups.length; i += 2) groups.set([0xa3, 0x06], i);
  throwsCode(() => decodeOnnx(groups), "onnx/protobuf", /recursion/);
});

test("a file cut at any byte gives a typed error", () => {
  const file = modelBytes({
    ...ADD,
    tensors: [...ADD.tensors!, { name: "r", dims: [3], raw: new Uint8Array(12) }],
    nodes: [{ ...ADD.nodes![0]!, attributes: [intAttribute("axis", 300)] }],
  });
  decodeOnnx(file);
  for (let length = 0; length < file.length; length++) {
    assert.not(returnsOrTyped(() => decodeOnnx(file.slice(0, length))), `cut at ${length}`);
  }
  const real = local("dynamo-attention-op.onnx");
  for (let length = 0; length < real.length; length += 37) {
    assert.not(returnsOrTyped(() => decodeOnnx(real.subarray(0, length))), `cut at ${length}`);
  }
});

test("flipped bytes give a model or a typed error", () => {
  const file = local("dynamo-attention-op.onnx");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      }),
      (flips) => {
        const damaged = file.slice();
        for (const [at, mask] of flips) damaged[at]! ^= mask;
        returnsOrTyped(() => decodeOnnx(damaged));
      },
    ),
    { numRuns: 500 },
  );
});

test("random bytes give a typed error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.not(returnsOrTyped(() => decodeOnnx(bytes)));
    }),
    { numRuns: 500 },
  );
});

test.run();
