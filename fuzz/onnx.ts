/**
 * Mutants of ONNX exports: graphs rewired, tensors that contradict themselves, external data elsewhere.
 *
 * A mutation takes the message apart ({@link Message}), changes one thing that an attacker or a careless
 * tool could change, and leaves the rest valid, so that the reader gets as far as that thing. Every fourth
 * mutant is spoilt as bytes instead, or as well.
 *
 * @module
 */
import { concat, mutateBytes, varint } from "./bytes.ts";
import {
  attribute,
  chain,
  type Draft,
  floats,
  NAMES,
  obstruct,
  OPS,
  raw,
  someName,
} from "./graph.ts";
import { EDGES, type Random } from "./random.ts";
import { all, Message, parse, write } from "./wire.ts";

/** A model's bytes and the files that it may keep weights in. */
export interface OnnxMutant {
  readonly model: Uint8Array;
  readonly external: Map<string, Uint8Array>;
}

/** Names that must never be followed, and one that is there. */
const LOCATIONS = [
  "weights.bin",
  "./weights.bin",
  "../weights.bin",
  "a/../../weights.bin",
  "/etc/passwd",
  "//server/share/w",
  "C:\\w.bin",
  "C:w.bin",
  "..\\w.bin",
  "a\\..\\..\\w",
  "%2e%2e/weights.bin",
  "..%2fweights.bin",
  "file:///etc/passwd",
  "http://127.0.0.1/w",
  "weights.bin\0.txt",
  "\u2024\u2024/w",
  "",
  ".",
  "..",
  "__proto__",
  "CON",
];

type Mutation = (draft: Draft) => void;

const MUTATIONS: readonly Mutation[] = [
  obstruct,
  obstruct,
  // A tensor's shape, type and data, one of them at odds with the others.
  ({ random, tensors }) => {
    const tensor = random.pick(tensors), dims = tensor.fields.filter((f) => f.number === 1);
    if (dims.length > 0) random.pick(dims).value = random.pick(EDGES);
  },
  ({ random, tensors }) => {
    const tensor = random.pick(tensors);
    for (let n = random.pick([1, 3, 70]); n > 0; n--) {
      tensor.fields.unshift({ number: 1, wire: 0, value: random.pick([0n, 1n, 2n, EDGES[19]!]) });
    }
  },
  ({ random, tensors }) => {
    const tensor = random.pick(tensors), dims = tensor.fields.filter((f) => f.number === 1);
    const rest = tensor.fields.filter((f) => f.number !== 1);
    tensor.fields = [...random.once(2) ? dims.reverse() : dims.slice(1), ...rest];
  },
  ({ random, tensors }) => random.pick(tensors).set(2, random.once(4) ? -1 : random.int(24)),
  ({ random, tensors }) => {
    const tensor = random.pick(tensors), data = raw(tensor), grow = random.size(64);
    tensor.set(
      9,
      random.once(2)
        ? data.slice(0, Math.max(0, data.length - grow))
        : concat([data, random.bytes(grow)]),
    );
  },
  ({ random, tensors }) => {
    const tensor = random.pick(tensors), data = raw(tensor).slice();
    const at = 4 * random.int(data.length >> 2),
      count = Math.min(random.size(64), data.length >> 2);
    data.set(floats(random, count).subarray(0, data.length - at), at);
    tensor.set(9, data);
  },
  ({ random, tensors }) => {
    // The typed list instead of the bytes, or as well; of the right type or not.
    const tensor = random.pick(tensors), data = raw(tensor);
    if (random.once(2)) tensor.fields = tensor.fields.filter((f) => f.number !== 9);
    tensor.add(random.pick([4, 5, 7, 10]), random.once(3) ? data : data.slice(0, random.int(64)));
  },
  ({ random, tensors }) => {
    // One byte an element, and eight or more when it has been read.
    const tensor = random.pick(tensors);
    tensor.fields = tensor.fields.filter((f) => f.number !== 9);
    tensor.add(random.pick([1, 5, 7]), new Uint8Array(random.pick([100, 20_000, 500_000])));
  },
  ({ random, graph, tensors }) => {
    const twin = parse(write(random.pick(tensors)), "Tensor");
    if (random.once(3)) twin.set(8, random.pick(["", "input_ids", random.pick(tensors).text(8)]));
    graph.add(5, twin);
  },
  ({ random, graph, tensors }) => {
    const gone = random.pick(tensors);
    graph.fields = graph.fields.filter(({ value }) => value !== gone);
  },
  ({ random, tensors }) => {
    const [a, b] = [random.pick(tensors), random.pick(tensors)], name = a.text(8);
    a.set(8, b.text(8));
    b.set(8, name);
  },
  // Weights outside the file.
  ({ random, tensors, external }) => {
    const tensor = random.pick(tensors), data = raw(tensor);
    tensor.fields = tensor.fields.filter((f) => f.number !== 9 || random.once(10));
    const location = random.once(2) ? "weights.bin" : random.pick(LOCATIONS);
    external.set("weights.bin", random.once(5) ? data.subarray(4) : data);
    const entries = [["location", location]];
    const odd = ["-1", "1e3", "0x10", " 4", "", "99999999999999999999", "9007199254740991", "4.5"];
    const number = (right: number): string =>
      random.once(2)
        ? String(right)
        : random.once(2)
        ? String(random.pick(EDGES))
        : random.pick(odd);
    if (random.once(2)) entries.push(["offset", number(0)]);
    if (random.once(2)) entries.push(["length", number(data.length)]);
    if (random.once(6)) entries.push(["location", random.pick(LOCATIONS)]);
    for (const [key, value] of entries) {
      const entry = new Message("Entry");
      entry.add(1, key!);
      entry.add(2, value!);
      tensor.add(13, entry);
    }
    tensor.set(14, random.once(8) ? random.pick(EDGES) : 1n);
  },
  // The graph.
  (draft) => {
    const node = draft.random.pick(draft.nodes);
    const inputs = node.fields.filter((f) => f.number === 1);
    if (inputs.length > 0) draft.random.pick(inputs).value = someName(draft);
  },
  ({ random, nodes }) => {
    const node = random.pick(nodes), inputs = node.fields.filter((f) => f.number === 1);
    const rest = node.fields.filter((f) => f.number !== 1);
    const kept = random.pick([[], inputs.slice(1), inputs.slice(0, 1), inputs.toReversed(), [
      ...inputs,
      ...inputs,
    ]]);
    node.fields = [...kept, ...rest];
  },
  ({ random, nodes }) => {
    // Reads what it produces.
    const node = random.pick(nodes), outputs = node.fields.filter((f) => f.number === 2);
    const input = node.field(1);
    if (input && outputs.length > 0) input.value = random.pick(outputs).value;
  },
  ({ random, nodes }) => {
    // Two nodes that read each other.
    const a = random.pick(nodes), b = random.pick(nodes);
    const [readA, readB, madeA, madeB] = [a.field(1), b.field(1), a.field(2), b.field(2)];
    if (readA && readB && madeA && madeB) [readA.value, readB.value] = [madeB.value, madeA.value];
  },
  ({ random, graph, nodes }) => {
    const gone = random.pick(nodes), from = gone.text(1), to = gone.text(2);
    graph.fields = graph.fields.filter(({ value }) => value !== gone);
    if (random.once(3)) return;
    // Bridged, so that the graph stays whole.
    for (const node of nodes) {
      for (const field of node.fields) {
        if (field.number !== 1 || !(field.value instanceof Uint8Array)) continue;
        if (new TextDecoder().decode(field.value) === to) {
          field.value = new TextEncoder().encode(from);
        }
      }
    }
  },
  ({ random, nodes }) => random.pick(nodes).set(4, random.pick(OPS)),
  ({ random, nodes }) =>
    random.pick(nodes).set(7, random.pick(["ai.onnx", "com.microsoft", "x", "\0"])),
  ({ random, nodes }) => {
    const [a, b] = [random.pick(nodes), random.pick(nodes)], op = a.text(4);
    a.set(4, b.text(4));
    b.set(4, op);
  },
  ({ random, graph }) => {
    // Order is part of the standard.
    const at = random.int(graph.fields.length), [moved] = graph.fields.splice(at, 1);
    graph.fields.splice(random.int(graph.fields.length), 0, moved!);
  },
  ({ random, graph, nodes }) => graph.add(1, parse(write(random.pick(nodes)), "Node")),
  ({ random, nodes }) => random.pick(nodes).add(5, attribute(random, random.pick(NAMES))),
  ({ random, nodes }) => {
    const with5 = nodes.filter((node) => node.field(5) !== undefined);
    if (with5.length === 0) return;
    const node = random.pick(with5), old = random.pick(node.messages(5));
    node.fields = node.fields.filter(({ value }) => value !== old);
    if (random.once(4)) return;
    if (random.once(2)) old.set(20, random.int(16));
    if (random.once(2)) old.set(3, random.pick(EDGES));
    node.add(5, random.once(2) ? old : attribute(random, old.text(1)));
  },
  (draft) => {
    const { random } = draft, op = random.pick(["Identity", "Cast", "Add", "Reshape", "Concat"]);
    const end = chain(draft, random.pick([3, 70, 500, 3000]), op);
    const inputs = random.pick(draft.nodes).fields.filter((f) => f.number === 1);
    if (inputs.length > 0) random.pick(inputs).value = new TextEncoder().encode(end);
  },
  (draft) => {
    const { random, graph } = draft;
    const end = chain(draft, random.pick([3, 20, 70, 3000]), random.pick(OPS.slice(0, 30)));
    const outputs = graph.messages(12);
    if (outputs.length > 0) random.pick(outputs).set(1, end);
  },
  ({ random, graph }) => {
    const values = [...graph.messages(11), ...graph.messages(12)];
    if (values.length === 0) return;
    if (random.once(2)) random.pick(values).set(1, random.pick(["", "input_ids", "x", "logits"]));
    else graph.add(random.pick([11, 12]), parse(write(random.pick(values)), "Value"));
  },
  ({ random, graph }) => {
    const number = random.pick([1, 5, 11, 12]);
    graph.fields = graph.fields.filter((field) => field.number !== number);
  },
  ({ random, model }) => {
    for (const opset of model.messages(8)) opset.set(2, random.pick(EDGES));
  },
  ({ random, model, graph }) => {
    if (random.once(2)) model.add(7, random.once(2) ? graph : new Message("Graph"));
    else model.fields = model.fields.filter(({ number }) => number !== random.pick([7, 8]));
  },
  // The encoding.
  ({ random, model }) => {
    const message = random.pick(all(model));
    if (message.fields.length > 0) random.pick(message.fields).wire = random.int(8);
  },
  ({ random, model }) => {
    const message = random.pick(all(model));
    if (message.fields.length > 0) random.pick(message.fields).number = random.int(24);
  },
  ({ random, model }) => {
    const texts = all(model).flatMap(({ fields }) => fields)
      .filter(({ value }) => value instanceof Uint8Array);
    const bad = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];
    random.pick(texts).value = Uint8Array.from(random.pick(bad));
  },
  ({ random, model }) => {
    // Many of a kind: empty messages cost two bytes in the file and an object in memory.
    const message = random.pick([model, ...model.messages(7)]),
      count = random.pick([10, 1000, 20_000]);
    const number = random.pick([1, 2, 5, 8, 11, 12, 13, 20]);
    for (let i = 0; i < count; i++) message.add(number, new Uint8Array(0));
  },
  ({ random, model }) => {
    const message = random.pick(all(model));
    const value = random.once(2) ? random.bytes(random.size(2000)) : random.pick(EDGES);
    message.add(random.pick([15, 16, 999, (1 << 29) - 1]), value);
  },
  ({ random, nodes }) => {
    // A graph in an attribute, a thousand deep.
    let inner: Uint8Array = new Uint8Array(0);
    for (let i = random.pick([1, 20, 1000]); i > 0; i--) {
      inner = concat([
        Uint8Array.of(random.pick([0x32, 0x0a, 0x2a])),
        varint(BigInt(inner.length)),
        inner,
      ]);
    }
    const holder = attribute(random, random.pick(["then_branch", "body", "value"]));
    holder.add(6, inner);
    random.pick(nodes).add(5, holder);
  },
  ({ random, nodes, tensors }) => {
    // Names of a megabyte are legal.
    const long = "n".repeat(random.pick([1000, 1_000_000]));
    if (random.once(2)) random.pick(nodes).set(3, long);
    else random.pick(tensors).set(8, long);
  },
];

/** A mutant of an export's `model.onnx`. */
export function mutateOnnx(random: Random, seed: Uint8Array): OnnxMutant {
  const external = new Map<string, Uint8Array>();
  if (random.once(4)) return { model: mutateBytes(random, seed), external };
  const model = parse(seed);
  for (let n = random.size(3); n > 0; n--) {
    const graph = model.messages(7)[0] ?? new Message("Graph");
    const nodes = graph.messages(1), tensors = graph.messages(5);
    if (nodes.length === 0 || tensors.length === 0) break;
    random.pick(MUTATIONS)({ random, model, graph, nodes, tensors, external });
  }
  const bytes = write(model);
  return { model: random.once(12) ? mutateBytes(random, bytes) : bytes, external };
}
