/**
 * A progress bar on stderr, for work that takes longer than a breath and only where someone watches.
 *
 * It is drawn if stderr is a terminal and stdout is not (results on the same screen would tear it
 * apart), and not before a second has passed.
 *
 * @module
 */
import process from "node:process";
import cliProgress from "cli-progress";

const DELAY_MS = 1000;

/** `75` to `1:15`. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Counts bytes read and documents done. */
export class Progress {
  /** Size of the input in bytes, or 0 for a pipe, whose end nobody knows. */
  readonly #total: number;
  readonly #start = performance.now();
  readonly #enabled: boolean;
  #bar: cliProgress.SingleBar | undefined;

  /** `total` is the input's size in bytes, or undefined for a pipe. */
  constructor(total: number | undefined) {
    this.#total = total ?? 0;
    this.#enabled = process.stderr.isTTY === true && process.stdout.isTTY !== true;
  }

  /** Seconds that are left at the pace so far: exact at the end, and the nearer to it the evener the work is. */
  static left(done: number, total: number, elapsed: number): number {
    return elapsed * (total - done) / done;
  }

  /** Shows that so many bytes, of what has been worked on and not of what was read ahead, and documents are done. */
  update(bytes: number, documents: number): void {
    if (!this.#enabled) return;
    const elapsed = (performance.now() - this.#start) / 1000;
    if (elapsed * 1000 < DELAY_MS) return;
    const done = Math.min(bytes, this.#total);
    // The library's own clock starts with the bar, a second late, so times are counted here.
    const payload = {
      documents,
      rate: (documents / elapsed).toFixed(1),
      time: clock(elapsed),
      left: done > 0 ? clock(Progress.left(done, this.#total, elapsed)) : "?",
    };
    if (!this.#bar) {
      this.#bar = new cliProgress.SingleBar({
        format: this.#total > 0
          ? "{bar} {percentage}% | {documents} documents | {rate}/s | {left} left"
          : "{documents} documents | {rate}/s | {time}",
        clearOnComplete: true,
        hideCursor: true,
        stream: process.stderr,
      }, cliProgress.Presets.shades_classic);
      this.#bar.start(this.#total || 1, done, payload);
    }
    this.#bar.update(done, payload);
  }

  /** Removes the bar. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
