/**
 * Moves an ONNX file's weights into a second file, as exporters do above 2 GB, by rewriting its protobuf
 * messages: each initializer's `raw_data` (field 9) becomes `external_data` (13) with `data_location` (14).
 *
 * @module
 */

interface Field {
  readonly number: number;
  /** The whole field, tag included. */
  readonly whole: Uint8Array;
  /** What it holds, if it is length-delimited. */
  readonly content: Uint8Array;
}

function* fields(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0, shift = 1, byte: number;
    do {
      byte = message[at++];
      value += (byte & 127) * shift;
      shift *= 128;
    } while (byte > 127);
    return value;
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const wire = tag & 7;
    let content = at;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else {
      const length = varint();
      content = at;
      at += length;
    }
    const whole = message.subarray(start, at);
    yield { number: tag >>> 3, whole, content: message.subarray(content, at) };
  }
}

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

function join(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A length-delimited field. */
function field(number: number, content: Uint8Array): Uint8Array {
  return join([varintBytes(number * 8 + 2), varintBytes(content.length), content]);
}

function entry(key: string, value: string): Uint8Array {
  const text = new TextEncoder();
  return field(13, join([field(1, text.encode(key)), field(2, text.encode(value))]));
}

/** Returns the file without weights, and the weights, which it names `location`. */
export function moveWeightsOut(
  onnx: Uint8Array,
  location: string,
): { model: Uint8Array; data: Uint8Array } {
  const moved: Uint8Array[] = [];
  let offset = 0;
  const tensor = (message: Uint8Array): Uint8Array => {
    const all = [...fields(message)];
    const raw = all.find(({ number }) => number === 9)?.content;
    if (raw === undefined) return message;
    moved.push(raw);
    offset += raw.length;
    return join([
      ...all.filter(({ number }) => number !== 9).map(({ whole }) => whole),
      entry("location", location),
      entry("offset", String(offset - raw.length)),
      entry("length", String(raw.length)),
      [14 * 8, 1],
    ]);
  };
  const graph = (message: Uint8Array): Uint8Array =>
    join(
      [...fields(message)].map(({ number, whole, content }) =>
        number === 5 ? field(5, tensor(content)) : whole
      ),
    );
  const model = join(
    [...fields(onnx)].map(({ number, whole, content }) =>
      number === 7 ? field(7, graph(content)) : whole
    ),
  );
  return { model, data: join(moved) };
}
