/**
 * A graph of ONNX Runtime's own operators, written out in ONNX's.
 *
 * ONNX Runtime's optimizers replace parts of an encoder by single operators of the domain `com.microsoft`
 * (`lower_fused.ts`), and its quantizer by integer ones (`lower_quantized.ts`). Each rule puts back what one of
 * them stands for, so that the recognisers see one vocabulary, whoever wrote the file. Operators without a rule
 * stay as they are, and are refused by name where they matter.
 *
 * @module
 */
import type { OnnxGraph } from "./decode.ts";
import { FUSED } from "./lower_fused.ts";
import { QUANTIZED } from "./lower_quantized.ts";
import { Lowering } from "./lowering.ts";

/** The same graph in ONNX's own operators, as far as there are rules. */
export function lowerGraph(graph: OnnxGraph): OnnxGraph {
  const at = new Lowering(
    graph,
    ({ domain, op }) =>
      QUANTIZED.get(`${domain}:${op}`) ??
        (domain === "com.microsoft" ? FUSED.get(op) : undefined),
  );
  for (const node of graph.nodes) at.lower(node);
  return { ...graph, nodes: at.nodes, initializers: at.initializers };
}
