/**
 * How a run went, drawn: loss and rate by step, validation scores by epoch. ECharts renders to SVG without a DOM.
 *
 * @module
 */
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { LoggedRecord } from "./train_folder.ts";

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Pixels of one panel. */
const PANEL = { width: 480, height: 360, top: 48, bottom: 80, left: 56, right: 24 } as const;

/** Colour-blind safe colours (Okabe and Ito 2008). */
const COLORS = ["#0072B2", "#D55E00", "#009E73"] as const;

/** A line: its panel, and its points. */
interface Line {
  readonly name: string;
  readonly panel: number;
  readonly data: readonly (readonly [x: number, y: number])[];
}

/** The records of a run as an SVG. */
export function curvesSvg(records: readonly LoggedRecord[]): string {
  const steps = records.flatMap((r) => r.kind === "step" ? [r] : []);
  const epochs = records.flatMap((r) => r.kind === "epoch" ? [r] : []);
  const scored = epochs.flatMap(({ step, scores }) => scores ? [{ step, scores }] : []);
  const lines: readonly Line[] = [
    { name: "loss", panel: 0, data: steps.map(({ step, loss }) => [step, loss]) },
    { name: "epoch's loss", panel: 0, data: epochs.map(({ step, loss }) => [step, loss]) },
    { name: "micro F1", panel: 1, data: scored.map((r) => [r.step, 100 * r.scores.micro.f1]) },
    { name: "macro F1", panel: 1, data: scored.map((r) => [r.step, 100 * r.scores.macro.f1]) },
    { name: "rate", panel: 2, data: steps.map(({ step, rate }) => [step, rate]) },
  ];
  const titles = ["Training loss", "Validation, strict F1", "Rate"];
  const chart = init(null, null, {
    renderer: "svg",
    ssr: true,
    width: PANEL.width * titles.length,
    height: PANEL.height,
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    legend: { bottom: 8, data: lines.map(({ name }) => name) },
    title: titles.map((text, i) => ({
      text,
      left: i * PANEL.width + PANEL.left,
      top: 12,
      textStyle: { fontSize: 14 },
    })),
    grid: titles.map((_, i) => ({
      left: i * PANEL.width + PANEL.left,
      width: PANEL.width - PANEL.left - PANEL.right,
      top: PANEL.top,
      bottom: PANEL.bottom,
    })),
    xAxis: titles.map((_, i) => ({
      type: "value",
      gridIndex: i,
      min: 0,
      max: steps.at(-1)?.step ?? 1,
      name: "steps",
      nameLocation: "middle",
      nameGap: 24,
    })),
    yAxis: titles.map((_, i) => ({
      type: i === 0 ? "log" as const : "value" as const,
      gridIndex: i,
    })),
    series: lines.map(({ name, panel, data }, i) => ({
      name,
      type: "line" as const,
      xAxisIndex: panel,
      yAxisIndex: panel,
      color: COLORS[i % COLORS.length],
      showSymbol: data.length < 40,
      symbolSize: 5,
      lineStyle: { width: name === "loss" ? 1 : 2 },
      data: data.map((point) => [...point]),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
