/** Activations in training, all that there are: their values and derivatives against the definitions in float64. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ACTIVATION } from "../../src/kernels/contract.ts";
import { Program } from "../../src/kernels/program.ts";
import { ACTIVATION_NAMES, ACTIVATIONS } from "../../src/model/activations.ts";
import { COMMANDS } from "../../src/train/engine/contract.ts";
import { instantiateTrainKernels } from "../../src/train/engine/kernels.ts";
import { trainModule } from "./support.ts";

const memory = new WebAssembly.Memory({ initial: 200, maximum: 200 });
const kernels = await instantiateTrainKernels(await trainModule(), memory);
const floats = new Float32Array(memory.buffer);
const CONTROL = 65536, ROOM = 65536 + 1024, X = 40 * 65536, Y = 41 * 65536;

/** Everywhere that an activation bends, and far out; not 0 itself, where it may have a corner. */
const POINTS = Float32Array.from({ length: 1600 }, (_, i) => (i - 799.5) / 80);

/** What a command leaves at `Y`, where `start` was, of {@link POINTS} at `X`. */
function run(
  operation: "activation_forward" | "activation_backward",
  activation: number,
  start: number,
): Float32Array {
  const n = POINTS.length, row = { items: 1, chunkItems: 1, x: X, n, activation };
  floats.set(POINTS, X >> 2);
  floats.fill(start, Y >> 2, (Y >> 2) + n);
  const program = new Program(COMMANDS, { memory, address: ROOM, capacity: 1 });
  if (operation === "activation_forward") program.add(operation, 1, { ...row, y: Y });
  else program.add(operation, 1, { ...row, dy: Y });
  program.run(kernels, CONTROL);
  return floats.slice(Y >> 2, (Y >> 2) + n);
}

for (const name of ACTIVATION_NAMES) {
  const { value } = ACTIVATIONS[name];

  // Float32 with exp and erf by rational functions: a few roundings of values up to 10.
  test(`${name}: values`, () => {
    for (const [i, y] of run("activation_forward", ACTIVATION[name], 0).entries()) {
      const want = value(POINTS[i]);
      assert.ok(
        Math.abs(y - want) <= 2e-6 * Math.max(1, Math.abs(want)),
        `${POINTS[i]}: ${y}, ${want}`,
      );
    }
  });

  // Central differences of a step of 1e-4 in float64 are good to 1e-8 where the function is smooth.
  test(`${name}: derivatives, multiplied by what comes in`, () => {
    const h = 1e-4;
    for (const [i, dx] of run("activation_backward", ACTIVATION[name], -3).entries()) {
      const x = POINTS[i], want = -3 * (value(x + h) - value(x - h)) / (2 * h);
      assert.ok(Math.abs(dx - want) <= 1e-5 * Math.max(1, Math.abs(want)), `${x}: ${dx}, ${want}`);
    }
  });
}

// Last: a module that has met a trap is not used again.
test("an activation that there is not is a trap and never another one", () => {
  const none = 1 + Math.max(...Object.values(ACTIVATION));
  assert.throws(() => run("activation_forward", none, 0));
});

test.run();
