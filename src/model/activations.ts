/**
 * The activation functions of feed-forward networks and of heads: the one list of them.
 *
 * Whatever depends on the activation (a kernel's code, a graph that is written, a name in config.json) is a
 * table keyed by {@link Activation}, so that the compiler asks for a new one everywhere, and is read through
 * {@link forActivation}, so that a name from a file or from untyped code that is not in the list is an error
 * and never another function.
 *
 * GELU: Hendrycks and Gimpel, arXiv 1606.08415, x times the normal distribution function at x, and the same
 * paper's approximation by tanh.
 *
 * @module
 */
import { ModelError, show } from "../errors.ts";
import { erf } from "./erf.ts";

/** Activation of a feed-forward network or a head: exact (erf) GELU, its approximation by tanh, or tanh itself. */
export type Activation = "gelu" | "gelu_tanh" | "tanh";

/** The names of all activations; not made of {@link ACTIVATIONS}, so that who checks a name needs no formula. */
export const ACTIVATION_NAMES: readonly Activation[] = ["gelu", "gelu_tanh", "tanh"];

/** What an activation function is. */
interface Definition {
  /** Its value in float64: what kernels and other engines are judged by. */
  readonly value: (x: number) => number;
  /** Its names in transformers' ACT2FN; the first is the one that is written. */
  readonly names: readonly string[];
}

/** What each activation function is. */
export const ACTIVATIONS: Readonly<Record<Activation, Definition>> = {
  gelu: {
    value: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    names: ["gelu", "gelu_python"],
  },
  gelu_tanh: {
    value: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    names: ["gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_python_tanh"],
  },
  tanh: { value: Math.tanh, names: ["tanh"] },
};

/** Throws a {@link ModelError} (`model/config`) for an activation that is not in the list, whatever the types say. */
export function checkActivation(activation: Activation): void {
  if (ACTIVATION_NAMES.includes(activation)) return;
  const known = ACTIVATION_NAMES.map((name) => JSON.stringify(name)).join(" or ");
  throw new ModelError("model/config", `activation is ${show(activation)}; expected ${known}.`);
}

/** The entry of an activation in a table of them; throws as {@link checkActivation}. */
export function forActivation<T>(
  table: Readonly<Record<Activation, T>>,
  activation: Activation,
): T {
  checkActivation(activation);
  return table[activation];
}

/** The activation of a name in transformers' ACT2FN; undefined if it is none of the list's. */
export function activationNamed(name: string): Activation | undefined {
  return ACTIVATION_NAMES.find((activation) => ACTIVATIONS[activation].names.includes(name));
}
