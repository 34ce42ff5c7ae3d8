/**
 * Results as Markdown tables, for a page to show exactly what a run found.
 *
 * @module
 */
import { isAbsolute } from "node:path";
import { acrossNames, type Cell, type EncoderReport, type Mixed } from "./encoder.ts";
import type { KernelReport } from "./kernels.ts";
import type { RuntimeReport } from "./inside.ts";
import type { Report } from "./report.ts";
import { ms } from "./measure.ts";
import type { TextReport } from "./text.ts";

function grid(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = header.map((_, i) => i === 0 ? "---" : "--:");
  return [header, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

const lastWord = (name: string): string => name.slice(name.lastIndexOf(" ") + 1);

/**
 * Our times, and for each peer the ratio with its own time behind it, runtimes below each other; one table a
 * model, batch and precision.
 */
function encoderTables(reports: readonly EncoderReport[]): string[] {
  const { model } = reports[0], all = reports.flatMap(({ cells }) => cells);
  const cell = (name: string, found: Cell | undefined): string => {
    if (!found) return "";
    const { timings, ratios } = found, timing = timings.find((t) => t.name === name);
    if (!timing) return "failed";
    return name in ratios ? `${ratios[name].toFixed(2)} (${ms(timing.median)})` : ms(timing.median);
  };
  return [...new Set(all.map(({ batch }) => batch))].flatMap((batch) => {
    const lengths = [...new Set(all.filter((c) => c.batch === batch).map((c) => c.length))];
    return ["int8", "fp32"].map((precision) =>
      grid(
        [`${model}, ${precision}, batch ${batch}`, "runtime", ...lengths.map((n) => `${n} tokens`)],
        reports.flatMap(({ runtime, agreement, cells }) => {
          const columns = cells.filter((c) => c.batch === batch);
          if (columns.length === 0) return [];
          const at = (length: number): Cell | undefined => columns.find((c) => c.length === length);
          const engines = agreement.filter(({ name }) => lastWord(name) === precision);
          const across = precision === "int8" ? acrossNames(columns) : [];
          return [
            ...engines.map(({ name }) => [
              columns.some(({ ratios }) => name in ratios)
                ? `edge-ner / ${name} (ms)`
                : `${name}, ms`,
              runtime,
              ...lengths.map((length) => cell(name, at(length))),
            ]),
            ...across.map((name) => [
              name,
              runtime,
              ...lengths.map((length) => at(length)?.across[name]?.toFixed(2) ?? ""),
            ]),
          ];
        }),
      )
    );
  });
}

function mixedTable(
  model: string,
  runtime: string,
  { lengths, tokens, timings, ratios, ratio }: Mixed,
): string {
  return grid(
    [
      `${model}, ${lengths.length} mixed lengths, ${tokens} tokens, ${runtime}`,
      "us a token",
      "edge-ner / this",
    ],
    timings.map((t) => [
      t.name,
      ms(t.median / tokens * 1000),
      ratios[t.name]?.toFixed(2) ?? "",
    ]),
  ) + `\nMixed over best single length: ${ratio.toFixed(2)}\n`;
}

function accuracyTable({ runtime, model, reference, agreement }: EncoderReport): string {
  return grid(
    [`${model}, ${runtime}: emissions against ${reference}`, "relative L2"],
    agreement.filter(({ name }) => name !== reference)
      .map(({ name, relativeL2 }) => [name, relativeL2.toPrecision(2)]),
  );
}

function textTable({ model, texts, rows }: TextReport): string {
  const ways = [...new Set(rows.map(({ name }) => name))];
  return grid(
    [
      `text to entities, ${model}, ${texts} texts`,
      ...ways.flatMap((way) => [`texts/s ${way.split("/")[2]}`, "edge-ner / this"]),
    ],
    [...new Set(rows.map(({ pipeline }) => pipeline))].map((pipeline) => [
      pipeline,
      ...ways.flatMap((way) => {
        const row = rows.find((r) => r.name === way && r.pipeline === pipeline)!;
        return [row.textsPerSecond.toFixed(0), row.ratio.toFixed(2)];
      }),
    ]),
  );
}

/** int8 products by rows, others one a line. */
function kernelTables({ rows }: KernelReport): string[] {
  const of = rows.map(({ name, gops, percentOfPeak, mix }) => {
    const [, kernel, size] = name.split("/");
    return { kernel, size, speed: `${gops.toFixed(1)} (${percentOfPeak.toFixed(0)} %)`, mix };
  });
  const products = of.filter(({ kernel }) => kernel.startsWith("gemm_int8"));
  const others = of.filter((row) => !products.includes(row));
  const tables = [...new Set(products.map(({ kernel }) => kernel))].map((kernel) => {
    const all = products.filter((p) => p.kernel === kernel).map(({ size, speed }) => {
      const [m, ...nk] = size.split("x");
      return { m: Number(m), nk: nk.join("x"), speed };
    });
    const counts = [...new Set(all.map(({ m }) => m))].sort((a, b) => a - b);
    return grid(
      [`${kernel}, GOP/s (of peak)`, ...counts.map((m) => `M = ${m}`)],
      [...new Set(all.map(({ nk }) => nk))].map((nk) => [
        nk,
        ...counts.map((m) => all.find((p) => p.m === m && p.nk === nk)?.speed ?? ""),
      ]),
    );
  });
  if (others.length === 0) return tables;
  return [
    ...tables,
    grid(
      ["kernel", "size", "GOP/s (of peak)", "instructions of the peak"],
      others.map(({ kernel, size, speed, mix }) => [kernel, size, speed, mix]),
    ),
  ];
}

/** A runtime, who took part and who could not. */
function runtimeLine({ runtime, engine, engines, absent }: RuntimeReport): string {
  return `${runtime} (${engine}): ` + [
    ...engines.map(({ name, version }) => `${name}: ${version}`),
    ...absent.map(({ name, reason }) => `${name} left out (${reason})`),
  ].join("; ") + "\n";
}

/** All tables of a run, under lines that say where and how it was taken. */
export function markdown(
  { date, options, machine, runtimes, failed, kernels, encoder, text }: Report,
): string {
  const shown = options.map((option) => isAbsolute(option) ? "PATH" : option);
  const command = ["deno task bench", ...shown].join(" ");
  return [
    `\`${command}\`, ${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores\n`,
    ...runtimes.map(runtimeLine),
    ...failed.map(({ runtime, reason }) => `${runtime} left out (${reason})\n`),
    ...[...new Set(encoder.map(({ model }) => model))].flatMap((model) => {
      const reports = encoder.filter((report) => report.model === model);
      return [
        ...encoderTables(reports),
        ...reports.flatMap(({ runtime, mixed }) =>
          mixed ? [mixedTable(model, runtime, mixed)] : []
        ),
        ...reports.map(accuracyTable),
      ];
    }),
    ...text.map(textTable),
    ...kernelTables(kernels),
  ].join("\n");
}
