/**
 * The error for a graph that is valid ONNX but not an encoder that can be read.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";

/** Throws {@link ModelError} `onnx/unsupported`. */
export function refuse(message: string): never {
  throw new ModelError("onnx/unsupported", message);
}
