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

/** Shows a run's progress on stderr. */
export class TrainProgress {
  readonly #total: number;
  readonly #epochs: number;
  #bar: cliProgress.SingleBar | undefined;
  #last = performance.now();
  /** Seconds a step and tokens a second, smoothed. */
  #pace: { step: number; tokens: number } | undefined;

  /** For a run of so many steps and epochs in all. */
  constructor(total: number, epochs: number) {
    this.#total = total;
    this.#epochs = epochs;
  }

  /** Shows a step, just taken. */
  step({ step, epoch, loss, rate, tokens }: StepRecord): void {
    const now = performance.now(), seconds = Math.max(1e-3, (now - this.#last) / 1000);
    this.#last = now;
    const own = { step: seconds, tokens: tokens / seconds }, old = this.#pace ?? own;
    const mix = (key: keyof typeof own): number => old[key] + NEWEST * (own[key] - old[key]);
    this.#pace = { step: mix("step"), tokens: mix("tokens") };
    if (process.stderr.isTTY !== true) return;
    const payload = {
      epoch: `${epoch}/${this.#epochs}`,
      loss: loss.toPrecision(3),
      rate: rate.toExponential(1),
      tokens: Math.round(this.#pace.tokens),
      memory: bytes(process.memoryUsage.rss()),
      left: clock((this.#total - step) * this.#pace.step),
    };
    if (this.#bar === undefined) {
      this.#bar = new cliProgress.SingleBar({
        format: "{bar} step {value}/{total} | epoch {epoch} | loss {loss} | rate {rate} | " +
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

  /** Prints a line on an epoch that is over; validation took its time from no step. */
  epoch({ epoch, step, loss, scores, best }: EpochRecord): void {
    this.stop();
    const f1 = (score: { f1: number }): string => (100 * score.f1).toFixed(2);
    process.stderr.write(
      `epoch ${epoch}/${this.#epochs}, step ${step}/${this.#total}: loss ${loss.toPrecision(3)}` +
        (scores ? `, F1 micro ${f1(scores.micro)} macro ${f1(scores.macro)}` : "") +
        (best?.epoch === epoch ? ", the best so far" : "") +
        (this.#pace ? `; ${Math.round(this.#pace.tokens)} tokens/s` : "") + "\n",
    );
    this.#last = performance.now();
  }

  /** Removes the bar. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
