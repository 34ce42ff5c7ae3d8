/**
 * The figures of `edge-ner report`, drawn from records.
 *
 * @module
 */
import { latencyOf, MODEL_NAMES, ofRole, PAPER, typesOf } from "../../train.ts";
import type { FigureName, ModelRecord } from "../../train.ts";
import { COLORS, panelsSvg, svgOf } from "./charts.ts";
import type { LoggedRecord } from "./train_folder.ts";

/** The records of a run of `train` or `distill`, by the name that the report calls it. */
export interface NamedRun {
  readonly name: string;
  readonly records: readonly LoggedRecord[];
}

const COMPARED = ["teacher", "student", "int8"] as const;

const TITLE = { left: 56, top: 12, textStyle: { fontSize: 14 } } as const;
const AXIS = { nameLocation: "middle", nameTextStyle: { fontSize: 12 } } as const;

/** Rounded to one digit behind the point, which SVGs need no more of. */
const tenths = (value: number): number => Math.round(10 * value) / 10;
const percent = (value: number): number => tenths(100 * value);

/** Every figure that the records have something for. */
export function figuresOf(
  records: readonly ModelRecord[],
  runs: readonly NamedRun[],
): Map<FigureName, string> {
  const figures: readonly (readonly [FigureName, string | undefined])[] = [
    ["truncation.svg", truncation(records)],
    ["curves.svg", curves(runs)],
    ["tradeoff.svg", tradeoff(records)],
    ["confusion.svg", confusion(records)],
    ["classes.svg", classes(records)],
  ];
  return new Map(figures.flatMap(([name, svg]) => svg === undefined ? [] : [[name, svg] as const]));
}

/** The first record of a role: of several seeds the one that was recorded first. */
function first(records: readonly ModelRecord[], role: ModelRecord["role"]) {
  return ofRole(records, role).at(0);
}

function truncation(records: readonly ModelRecord[]): string | undefined {
  const kept = ofRole(records, "truncation");
  const whole = first(records, "teacher");
  const all = [...kept, ...whole ? [whole] : []].toSorted((a, b) => a.layers - b.layers);
  if (kept.length === 0) return undefined;
  const lines = [
    ["word accuracy", (r: ModelRecord) => percent(r.wordAccuracy)],
    ["strict macro F1", (r: ModelRecord) => percent(r.scores.macro.f1)],
  ] as const;
  return svgOf(
    {
      title: { text: "Layers kept of the teacher, untrained", ...TITLE },
      legend: { bottom: 8 },
      grid: { left: 64, right: 32, top: 48, bottom: 80 },
      xAxis: {
        ...AXIS,
        type: "value",
        name: "layers",
        nameGap: 24,
        min: 0,
        max: Math.max(...all.map(({ layers }) => layers)),
        minInterval: 1,
      },
      yAxis: { ...AXIS, type: "value", name: "%", nameGap: 36, min: 0, max: 100 },
      series: lines.map(([name, value], i) => ({
        name,
        type: "line",
        color: COLORS[i],
        symbol: i === 0 ? "emptyCircle" : "circle",
        symbolSize: 8,
        lineStyle: { width: 2, type: i === 0 ? "dashed" : "solid" },
        data: all.map((record) => [record.layers, value(record)]),
      })),
    },
    640,
    400,
  );
}

function curves(runs: readonly NamedRun[]): string | undefined {
  if (runs.length === 0) return undefined;
  const epochs = runs.map(({ name, records }) => ({
    name,
    epochs: records.flatMap((record) => record.kind === "epoch" ? [record] : []),
  }));
  const steps = Math.max(1, ...epochs.flatMap((run) => run.epochs.map(({ step }) => step)));
  return panelsSvg([
    {
      title: "Training loss",
      log: true,
      lines: epochs.map((run) => ({
        name: run.name,
        data: run.epochs.map(({ step, loss }) => [step, loss]),
      })),
    },
    {
      title: "Validation, strict micro F1, %",
      lines: epochs.map((run) => ({
        name: run.name,
        data: run.epochs.flatMap(({ step, scores }) =>
          scores ? [[step, percent(scores.micro.f1)]] : []
        ),
      })),
    },
  ], steps);
}

/** Pixels of a bubble's diameter for the root of a megabyte, so that 600 MB take a sixth of the width. */
const BUBBLE = 4;
const LEAST_BUBBLE = 10;

function tradeoff(records: readonly ModelRecord[]): string | undefined {
  const teacher = first(records, "teacher"), base = teacher && latencyOf(teacher);
  if (base === undefined) return undefined;
  type Bubble = readonly [speedup: number, f1: number, megabytes: number, name: string];
  const ours = COMPARED.flatMap((role): Bubble[] => {
    const own = first(records, role), time = own && latencyOf(own);
    if (!own || !time) return [];
    return [[base / time, percent(own.scores.macro.f1), own.bytes / 1e6, MODEL_NAMES[role]]];
  });
  const paper = COMPARED.flatMap((role): Bubble[] => {
    const { macroF1, megabytes, speedup } = PAPER[role];
    if (megabytes === undefined || speedup === undefined) return [];
    return [[speedup, macroF1, megabytes, MODEL_NAMES[role]]];
  });
  const size = (megabytes: number): string =>
    `${megabytes < 10 ? megabytes.toPrecision(2) : Math.round(megabytes)} MB`;
  const most = Math.max(...[...ours, ...paper].map(([speedup]) => speedup));
  return svgOf(
    {
      title: { text: "Accuracy, speed and size", ...TITLE },
      legend: { bottom: 8 },
      grid: { left: 64, right: 48, top: 76, bottom: 84 },
      xAxis: {
        ...AXIS,
        type: "log",
        logBase: 2,
        min: 0.5,
        max: 2 ** Math.ceil(Math.log2(most * 1.5)),
        name: "speed-up over the teacher",
        nameGap: 26,
      },
      yAxis: { ...AXIS, type: "value", name: "strict macro F1, %", nameGap: 36, min: 0, max: 100 },
      series: [["this run", ours], ["arXiv 2605.25463", paper]].map(([name, data], i) => ({
        name,
        type: "scatter",
        color: COLORS[i],
        // The paper's are rings, so that one bubble on another shows.
        itemStyle: i === 0
          ? { opacity: 0.65 }
          : { color: "rgba(0, 0, 0, 0)", borderColor: COLORS[i], borderWidth: 2 },
        symbolSize: ([, , megabytes]: Bubble) =>
          Math.max(LEAST_BUBBLE, BUBBLE * Math.sqrt(megabytes)),
        label: {
          show: true,
          fontSize: 11,
          color: "#222222",
          formatter: ({ value }: { value: Bubble }) => `${value[3]}\n${size(value[2])}`,
        },
        data: (data as Bubble[]).map((value) => ({
          value,
          // A student and its int8 twin may lie close together.
          label: { position: i === 0 && value[3] !== MODEL_NAMES.int8 ? "top" : "bottom" },
        })),
      })),
    },
    640,
    460,
  );
}

/** The smallest model that was scored: what ships. */
function smallest(records: readonly ModelRecord[]): ModelRecord | undefined {
  return first(records, "int8") ?? first(records, "student") ?? first(records, "teacher");
}

function confusion(records: readonly ModelRecord[]): string | undefined {
  const own = smallest(records);
  if (own === undefined) return undefined;
  const { types, counts } = own.confusion, names = [...types, "(none)"];
  const cells = counts.flatMap((row, gold) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((count, predicted) => ({
      value: [predicted, gold, sum === 0 ? 0 : count / sum, count],
      // White on what is dark.
      label: { color: sum > 0 && count / sum > 0.55 ? "#ffffff" : "#222222" },
    }));
  });
  const side = Math.max(240, 56 * names.length);
  return svgOf(
    {
      title: { text: `What is taken for what: ${MODEL_NAMES[roleOf(own)]}`, ...TITLE },
      grid: { left: 96, width: side, top: 48, height: side },
      xAxis: {
        ...AXIS,
        type: "category",
        data: names,
        name: "predicted",
        nameGap: 32,
        axisLabel: { interval: 0 },
      },
      yAxis: {
        ...AXIS,
        type: "category",
        data: names,
        name: "gold",
        nameGap: 64,
        inverse: true,
        axisLabel: { interval: 0 },
      },
      visualMap: {
        min: 0,
        max: 1,
        dimension: 2,
        calculable: false,
        orient: "vertical",
        left: 96 + side + 24,
        top: 48,
        itemHeight: 160,
        text: ["all of the row", "none"],
        inRange: { color: ["#ffffff", "#9ecae1", "#0072B2", "#08306b"] },
      },
      series: [{
        type: "heatmap",
        data: cells,
        label: {
          show: true,
          formatter: ({ value }: { value: number[] }) => String(value[3]),
        },
        itemStyle: { borderColor: "#d0d0d0", borderWidth: 1 },
      }],
    },
    96 + side + 144,
    48 + side + 72,
  );
}

function roleOf({ role }: ModelRecord): keyof typeof MODEL_NAMES {
  return role === "int8" || role === "student" ? role : "teacher";
}

function classes(records: readonly ModelRecord[]): string | undefined {
  const models = COMPARED.flatMap((role) => {
    const own = first(records, role);
    return own ? [[MODEL_NAMES[role], own] as const] : [];
  });
  if (models.length === 0) return undefined;
  const types = typesOf(models.map(([, own]) => own));
  return svgOf(
    {
      title: { text: "Strict F1 by type", ...TITLE },
      legend: { bottom: 8 },
      grid: { left: 64, right: 24, top: 56, bottom: 72 },
      xAxis: { type: "category", data: types, axisLabel: { interval: 0 } },
      yAxis: { ...AXIS, type: "value", name: "%", nameGap: 36, min: 0, max: 100 },
      series: models.map(([name, { scores }], i) => ({
        name,
        type: "bar",
        color: COLORS[i],
        barGap: "8%",
        barCategoryGap: "28%",
        label: {
          show: true,
          position: "top",
          fontSize: 10,
          color: "#222222",
          formatter: ({ value }: { value: number }) => String(Math.round(value)),
        },
        data: types.map((type) => percent(scores.types[type]?.f1 ?? 0)),
      })),
    },
    Math.max(480, 120 * types.length + 96),
    400,
  );
}
