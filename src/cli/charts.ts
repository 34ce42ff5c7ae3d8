/**
 * Charts as SVG: ECharts renders to a string without a DOM. What all of this program's charts share.
 *
 * @module
 */
import { BarChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import {
  GridComponent,
  LegendComponent,
  TitleComponent,
  VisualMapComponent,
} from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([
  ...[BarChart, HeatmapChart, LineChart, ScatterChart],
  ...[GridComponent, LegendComponent, TitleComponent, VisualMapComponent],
  SVGRenderer,
]);

/** Colour-blind safe colours (Okabe and Ito 2008), dark enough on white. */
export const COLORS: readonly string[] = [
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#56B4E9",
  "#E69F00",
];

/** A chart of this option, on white. */
export function svgOf(option: object, width: number, height: number): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ animation: false, backgroundColor: "#ffffff", ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** A point. */
export type Point = readonly [x: number, y: number];

/** A line of a panel. */
export interface Line {
  readonly name: string;
  readonly data: readonly Point[];
  /** Many points close together, drawn thin. */
  readonly fine?: boolean;
}

/** One diagram of several side by side. */
export interface Panel {
  readonly title: string;
  /** A logarithmic y axis. */
  readonly log?: boolean;
  readonly lines: readonly Line[];
}

/** Pixels of one panel. */
const PANEL = { width: 480, height: 360, top: 48, bottom: 80, left: 56, right: 24 } as const;

/** Points of a line; of more, neighbours are drawn as their mean. */
const MOST_POINTS = 1000;

/** At most {@link MOST_POINTS} points, each the mean of as many neighbours. */
export function thinned(data: readonly Point[]): Point[] {
  const size = Math.ceil(data.length / MOST_POINTS);
  if (size <= 1) return [...data];
  return Array.from({ length: Math.ceil(data.length / size) }, (_, i): Point => {
    const part = data.slice(i * size, (i + 1) * size);
    const mean = (k: 0 | 1): number => part.reduce((sum, point) => sum + point[k], 0) / part.length;
    return [mean(0), mean(1)];
  });
}

/** Panels side by side, with steps as their x axes. */
export function panelsSvg(panels: readonly Panel[], steps: number): string {
  const lines = panels.flatMap((panel, i) => panel.lines.map((line) => ({ ...line, panel: i })));
  // A name has one colour, in whatever panels it is.
  const names = [...new Set(lines.map(({ name }) => name))];
  return svgOf(
    {
      legend: { bottom: 8, data: names },
      title: panels.map(({ title }, i) => ({
        text: title,
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
      xAxis: panels.map((_, i) => ({
        type: "value",
        gridIndex: i,
        min: 0,
        max: steps,
        name: "steps",
        nameLocation: "middle",
        nameGap: 24,
      })),
      yAxis: panels.map(({ log }, i) => ({ type: log ? "log" : "value", gridIndex: i })),
      series: lines.map(({ name, panel, data, fine }) => {
        const points = thinned(data);
        return {
          name,
          type: "line",
          xAxisIndex: panel,
          yAxisIndex: panel,
          color: COLORS[names.indexOf(name) % COLORS.length],
          showSymbol: points.length < 40,
          symbolSize: 5,
          lineStyle: { width: fine ? 1 : 2 },
          data: points,
        };
      }),
    },
    PANEL.width * panels.length,
    PANEL.height,
  );
}
