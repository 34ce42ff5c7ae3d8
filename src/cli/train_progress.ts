/**
 * What someone sees who watches a run: a bar where stderr is a terminal, and a line for each epoch anywhere.
 *
 * @module
 */
import process from "node:process";
import cliProgress from "cli-progress";
import type { EpochRecord, StepRecord } from "../../train.ts";
import { clock } from "./progress.ts";
import { bytes } from "./table.ts";

/** Weight of the newest step in the rate that is shown: it follows what happens, and does not jump. */
const NEWEST = 0.1;

/** What a bar shows of a step. */
export interface ShownStep {
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  readonly tokens: number;
  /** Where in the data: `epoch 3/10`. */
  readonly place: string;
}

/** A bar for the steps of a run, on stderr where that is a terminal, and their pace. */
export class StepBar {
  readonly #total: number;
  #bar: cliProgress.SingleBar | undefined;
  #last = performance.now();
  /** Seconds a step and tokens a second, smoothed. */
  #pace: { step: number; tokens: number } | undefined;

  /** For a run of so many steps in all. */
  constructor(total: number) {
    this.#total = total;
  }

  /** Smoothed; undefined before the first step. */
  get tokensPerSecond(): number | undefined {
    return this.#pace?.tokens;
  }

  /** Shows a step, just taken. */
  step({ step, place, loss, rate, tokens }: ShownStep): void {
    const now = performance.now(), seconds = Math.max(1e-3, (now - this.#last) / 1000);
    this.#last = now;
    const own = { step: seconds, tokens: tokens / seconds }, old = this.#pace ?? own;
    const mix = (key: keyof typeof own): number => old[key] + NEWEST * (own[key] - old[key]);
    this.#pace = { step: mix("step"), tokens: mix("tokens") };
    if (process.stderr.isTTY !== true) return;
    const payload = {
      place,
      loss: loss.toPrecision(3),
      rate: rate.toExponential(1),
      tokens: Math.round(this.#pace.tokens),
      memory: bytes(process.memoryUsage.rss()),
      left: clock((this.#total - step) * this.#pace.step),
    };
    if (this.#bar === undefined) {
      this.#bar = new cliProgress.SingleBar({
        format: "{bar} step {value}/{total} | {place} | loss {loss} | rate {rate} | " +
          "{tokens} tokens/s | {memory} | {left} left",
        barsize: 20,
        clearOnComplete: true,
        hideCursor: true,
        stream: process.stderr,
      }, cliProgress.Presets.shades_classic);
      this.#bar.start(this.#total, step, payload);
    }
    this.#bar.update(step, payload);
  }

  /** Removes the bar; what is done until the next step takes its time from none. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#last = performance.now();
  }
}

/** Shows a run of `train` on stderr. */
export class TrainProgress {
  readonly #bar: StepBar;
  readonly #total: number;
  readonly #epochs: number;

  /** For a run of so many steps and epochs in all. */
  constructor(total: number, epochs: number) {
    this.#bar = new StepBar(total);
    this.#total = total;
    this.#epochs = epochs;
  }

  /** Shows a step, just taken. */
  step(record: StepRecord): void {
    this.#bar.step({ ...record, place: `epoch ${record.epoch}/${this.#epochs}` });
  }

  /** Prints a line on an epoch that is over. */
  epoch({ epoch, step, loss, scores, best }: EpochRecord): void {
    this.stop();
    const pace = this.#bar.tokensPerSecond;
    const f1 = (score: { f1: number }): string => (100 * score.f1).toFixed(2);
    process.stderr.write(
      `epoch ${epoch}/${this.#epochs}, step ${step}/${this.#total}: loss ${loss.toPrecision(3)}` +
        (scores ? `, F1 micro ${f1(scores.micro)} macro ${f1(scores.macro)}` : "") +
        (best?.epoch === epoch ? ", the best so far" : "") +
        (pace === undefined ? "" : `; ${Math.round(pace)} tokens/s`) + "\n",
    );
  }

  /** Removes the bar. */
  stop(): void {
    this.#bar.stop();
  }
}
