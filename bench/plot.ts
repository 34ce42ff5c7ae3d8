/**
 * Latency against sequence length, every engine a line, drawn by ECharts on the server side.
 *
 * ECharts renders to an SVG string without a DOM, which few libraries do. Both axes are logarithmic: lengths
 * double, and engines differ by factors.
 *
 * @module
 */
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { EncoderReport } from "./encoder.ts";

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Pixels of one model's panel. */
const PANEL = { width: 560, height: 420, top: 48, bottom: 96, left: 64, right: 24 } as const;

/** Colour-blind safe colours (Okabe and Ito 2008), one an engine; the precision is the line's style. */
const COLORS: readonly string[] = ["#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7"];

/** Models and runtimes side by side at batch 1, or undefined if no model has two lengths there. */
export function latencySvg(reports: readonly EncoderReport[]): string | undefined {
  const panels = reports
    .map((report) => ({ ...report, cells: report.cells.filter(({ batch }) => batch === 1) }))
    .filter(({ cells }) => cells.length > 1);
  if (panels.length === 0) return undefined;
  const names = [...new Set(panels.flatMap((p) => p.agreement.map(({ name }) => name)))];
  const engines = [...new Set(names.map((name) => name.replace(/ (int8|fp32)$/, "")))];
  const chart = init(null, null, {
    renderer: "svg",
    ssr: true,
    width: PANEL.width * panels.length,
    height: PANEL.height,
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    legend: { bottom: 8, data: names, itemWidth: 32 },
    title: panels.map(({ model, runtime }, i) => ({
      text: `Encoder "${model}", ${runtime}, batch 1: median ms by tokens`,
      left: i * PANEL.width + PANEL.left,
      top: 12,
      textStyle: { fontSize: 14 },
    })),
    grid: panels.map((_, i) => ({
      left: i * PANEL.width + PANEL.left,
      width: PANEL.width - PANEL.left - PANEL.right,
      top: PANEL.top,
      bottom: PANEL.bottom,
    })),
    xAxis: panels.map(({ cells }, i) => ({
      type: "log",
      logBase: 2,
      gridIndex: i,
      min: cells[0].length,
      max: cells[cells.length - 1].length,
      name: "tokens",
      nameLocation: "middle",
      nameGap: 24,
    })),
    yAxis: panels.map((_, i) => ({ type: "log", gridIndex: i })),
    series: panels.flatMap(({ cells }, panel) =>
      names.map((name) => {
        const color = COLORS[engines.findIndex((e) => name.startsWith(e)) % COLORS.length];
        return {
          name,
          type: "line" as const,
          xAxisIndex: panel,
          yAxisIndex: panel,
          color,
          symbolSize: 6,
          lineStyle: {
            width: name.startsWith("edge-ner") ? 3 : 1.5,
            type: name.endsWith("int8") ? "solid" as const : "dashed" as const,
          },
          data: cells.flatMap(({ length, timings }) => {
            const timing = timings.find((t) => t.name === name);
            return timing ? [[length, timing.median]] : [];
          }),
        };
      })
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
