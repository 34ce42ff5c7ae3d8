/**
 * What the library holds of others' code, because importing the package takes longer than loading a model: protobuf's wire format,
 * which ONNX files are read with, comes in twenty files; fflate's entry for Node makes itself a `require` when it is imported.
 * The sources import these packages by name; who installs edge-ner installs none of them.
 *
 * @module
 */

/** The packages' names. */
export const HELD: readonly string[] = ["@bufbuild/protobuf", "fflate"];
