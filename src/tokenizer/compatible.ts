/**
 * The compatibility forms, NFKC and NFKD, as normalizers.
 *
 * @module
 */
import type { Step } from "./aligned.ts";
import { normalizeForm } from "./forms.ts";

/** Compiles a form; `_where` is named where there are none. */
export function compileCompatible(form: "NFKC" | "NFKD", _where: string): Step {
  return (source, target) => normalizeForm(form, source, target);
}
