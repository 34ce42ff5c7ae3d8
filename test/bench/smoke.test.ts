/**
 * The benchmark runs through: every path once on tiny sizes, in a process of its own as `deno task bench`
 * does it. Nothing is said about times; a number that was measured is positive and finite.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Report } from "../../bench/main.ts";

async function bench(...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "bench/main.ts", ...args],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}

const measured = (value: number): boolean => Number.isFinite(value) && value > 0;

test("--smoke measures every section and writes it down", async () => {
  const folder = await mkdtemp(join(tmpdir(), "edge-ner-smoke-"));
  try {
    const json = join(folder, "bench.json"), svg = join(folder, "bench.svg");
    const { code, output } = await bench("--smoke", "--json", json, "--svg", svg);
    assert.is(code, 0, output);
    const report = JSON.parse(await readFile(json, "utf8")) as Report;

    assert.ok(report.engines.some(({ name }) => name === "ort-web 1t"), output);
    assert.ok(report.kernels.modules.some(({ state }) => state === "ran"));
    for (
      const kernel of ["int8_gemm", "f32_gemm", "int8_quantize", "attention", "add_norm", "crf"]
    ) {
      const rows = report.kernels.rows.filter(({ name }) => name.startsWith(`kernels/${kernel}`));
      assert.ok(rows.length > 0, `no row of ${kernel}`);
      for (const row of rows) {
        assert.ok(measured(row.gops) && measured(row.peakGops) && measured(row.percentOfPeak));
      }
    }

    assert.is(report.encoder.length, 1);
    const [{ agreement, cells }] = report.encoder;
    assert.is(cells.length, 4);
    assert.is(agreement.length, 2 * (report.engines.length + 1));
    for (const { timings, failed, ratios } of cells) {
      assert.equal(failed, []);
      assert.equal(timings.map(({ name }) => name), agreement.map(({ name }) => name));
      assert.ok(timings.every(({ median, p25, p75 }) => p25 <= median && median <= p75));
      assert.is(Object.keys(ratios).length, 2 * report.engines.length);
      assert.ok(Object.values(ratios).every(measured));
    }

    assert.is(report.text.length, 1);
    assert.is(report.text[0].rows.length, 2 * agreement.length);
    assert.ok(report.text[0].rows.every(({ textsPerSecond }) => measured(textsPerSecond)));

    assert.match(await readFile(svg, "utf8"), /^<svg [^]*edge-ner 1t int8[^]*<\/svg>\s*$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("--help says what there is, and a wrong option says so", async () => {
  const help = await bench("--help");
  assert.is(help.code, 0);
  assert.match(help.output, "--smoke");
  for (const args of [["--nonsense"], ["--model", "huge"], ["--seconds", "none"]]) {
    const { code, output } = await bench(...args);
    assert.is(code, 2);
    assert.match(output, args[0]);
  }
});

test.run();
