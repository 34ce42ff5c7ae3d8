/**
 * The fields of a tokenizer file: typed access to JSON that may hold anything.
 *
 * Every reader says where it is (`normalizer.normalizers[1].lowercase`), what it expected and what it found.
 * A missing field is an error and never a default, since a default would be a guess about how the model was
 * trained; the reference library's reader is as strict.
 *
 * @module
 */

import { show, TokenizerError } from "../errors.ts";

/** A JSON object whose fields are not known yet. */
export type Fields = { readonly [name: string]: unknown };

/** Sequences may nest, a little; a file of a million brackets must not exhaust the stack. */
export const MAX_DEPTH = 16;

/** The file contradicts itself or its form. */
export function invalid(where: string, message: string): TokenizerError {
  return new TokenizerError("tokenizer/invalid", `${where}: ${message}`);
}

/** The file asks for something that is not built here. */
export function unsupported(where: string, what: string, supported: string): TokenizerError {
  return new TokenizerError(
    "tokenizer/unsupported",
    `${where}: ${what} is not supported; supported: ${supported}`,
  );
}

/** An object, and not an array. */
export function readObject(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(where, `expected an object, got ${show(value)}`);
}

/** An array. */
export function readArray(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(where, `expected an array, got ${show(value)}`);
}

/** A boolean. */
export function readBoolean(fields: Fields, name: string, where: string): boolean {
  const value = fields[name];
  if (typeof value === "boolean") return value;
  throw invalid(`${where}.${name}`, `expected true or false, got ${show(value)}`);
}

/** A string in which every surrogate has its other half, as UTF-8 can hold it. */
export function readString(fields: Fields, name: string, where: string): string {
  const value = fields[name];
  if (typeof value !== "string") {
    throw invalid(`${where}.${name}`, `expected a string, got ${show(value)}`);
  }
  if (!isWellFormed(value)) throw invalid(`${where}.${name}`, "has a lone surrogate");
  return value;
}

/** An integer from 0 to `max`. */
export function readInteger(value: unknown, where: string, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) {
    return value;
  }
  throw invalid(where, `expected an integer from 0 to ${max}, got ${show(value)}`);
}

/** A boolean that may be missing or null, as the reference reads it; false then. */
export function optionalBoolean(fields: Fields, name: string, where: string): boolean {
  return fields[name] !== undefined && fields[name] !== null && readBoolean(fields, name, where);
}

/** A string that may be missing or null, as the reference reads it; "" then. */
export function optionalString(fields: Fields, name: string, where: string): string {
  const value = fields[name];
  return value === undefined || value === null ? "" : readString(fields, name, where);
}

/** The `type` of a component. */
export function readType(fields: Fields, where: string): string {
  return readString(fields, "type", where);
}

/** Whether every surrogate is half of a pair; the engine's own answer where it has one, since 2023. */
export const isWellFormed: (text: string) => boolean =
  typeof String.prototype.isWellFormed === "function"
    ? (text) => text.isWellFormed()
    : halvesArePaired;

/** The same for engines that have none. */
export function halvesArePaired(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if ((unit & 0xf800) !== 0xd800) continue;
    if (unit >= 0xdc00 || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) return false;
    i++;
  }
  return true;
}
