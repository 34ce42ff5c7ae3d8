/**
 * What a run reports, in all runtimes together.
 *
 * @module
 */
import type { EncoderReport } from "./encoder.ts";
import type { RuntimeReport } from "./inside.ts";
import type { KernelReport } from "./kernels.ts";
import type { RuntimeName } from "./options.ts";
import type { StartRow } from "./start.ts";
import type { TextReport } from "./text.ts";
import type { TrainingReport } from "./training.ts";

/** All that a run found; what `--json` writes. */
export interface Report {
  readonly date: string;
  /** The command line. */
  readonly options: readonly string[];
  readonly machine: { readonly cpu: string; readonly cores: number };
  readonly smoke: boolean;
  readonly runtimes: readonly RuntimeReport[];
  /** Runtimes that were asked for and could not be had, or did not come through. */
  readonly failed: readonly { readonly runtime: RuntimeName; readonly reason: string }[];
  /** In Deno only. */
  readonly kernels: KernelReport;
  readonly encoder: readonly EncoderReport[];
  /** In Deno only. */
  readonly text: readonly TextReport[];
  /** In Deno only. */
  readonly training: readonly TrainingReport[];
  /** Only where asked for. */
  readonly start: readonly StartRow[];
}
