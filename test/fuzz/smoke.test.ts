/**
 * The fuzzer itself: it finds what was planted, its commands repeat it, and the library passes a few seconds.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { concat } from "../../fuzz/bytes.ts";
import { mutateOnnx } from "../../fuzz/onnx.ts";
import { Random } from "../../fuzz/random.ts";
import { parse, write } from "../../fuzz/wire.ts";
import { shared } from "../formats/helpers.ts";

const root = new URL("../../", import.meta.url);

async function fuzz(...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--cached-only", "fuzz/main.ts", ...args],
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1", RESULT_FILE: "" },
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Of this seed's first cases, exactly one of each planted target fails. */
const PLANTED = ["--inject", "test/fuzz/planted.ts", "--seed", "1285", "--seconds", "0"];

/** What is planted, and what must be said of it. */
const EXPECTED: readonly (readonly [string, RegExp])[] = [
  ["planted-error", /^FAIL planted-error \d+: TypeError: /m],
  ["planted-stack", /^FAIL planted-stack \d+: RangeError: Maximum call stack/m],
  ["planted-trap", /^FAIL planted-trap \d+: RuntimeError: unreachable/m],
  ["planted-memory", /^FAIL planted-memory \d+: Violation: reading 8 bytes took 268\d+ bytes/m],
  ["planted-hang", /^FAIL planted-hang \d+: hangs: no answer within 2000 ms/m],
  ["planted-death", /^FAIL planted-death \d+: (hangs|ended its process)/m],
];

test("wrong errors, traps, hangs and memory out of proportion are found", async () => {
  const targets = EXPECTED.flatMap(([name]) => ["--target", name]);
  const { code, output } = await fuzz(...PLANTED, ...targets);
  assert.is(code, 1, output);
  for (const [name, message] of EXPECTED) {
    assert.match(output, message);
    assert.match(output, `${name}: 25 cases, 0 accepted, 1 failed\n       24  package/format\n`);
  }
  assert.match(output, "150 cases, 6 failed\n0 passed, 6 failed");
});

test("the command that is printed with a failure repeats it", async () => {
  const found = await fuzz(...PLANTED, "--target", "planted-error");
  const [said, command] = /^FAIL .*\n +deno task fuzz (.*)$/m.exec(found.output) ?? [];
  assert.ok(said && command, found.output);
  const again = await fuzz(...command!.split(" "));
  assert.is(again.code, 1, again.output);
  assert.match(again.output, said!);
  assert.match(again.output, "0 passed, 1 failed");
});

test("--help and options that cannot be are answered in sentences", async () => {
  const help = await fuzz("--help");
  assert.is(help.code, 0);
  assert.match(help.output, /^Feeds the library.*--target NAME/s);
  const odd = await fuzz("--sedonds", "3");
  assert.is(odd.code, 2);
  assert.match(odd.output, /^Unknown option '--sedonds'[^]*--seconds N/);
  assert.not.match(odd.output, /\n +at /);
});

test("an unknown target is refused", async () => {
  const { code, output } = await fuzz("--target", "nothing", "--case", "1");
  assert.is(code, 2);
  assert.match(
    output,
    "expected onnx, checkpoint, safetensors, package, stream, tokenizer, config, text, graph-change",
  );
});

test("a case is the same whenever it is made", () => {
  const model = shared("tiny-torchscript/model.onnx");
  for (let index = 0; index < 40; index++) {
    const [a, b] = [0, 1].map(() => mutateOnnx(new Random(5, "onnx", index), model));
    assert.equal(a!.model, b!.model);
    assert.equal([...a!.external], [...b!.external]);
  }
});

test("a model that is taken apart and put together is the same", () => {
  for (const name of ["tiny-torchscript", "tiny-dynamo", "tiny-tanh"]) {
    const model = shared(`${name}/model.onnx`);
    assert.equal(write(parse(model)), concat([model]));
  }
});

test("the library passes a few seconds of every target", async () => {
  const { code, output } = await fuzz("--seconds", "4", "--seed", "1");
  assert.is(code, 0, output);
  for (
    const name of [
      "onnx",
      "checkpoint",
      "safetensors",
      "package",
      "stream",
      "tokenizer",
      "config",
      "text",
      "graph-change",
    ]
  ) {
    assert.match(output, new RegExp(`^${name}: \\d+ cases, \\d+ accepted, 0 failed$`, "m"));
  }
});

test.run();
