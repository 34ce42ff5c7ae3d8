/**
 * The names under which an ONNX file keeps weights outside itself, for who has to read those files.
 *
 * @module
 */
import { decodeModel, type TensorProto } from "./proto.ts";

/**
 * Names of external data, of initializers and of constants within nodes, each once. They are what the file says:
 * to be looked up among files that are known to be there, never to be opened.
 *
 * Throws {@link FormatError} `onnx/truncated` and `onnx/protobuf` for bytes that are no ONNX file.
 */
export function externalNames(onnx: Uint8Array): Set<string> {
  const graph = decodeModel(onnx).graph;
  const constants = graph?.node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => t ?? []));
  const tensors: readonly TensorProto[] = [...graph?.initializer ?? [], ...constants ?? []];
  return new Set(
    tensors.filter(({ dataLocation }) => dataLocation === 1)
      .flatMap(({ externalData }) => externalData)
      .filter(({ key }) => key === "location").map(({ value }) => value),
  );
}
