/**
 * How fast and how much a paid service is asked: so many at once, so many a minute, so many tokens in all.
 *
 * @module
 */

/** Limits of a client. */
export interface Limits {
  /** Requests under way at once; default 4. */
  readonly concurrency?: number | undefined;
  /** Requests begun in any minute, retries among them; default: no limit. */
  readonly perMinute?: number | undefined;
  /** Tokens that may be spent, prompt and answer, as the service counts them; default: no limit. */
  readonly tokens?: number | undefined;
}

/** Waits so many milliseconds; a test hands in another. */
export type Sleep = (ms: number) => Promise<void>;

export const sleep: Sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets callers through. */
export class Pace {
  /** Tokens spent so far. */
  spent = 0;
  readonly #limits: Limits;
  readonly #sleep: Sleep;
  /** When the requests of the last minute began, oldest first. */
  readonly #begun: number[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: Limits, wait: Sleep = sleep) {
    this.#limits = limits;
    this.#sleep = wait;
  }

  /** Whether the budget is spent. What is under way meanwhile may go beyond it, by one answer each. */
  get exhausted(): boolean {
    return this.spent >= (this.#limits.tokens ?? Infinity);
  }

  /** Runs `work` when there is room among those that run. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running >= (this.#limits.concurrency ?? 4)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Resolves when a request may begin. */
  async turn(): Promise<void> {
    const most = this.#limits.perMinute ?? Infinity;
    for (;;) {
      const now = performance.now();
      while (this.#begun.length > 0 && this.#begun[0]! <= now - 60_000) this.#begun.shift();
      if (this.#begun.length < most) {
        if (most < Infinity) this.#begun.push(now);
        return;
      }
      await this.#sleep(this.#begun[0]! + 60_000 - now);
    }
  }
}
