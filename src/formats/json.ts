/**
 * JSON objects from files, read strictly.
 *
 * `JSON.parse` keeps the last of two equal keys, so two readers of one file can see different models;
 * here a key that occurs twice is an error. Text that is written again as it was read has no such key: that
 * is most files, and both ways are the engine's own code. For other text the check is a second pass over what is
 * known to be valid JSON, so it only has to follow strings and braces.
 *
 * @module
 */
import { FormatError, type FormatErrorCode } from "../errors.ts";

/**
 * How deep a file's values may be nested. Configurations of models need fewer than ten; without a bound it would be the
 * stack of the machine that decides which file can be written again.
 */
const MAX_NESTING = 200;

/** A parsed JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The first key that occurs twice in one object of a valid JSON text, or undefined. */
export function duplicateKey(json: string): string | undefined {
  const objects: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
      const keys = objects[objects.length - 1];
      if (!isKey || keys === undefined) continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
      isKey = false;
    } else if (c === "{" || c === "[") {
      objects.push(c === "{" ? new Set() : undefined);
      isKey = c === "{";
    } else if (c === "}" || c === "]") {
      objects.pop();
      isKey = false;
    } else if (c === ",") {
      isKey = objects[objects.length - 1] !== undefined;
    }
  }
  return undefined;
}

/** Whether a value nests others deeper than this. */
function nests(value: unknown, deeper: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return deeper === 0 || Object.values(value).some((inner) => nests(inner, deeper - 1));
}

/**
 * Parses a JSON object without repeated keys. Throws {@link FormatError} with `code`; `what` names the
 * text in the message.
 */
export function parseJsonObject(
  json: string,
  code: FormatErrorCode,
  what: string,
): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FormatError(code, `${what} is not JSON: ${why}.`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(code, `${what} is not a JSON object.`);
  }
  if (nests(value, MAX_NESTING)) {
    throw new FormatError(code, `${what} nests values deeper than ${MAX_NESTING}.`);
  }
  const key = JSON.stringify(value) === json.trimEnd() ? undefined : duplicateKey(json);
  if (key !== undefined) {
    throw new FormatError(code, `${what} has the key ${JSON.stringify(key)} twice.`);
  }
  return value as JsonObject;
}

/**
 * Decodes UTF-8 strictly. Throws {@link FormatError} with `code` for bytes that are not UTF-8. A byte
 * order mark is kept, so that strict JSON refuses it.
 */
export function decodeUtf8(bytes: Uint8Array, code: FormatErrorCode, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(code, `${what} is not UTF-8 text.`, { cause: error });
  }
}
