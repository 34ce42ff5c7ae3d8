/** The choice of a kernel module: every engine's dot product meets the probe. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseKernels } from "../../src/kernels/module.ts";
import { RuntimeError } from "../../src/errors.ts";
import { emulated, shipped } from "../support.ts";

const baseline = await shipped("baseline");

async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    assert.instance(error, RuntimeError);
    return (error as RuntimeError).code;
  }
  return "none";
}

test("an unsigned dot runs the relaxed module as it is", async () => {
  const { kind, signed } = await chooseKernels([await emulated("unsigned"), baseline]);
  assert.equal({ kind, signed }, { kind: "relaxed", signed: false });
});

test("a signed dot runs the relaxed module with flipped activations", async () => {
  const { kind, signed } = await chooseKernels([await emulated("signed"), baseline]);
  assert.equal({ kind, signed }, { kind: "relaxed", signed: true });
});

for (const dot of ["saturating", "doubled"] as const) {
  test(`a ${dot} dot falls back to the baseline module`, async () => {
    const module = await emulated(dot);
    assert.is((await chooseKernels([module, baseline])).kind, "baseline");
    assert.is(await codeOf(chooseKernels([module])), "runtime/kernels");
  });
}

test("a saturating dot runs the pairs module for a model with a lane budget, and for no other", async () => {
  const modules = [await emulated("saturating"), await emulated("saturating", "pairs"), baseline];
  assert.is((await chooseKernels(modules, { lanes: true })).kind, "pairs");
  assert.is((await chooseKernels(modules)).kind, "baseline");
  assert.is(await codeOf(chooseKernels(modules.slice(0, 2))), "runtime/kernels");
});

test("an exact dot runs the relaxed module with a lane budget too", async () => {
  const modules = [await emulated("signed"), await emulated("signed", "pairs"), baseline];
  assert.is((await chooseKernels(modules, { lanes: true })).kind, "relaxed");
});

for (const dot of ["signed", "doubled"] as const) {
  test(`a ${dot} dot of pairs is refused`, async () => {
    const pairs = await emulated(dot, "pairs");
    assert.is((await chooseKernels([pairs, baseline], { lanes: true })).kind, "baseline");
    assert.is(await codeOf(chooseKernels([pairs], { lanes: true })), "runtime/kernels");
  });
}

test("an unsigned dot of pairs that does not saturate is as good", async () => {
  const pairs = await emulated("unsigned", "pairs");
  assert.is((await chooseKernels([pairs], { lanes: true })).kind, "pairs");
});

test("this engine's own dot is judged without a trap", async () => {
  const { kind } = await chooseKernels([await shipped("relaxed"), baseline]);
  assert.ok(kind === "relaxed" || kind === "baseline");
  const lanes = await chooseKernels([await shipped("pairs"), baseline], { lanes: true });
  assert.ok(lanes.kind === "pairs" || lanes.kind === "baseline");
});

test("no module, or something else than a module, is an error that says so", async () => {
  assert.is(await codeOf(chooseKernels([])), "runtime/kernels");
  assert.is(
    await codeOf(chooseKernels([new Uint8Array(8) as unknown as WebAssembly.Module])),
    "runtime/kernels",
  );
});

test("a module of another version is refused", async () => {
  // (module (memory import) (func (export "abi") (result i32) i32.const 99) ...): exports abi only.
  const other = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0],
    ...[7, 7, 1, 3, 0x61, 0x62, 0x69, 0, 0, 10, 7, 1, 5, 0, 0x41, 0xe3, 0, 0x0b],
  ]);
  assert.is(await codeOf(chooseKernels([await WebAssembly.compile(other)])), "runtime/kernels");
});

test.run();
