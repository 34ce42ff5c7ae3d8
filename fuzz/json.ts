/**
 * Mutations of JSON that keep it JSON, mostly: values of another type or size, keys twice, keys that
 * objects are born with, nesting.
 *
 * Works on a tree in which a key can occur twice and a value can be any text, since `JSON.parse` and
 * `JSON.stringify` cannot express what a hostile file can.
 *
 * @module
 */
import { mutateBytes } from "./bytes.ts";
import type { Random } from "./random.ts";

/** A JSON value; `text` is written as it stands. */
export type Node =
  | { readonly kind: "object"; entries: [string, Node][] }
  | { readonly kind: "array"; items: Node[] }
  | { readonly kind: "text"; text: string };

/** JSON that stands in a value as it is, for what is nested deeper than a stack is. */
export class Raw {
  readonly text: string;

  /** Any text; it need not be JSON. */
  constructor(text: string) {
    this.text = text;
  }
}

/** The tree of a value. */
export function treeOf(value: unknown): Node {
  if (value instanceof Raw) return { kind: "text", text: value.text };
  if (Array.isArray(value)) return { kind: "array", items: value.map(treeOf) };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([k, v]): [string, Node] => [k, treeOf(v)]);
    return { kind: "object", entries };
  }
  return { kind: "text", text: JSON.stringify(value) };
}

/** The tree's JSON. */
export function textOf(node: Node): string {
  if (node.kind === "text") return node.text;
  if (node.kind === "array") return `[${node.items.map(textOf).join()}]`;
  return `{${node.entries.map(([k, v]) => `${JSON.stringify(k)}:${textOf(v)}`).join()}}`;
}

/** The value under a key. */
export function at(node: Node, key: string): Node | undefined {
  return node.kind === "object" ? node.entries.find(([k]) => k === key)?.[1] : undefined;
}

/** Numbers, and what stands where a number should. */
const NUMBERS = [
  ..."0 1 -1 -0 2 3 7 0.5 1.5 255 256 1e3 65535 65536 66001 16777217 2097151 2097152".split(" "),
  ..."2147483647 2147483648 4294967295 4294967296 9007199254740991 9007199254740992".split(" "),
  ..."9007199254740993 1e308 1e999 -1e999 1e-400 18446744073709551616 -2147483649".split(" "),
];

const OTHERS = [
  "null",
  "true",
  "false",
  '""',
  '"0"',
  '"12"',
  "[]",
  "{}",
  "[[]]",
  "[null]",
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\\u0130\\ufdfa\\u0344"',
  '{"toString":1,"valueOf":1}',
  '{"length":4294967296,"0":1}',
  '{"__proto__":{"type":"NFC"},"constructor":null}',
  '{"toJSON":1}',
  '"__proto__"',
  '"constructor"',
  "NaN",
  "01",
  "[1,]",
  "\ufeff1",
  '"\u0001"',
];

const KEYS = "__proto__ constructor toString valueOf hasOwnProperty length type id 0 then".split(
  " ",
)
  .concat(["", "\ud800", "[CLS]", "prototype", "toJSON"]);

/** A value that is seldom expected. */
function hostile(random: Random): Node {
  const text = random.once(3)
    ? random.pick(OTHERS)
    : random.once(8)
    ? deep(random)
    : random.once(12)
    ? JSON.stringify(random.pick(["a", "\u0985", "\u0301", "{", "##"]).repeat(random.size(300_000)))
    : random.pick(NUMBERS);
  return { kind: "text", text };
}

function deep(random: Random): string {
  const n = random.pick([20, 1000, 10_000, 100_000]);
  if (random.once(2)) return "[".repeat(n) + "]".repeat(n);
  return '{"normalizers":['.repeat(n) + "null" + "]}".repeat(n);
}

/** Every place where a value stands, as the container and a way to replace it. */
interface Slot {
  readonly node: Node;
  readonly parent: Node | undefined;
  readonly index: number;
}

function slots(node: Node, parent?: Node, index = 0, found: Slot[] = []): Slot[] {
  found.push({ node, parent, index });
  const inner = node.kind === "object"
    ? node.entries.map(([, v]) => v)
    : node.kind === "array"
    ? node.items
    : [];
  inner.forEach((child, i) => slots(child, node, i, found));
  return found;
}

function put({ parent, index }: Slot, value: Node): void {
  if (parent?.kind === "object") parent.entries[index]![1] = value;
  else if (parent?.kind === "array") parent.items[index] = value;
}

function copy(node: Node): Node {
  if (node.kind === "array") return { kind: "array", items: node.items.map(copy) };
  if (node.kind === "text") return node;
  return { kind: "object", entries: node.entries.map(([k, v]) => [k, copy(v)]) };
}

/** A place, picked by depth first, so that a vocabulary of thousands does not hide a handful of options. */
function somewhere(random: Random, root: Node): Slot {
  let slot: Slot = { node: root, parent: undefined, index: 0 };
  for (;;) {
    const { node } = slot;
    const count = node.kind === "object"
      ? node.entries.length
      : node.kind === "array"
      ? node.items.length
      : 0;
    if (count === 0 || (slot.parent !== undefined && random.once(4))) return slot;
    const index = random.int(count);
    const child = node.kind === "object"
      ? node.entries[index]![1]
      : (node as { items: Node[] }).items[index]!;
    slot = { node: child, parent: node, index };
  }
}

/** Changes a tree in one place. */
export function mutateTree(random: Random, root: Node): void {
  const slot = somewhere(random, root), { node, parent, index } = slot;
  switch (random.int(10)) {
    case 0:
    case 1:
      return put(slot, hostile(random));
    case 2:
      // A number that is off by a little, or by a power of two.
      if (node.kind === "text" && Number.isFinite(Number(node.text))) {
        const value = Number(node.text);
        const text = String(
          random.pick([value + 1, value - 1, value * 2, -value, value + 2 ** 32, value / 3]),
        );
        return put(slot, { kind: "text", text });
      }
      return put(slot, hostile(random));
    case 3:
      if (parent?.kind === "object") parent.entries.splice(index, 1);
      else if (parent?.kind === "array") parent.items.splice(index, 1);
      return;
    case 4:
      // The same key twice, or the same element.
      if (parent?.kind === "object") {
        parent.entries.push([
          parent.entries[index]![0],
          random.once(2) ? copy(node) : hostile(random),
        ]);
      } else if (parent?.kind === "array") {
        for (let n = random.pick([1, 1, 3, 2000]); n > 0; n--) parent.items.push(copy(node));
      }
      return;
    case 5:
      if (parent?.kind === "object") parent.entries[index]![0] = random.pick(KEYS);
      return;
    case 6:
      if (node.kind === "object") node.entries.push([random.pick(KEYS), hostile(random)]);
      else if (node.kind === "array") node.items.push(hostile(random));
      return;
    case 7: {
      // Two values change places, or one stands in both.
      const other = somewhere(random, root);
      if (slots(node).length + slots(other.node).length > 4000) return;
      const [a, b] = [copy(node), copy(other.node)];
      put(slot, b);
      if (random.once(2)) put(other, a);
      return;
    }
    case 8:
      return put(
        slot,
        random.once(2) ? { kind: "array", items: [node] } : {
          kind: "object",
          entries: [[random.pick(KEYS), node]],
        },
      );
    default:
      return put(slot, { kind: "text", text: random.pick(NUMBERS) });
  }
}

/** The tree of a JSON text; undefined where an earlier mutation made it no JSON, or nested it too deep. */
function read(json: string): Node | undefined {
  try {
    return treeOf(JSON.parse(json));
  } catch {
    return undefined;
  }
}

/** A mutant of a JSON text; one in ten is also spoilt as bytes. */
export function mutateJson(random: Random, json: string): Uint8Array {
  const root = read(json);
  if (root === undefined) return mutateBytes(random, new TextEncoder().encode(json));
  for (let n = random.size(4); n > 0; n--) mutateTree(random, root);
  const bytes = new TextEncoder().encode(textOf(root));
  return random.once(10) ? mutateBytes(random, bytes) : bytes;
}
