/**
 * How a run went, drawn: losses and rate by step, validation scores by epoch.
 *
 * @module
 */
import type { PretrainRecord } from "../../train.ts";
import { panelsSvg } from "./charts.ts";
import type { LoggedRecord } from "./train_folder.ts";

/** The records of a run of `train` as an SVG. */
export function curvesSvg(records: readonly LoggedRecord[]): string {
  const steps = records.flatMap((r) => r.kind === "step" ? [r] : []);
  const epochs = records.flatMap((r) => r.kind === "epoch" ? [r] : []);
  const scored = epochs.flatMap(({ step, scores }) => scores ? [{ step, scores }] : []);
  return panelsSvg([
    {
      title: "Training loss",
      log: true,
      lines: [
        { name: "loss", data: steps.map(({ step, loss }) => [step, loss]), fine: true },
        { name: "epoch's loss", data: epochs.map(({ step, loss }) => [step, loss]) },
      ],
    },
    {
      title: "Validation, strict F1",
      lines: [
        { name: "micro F1", data: scored.map((r) => [r.step, 100 * r.scores.micro.f1]) },
        { name: "macro F1", data: scored.map((r) => [r.step, 100 * r.scores.macro.f1]) },
      ],
    },
    {
      title: "Rate",
      lines: [{ name: "rate", data: steps.map(({ step, rate }) => [step, rate]) }],
    },
  ], steps.at(-1)?.step ?? 1);
}

/** The records of a run of `pretrain` as an SVG. */
export function pretrainingSvg(records: readonly PretrainRecord[]): string {
  const steps = records.flatMap((r) => r.kind === "step" ? [r] : []);
  const looks = records.flatMap((r) => r.kind === "held-out" ? [r] : []);
  return panelsSvg([
    {
      title: "Loss",
      log: true,
      lines: [
        { name: "loss", data: steps.map(({ step, loss }) => [step, loss]), fine: true },
        { name: "held-out loss", data: looks.map(({ step, loss }) => [step, loss]) },
      ],
    },
    {
      title: "Rate",
      lines: [{ name: "rate", data: steps.map(({ step, rate }) => [step, rate]) }],
    },
  ], steps.at(-1)?.step ?? 1);
}
