/**
 * The benchmark runs through: every path once on tiny sizes, in a process of its own as `deno task bench`
 * does it. Nothing is said about times; a number that was measured is positive and finite.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { EncoderReport } from "../../bench/encoder.ts";
import type { Report } from "../../bench/report.ts";
import { findRuntime, type Guest } from "../../bench/runtimes.ts";

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

/** Every engine ran at every size and computes the same. */
function checkEncoder(report: EncoderReport, ours: number, peers: number): void {
  const { agreement, cells, reference } = report;
  assert.is(reference, "ort-web 1t fp32");
  assert.is(agreement.length, 2 * (ours + peers));
  assert.ok(agreement.every(({ ok }) => ok));
  assert.is(cells.length, 4);
  for (const { timings, failed, ratios } of cells) {
    assert.equal(failed, []);
    assert.equal(timings.map(({ name }) => name), agreement.map(({ name }) => name));
    assert.ok(timings.every(({ median, p25, p75 }) => p25 <= median && median <= p75));
    assert.is(Object.keys(ratios).length, 2 * peers);
    assert.ok(Object.values(ratios).every(measured));
  }
}

/** A runtime other than Deno that is there already, Bun first because it starts onnxruntime-web fastest. */
async function installedGuest(): Promise<Guest | undefined> {
  for (const name of ["bun", "node24", "node20"] as const) {
    if (await findRuntime(name, false).then(() => true, () => false)) return name;
  }
  return undefined;
}

test("--smoke measures every section and writes it down", async () => {
  const folder = await mkdtemp(join(tmpdir(), "edge-ner-smoke-"));
  try {
    const json = join(folder, "bench.json"), svg = join(folder, "bench.svg");
    const { code, output } = await bench(
      ...["--smoke", "--profile", "--table", "--json", json, "--svg", svg],
    );
    assert.is(code, 0, output);
    const report = JSON.parse(await readFile(json, "utf8")) as Report;

    assert.is(report.runtimes.length, 1);
    const [{ runtime, engines, absent }] = report.runtimes;
    assert.is(runtime, `Deno ${Deno.version.deno}`);
    const count = (kind: string): number =>
      engines.filter(({ name }) => name.startsWith(kind)).length;
    assert.ok(engines.some(({ name }) => name === "ort-web 1t"), output);
    // Not installed with the project: it takes part or is named as left out.
    const left = absent.filter(({ name }) => name.startsWith("transformers.js"));
    assert.is(count("transformers.js") + left.length, 2);
    assert.ok(report.kernels.modules.some(({ state }) => state === "ran"));
    // deno-fmt-ignore
    const kernels = [
      "gemm_int8", "gemm_f32", "quantize", "quantize+gelu", "gelu", "attention_f32", "attention_int8", "add_norm",
      "embed_i8", "embed_i4", "embed_f32", "crf_viterbi", "crf_forward", "crf_backward",
    ];
    for (const kernel of kernels) {
      const row = new RegExp(`^kernels/${kernel.replace("+", "\\+")}[ /]`);
      const rows = report.kernels.rows.filter(({ name }) => row.test(name));
      assert.ok(rows.length > 0, `no row of ${kernel}`);
      for (const row of rows) {
        assert.ok(measured(row.gops) && measured(row.peakGops) && measured(row.percentOfPeak));
      }
    }

    assert.is(report.encoder.length, 1);
    const ours = count("edge-ner"), peers = count("ort-"), [{ mixed }] = report.encoder;
    checkEncoder(report.encoder[0], ours, peers);
    assert.is(mixed!.timings.length, ours + peers);
    assert.is(mixed!.single.length, 2);
    assert.ok([mixed!.ratio, ...Object.values(mixed!.ratios)].every(measured));

    assert.is(report.text.length, 1);
    assert.is(report.text[0].rows.length, 2 * 2 * engines.length);
    assert.ok(report.text[0].rows.every(({ textsPerSecond }) => measured(textsPerSecond)));

    assert.is(report.training.length, 2);
    for (const { name, ours, operations, absent } of report.training) {
      assert.ok([ours.min, ours.median, ours.cpu, ours.bytes, ours.loss].every(measured));
      assert.is(absent, "--torch names no Python");
      if (name.endsWith("/2t")) assert.is(operations, undefined);
      else {
        // Whatever else a step has: forward, backward and optimizer.
        const there = Object.keys(operations!);
        for (const one of ["product_forward", "attention_backward", "adamw"]) {
          assert.ok(there.includes(one), `no time of ${one} among ${there}`);
        }
        // An operation of some floats may be shorter than the clock's step.
        assert.ok(Object.values(operations!).every((ms) => Number.isFinite(ms) && ms >= 0));
      }
    }

    assert.match(
      output,
      /^\| smoke, int8, batch 1 \| runtime \| 4 tokens \| 9 tokens \|\n\| --- \| --: \| --: \| --: \|$/m,
    );
    assert.match(await readFile(svg, "utf8"), /^<svg [^]*edge-ner 1t int8[^]*<\/svg>\s*$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const guest = await installedGuest();
(guest ? test : test.skip)(`--runtime measures inside ${guest ?? "another runtime"}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "edge-ner-smoke-"));
  try {
    const json = join(folder, "bench.json");
    const { code, output } = await bench("--smoke", "--table", "--json", json, "--runtime", guest!);
    assert.is(code, 0, output);
    const report = JSON.parse(await readFile(json, "utf8")) as Report;
    assert.equal(report.failed, []);
    assert.is(report.runtimes.length, 1);
    const [{ runtime, engines }] = report.runtimes;
    assert.match(runtime, /^(Bun|Node) \d+\.\d+\.\d+$/);
    const count = (kind: string): number =>
      engines.filter(({ name }) => name.startsWith(kind)).length;
    assert.is(report.encoder.length, 1);
    assert.is(report.encoder[0].runtime, runtime);
    checkEncoder(report.encoder[0], count("edge-ner"), count("ort-"));
    assert.is(report.kernels.rows.length + report.text.length, 0);
    assert.match(output, `| edge-ner 1t int8, ms | ${runtime} |`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("--help says what there is, and a wrong option says so", async () => {
  const help = await bench("--help");
  assert.is(help.code, 0);
  assert.match(help.output, "--smoke");
  for (
    const args of [
      ["--nonsense"],
      ["--model", "huge"],
      ["--runtime", "deno,node18"],
      ["--seconds", "none"],
      ["--batch", "1,0"],
      ["--length", "513"],
      ["--texts", "no-such-file.txt"],
    ]
  ) {
    const { code, output } = await bench(...args);
    assert.is(code, 2);
    assert.match(output, args.at(-1)!.startsWith("no-such") ? args[1] : args[0]);
  }
});

test.run();
