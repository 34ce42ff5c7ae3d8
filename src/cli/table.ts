/**
 * Plain tables and sizes for reports.
 *
 * @module
 */
import { visible } from "./visible.ts";

/** Width in columns, near enough: code points that are not combining marks. */
function width(text: string): number {
  return [...text].filter((c) => !/\p{Mn}/u.test(c)).length;
}

/** Rows to aligned lines; the first column is text, the others are right-aligned. A rule goes under the header. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  // Cells are names of labels and tensors, too, which are whatever a file says.
  const cells = [header, ...rows].map((row) => row.map((cell) => visible(cell, true)));
  const widths = header.map((_, i) => Math.max(...cells.map((row) => width(row[i]))));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => {
      const space = " ".repeat(widths[i] - width(cell));
      return i === 0 ? cell + space : space + cell;
    }).join("  ").trimEnd();
  const rule = widths.map((w) => "-".repeat(w)).join("  ");
  const [top, ...others] = cells.map(line);
  return [top, rule, ...others].map((text) => text + "\n").join("");
}

/** `1234567` to `1.23 MB` (powers of 1000, as storage and downloads are counted). */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toPrecision(3)} kB`;
  if (count < 1e9) return `${(count / 1e6).toPrecision(3)} MB`;
  return `${(count / 1e9).toPrecision(3)} GB`;
}

/** A small number so that it can be compared by eye: `0`, `1.2e-6`, `0.0123`. */
export function small(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  return Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(3);
}
