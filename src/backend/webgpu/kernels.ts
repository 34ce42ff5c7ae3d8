/**
 * The contract with kernels/webgpu/: which texts make up a kernel, what it binds, and what it is to be told when it is compiled.
 *
 * A kernel's text is the concatenation of its pieces, of which the last has its `main`. Group 0 is what a dispatch is told, its `Run`; group 1 the arrays, in
 * the order that `bindings` gives: `w` for what is written, `r` for what is read. One thing is a constant of the text, since
 * it makes for much of its length: the activation function.
 *
 * @module
 */
import { type Activation, forActivation } from "../../model/activations.ts";
import { SHADERS } from "./shaders.ts";

/** What WGSL calls each activation; 0 is none. */
const ACTIVATION_CODE: Readonly<Record<Activation, number>> = {
  gelu: 1,
  gelu_tanh: 2,
  tanh: 3,
};

/** Rows of a product's tile. */
export const TILE_ROWS = 64;
/** Rows of a tile where there are few. */
export const FEW_ROWS = 16;
/** Queries of a tile of attention. */
export const TILE_QUERIES = 32;

type ShaderName = keyof typeof SHADERS;

/** What dispatches are told behind `first` and `end`, in order. */
const ROW = [
  "width",
  "columns",
  "epsilon",
  "levels",
  "stored",
  "ids_from",
  "ids_to",
  "pitch",
  "feature",
  "features",
] as const;
const PRODUCT = ["k", "y_width", "column", "width", "add"] as const;
const ATTENTION = ["head", "width", "scale"] as const;

/** Numbers that are floats. */
const FLOATS: readonly string[] = ["epsilon", "scale"];

/** What a dispatch is told; what it has no use for is left out. */
export type Shapes = Partial<
  Readonly<Record<(typeof ROW | typeof PRODUCT | typeof ATTENTION)[number], number>>
>;

interface Definition {
  readonly pieces: readonly ShaderName[];
  readonly bindings: string;
  readonly shapes: readonly (keyof Shapes)[];
  /** Needs `shader-f16`. */
  readonly half?: boolean;
}

const row = (bindings: string, ...pieces: ShaderName[]): Definition => ({
  pieces: ["row", ...pieces],
  bindings,
  shapes: ROW,
});
/** Rows and columns of a product, of numbers of one type, in tiles of one size. */
const product = (bindings: string, tile: ShaderName, ...numbers: ShaderName[]): Definition => ({
  pieces: ["activation", "product", ...numbers, tile],
  bindings,
  shapes: PRODUCT,
});
const productF32 = (tile: ShaderName) => product("wrrr", tile, "product_f32", "product_float");
const productF16 = (tile: ShaderName): Definition => ({
  ...product("wrrr", tile, "product_f16", "product_float"),
  half: true,
});
const productInt8 = (tile: ShaderName, dot: ShaderName) =>
  product("wrrrr", tile, dot, "product_int8");

const DEFINITIONS = {
  embed: row("wrrrrr", "norm", "embed"),
  features: row("wrr", "features"),
  activate: row("w", "activation", "activate"),
  add_norm: row("wrr", "norm", "add", "add_norm"),
  add_norm_quantize: row("wrrww", "norm", "add", "row_quantize", "add_norm_quantize"),
  quantize: row("wwr", "row_quantize", "quantize"),
  attention: { pieces: ["attention"], bindings: "wrr", shapes: ATTENTION },
  product_f32: productF32("tile"),
  product_f32_few: productF32("tile_few"),
  product_f16: productF16("tile"),
  product_f16_few: productF16("tile_few"),
  product_int8: productInt8("tile", "dot_packed"),
  product_int8_few: productInt8("tile_few", "dot_packed"),
  product_int8_unpacked: productInt8("tile", "dot_unpacked"),
  product_int8_few_unpacked: productInt8("tile_few", "dot_unpacked"),
} satisfies Record<string, Definition>;

/** The kernels' names. */
export type KernelName = keyof typeof DEFINITIONS;

/** A kernel. */
export interface Kernel {
  readonly name: KernelName;
  /** The activation function that it applies. */
  readonly activation: Activation | undefined;
  /** Equal for equal kernels. */
  readonly key: string;
  readonly bindings: string;
  readonly shapes: readonly (keyof Shapes)[];
  readonly code: string;
  readonly constants: Record<string, number>;
}

/** A kernel; those that write what an activation function gives are told which, or none. */
export function kernelOf(name: KernelName, activation?: Activation): Kernel {
  const { pieces, bindings, shapes, half }: Definition = DEFINITIONS[name];
  const code = activation === undefined ? 0 : forActivation(ACTIVATION_CODE, activation);
  return {
    name,
    activation,
    key: `${name} ${code}`,
    bindings,
    shapes,
    get code() {
      return (half ? "enable f16;\n" : "") + pieces.map((piece) => SHADERS[piece]).join("\n");
    },
    constants: pieces.includes("activation") ? { ACTIVATION: code } : {},
  };
}

/** Words that a dispatch is told, at most; a multiple of four. */
export const RUN_WORDS = 12;

/** Writes what a dispatch is told at word `at`. */
export function writeRun(
  words: Uint32Array,
  at: number,
  { shapes }: Kernel,
  [first, end]: readonly [number, number],
  given: Shapes,
): void {
  const floats = new Float32Array(words.buffer);
  words[at] = first;
  words[at + 1] = end;
  shapes.forEach((name, i) => {
    (FLOATS.includes(name) ? floats : words)[at + 2 + i] = given[name] ?? 0;
  });
}
