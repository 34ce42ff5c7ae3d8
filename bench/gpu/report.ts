/**
 * What was measured on GPUs, for people: tables, and a warning where the GPU is none.
 *
 * @module
 */
import { table } from "../../src/cli/table.ts";
import { ms, spread } from "../measure.ts";
import type { GpuBench } from "./measure.ts";

/** Three digits; what could not be measured is a dash. */
const rate = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? "-" : value.toPrecision(3);

const percent = (share: number | undefined): string =>
  share === undefined || Number.isNaN(share) ? "-" : `${(100 * share).toFixed(0)} %`;

/** One runtime's results. */
export function gpuText(bench: GpuBench): string {
  const { runtime, adapter, software, peaks, cells, shares, attention, auto, absent } = bench;
  const names = [...new Set(cells.flatMap(({ timings }) => timings.map(({ name }) => name)))];
  const parts = [`${runtime}, ${adapter}\n`];
  if (software) {
    parts.push(
      "This adapter is a program on the processor. It shows that everything runs; its times mean nothing.\n",
    );
  }
  parts.push(
    `Peaks: f32 ${rate(peaks.f32)}, f16 ${rate(peaks.f16)}, int8 ${rate(peaks.int8)} GOP/s; ` +
      `${rate(peaks.bandwidth)} GB/s\n`,
    ...absent.map(({ name, reason }) => `${name}: left out (${reason})\n`),
    "\nOperations alone\n",
    table(
      ["precision", "operation", "rate", "of peak"],
      shares.map(({ precision, operation, rate: own, unit, share }) => [
        precision,
        operation,
        Number.isNaN(own) ? "-" : `${rate(own)} ${unit}`,
        percent(share),
      ]),
    ),
    "\nAttention alone, one text\n",
    table(
      ["tokens", "ms", "GOP/s", "of peak", "largest buffer, bytes", "all scores, bytes"],
      attention.map(({ length, ms: time, rate: own, share, largest, scores }) => [
        String(length),
        rate(time),
        rate(own),
        percent(share),
        String(largest),
        String(scores),
      ]),
    ),
    "\nms a batch, median (p25-p75); texts a second\n",
    table(
      ["batch x tokens", ...names],
      cells.map(({ batch, length, timings }) => [
        `${batch} x ${length}`,
        ...names.map((name) => {
          const timing = timings.find((t) => t.name === name);
          return timing ? `${spread(timing)}; ${rate(1000 * batch / timing.median)}` : "failed";
        }),
      ]),
    ),
    ...cells.flatMap(({ batch, length, failed }) =>
      failed.map(({ name, reason }) => `${batch} x ${length}: ${name} failed (${reason})\n`)
    ),
    "\nWhat auto chooses\n",
    table(
      ["batch x tokens", "choice", "wasm, ms", "webgpu, ms", "because"],
      auto.map(({ batch, length, report: { choice, race, reason } }) => [
        `${batch} x ${length}`,
        choice,
        race ? ms(race.wasm) : "-",
        race ? ms(race.webgpu) : "-",
        race ? "it is faster" : reason,
      ]),
    ),
  );
  return parts.join("");
}
