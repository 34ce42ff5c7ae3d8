/**
 * A protobuf message as a tree of fields, for taking it apart, spoiling it and putting it together.
 *
 * Not the reader's own decoder: that one drops what it does not know and can only be written back valid.
 * Here every field keeps its number, its wire type and its place, so that a mutant can repeat, retype and
 * misorder them. Which fields hold messages is written down a second time on purpose.
 *
 * @module
 */
import { concat, varint } from "./bytes.ts";

/** Messages that a mutation goes into, and the fields that hold further ones. */
const NESTED: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  Model: { 7: "Graph", 8: "Opset" },
  Graph: { 1: "Node", 5: "Tensor", 11: "Value", 12: "Value" },
  Node: { 5: "Attribute" },
  Attribute: { 5: "Tensor", 6: "Graph" },
  Tensor: { 13: "Entry" },
};

/** One field: a varint, four or eight bytes, bytes, or a message. */
export interface Field {
  number: number;
  wire: number;
  value: bigint | Uint8Array | Message;
}

/** A message of a known kind. */
export class Message {
  readonly kind: string;
  fields: Field[];

  /** A message with these fields. */
  constructor(kind: string, fields: Field[] = []) {
    this.kind = kind;
    this.fields = fields;
  }

  /** Messages in fields of this number. */
  messages(number: number): Message[] {
    return this.fields.flatMap(({ number: n, value }) =>
      n === number && value instanceof Message ? [value] : []
    );
  }

  /** The first field of this number. */
  field(number: number): Field | undefined {
    return this.fields.find((field) => field.number === number);
  }

  /** The text of the first field of this number. */
  text(number: number): string {
    const value = this.field(number)?.value;
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : "";
  }

  /** Replaces all fields of this number by one. */
  set(number: number, value: Field["value"] | string | number): void {
    this.fields = this.fields.filter((field) => field.number !== number);
    this.add(number, value);
  }

  /** Appends a field. */
  add(number: number, value: Field["value"] | string | number): void {
    const held = typeof value === "string"
      ? new TextEncoder().encode(value)
      : typeof value === "number"
      ? BigInt(value)
      : value;
    this.fields.push({ number, wire: typeof held === "bigint" ? 0 : 2, value: held });
  }
}

/** Takes a valid message apart. */
export function parse(bytes: Uint8Array, kind = "Model"): Message {
  const message = new Message(kind);
  let at = 0;
  const read = (): bigint => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(read()), number = tag >>> 3, wire = tag & 7;
    if (wire === 0) {
      message.fields.push({ number, wire, value: read() });
      continue;
    }
    const length = wire === 2 ? Number(read()) : wire === 1 ? 8 : 4;
    const value = bytes.slice(at, at + length);
    at += length;
    const nested = wire === 2 ? NESTED[kind]?.[number] : undefined;
    message.fields.push({ number, wire, value: nested ? parse(value, nested) : value });
  }
  return message;
}

/** Puts a message together, whatever its fields say. */
export function write(message: Message): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const { number, wire, value } of message.fields) {
    parts.push(varint(BigInt(number) << 3n | BigInt(wire)));
    if (typeof value === "bigint") {
      parts.push(varint(value));
      continue;
    }
    const bytes = value instanceof Message ? write(value) : value;
    if (wire === 2) parts.push(varint(BigInt(bytes.length)));
    parts.push(bytes);
  }
  return concat(parts);
}

/** A message and all messages in it. */
export function all(message: Message): Message[] {
  return [
    message,
    ...message.fields.flatMap(({ value }) => value instanceof Message ? all(value) : []),
  ];
}
