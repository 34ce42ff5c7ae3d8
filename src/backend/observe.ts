/**
 * A backend that shows what its linear layers are given, as they are given it: how sample text becomes statistics.
 *
 * Reading a tensor carries out all that was written before, so each layer's input is seen as it was; it costs a run that
 * all its commands are carried out in one call, and nothing else.
 *
 * @module
 */
import type { Backend, Linear, Tensor } from "./backend.ts";

/** `backend`, but that `see` is told of every linear layer's input, float32 `[tokens, inputs]`, before it is used. */
export function observed(
  backend: Backend,
  see: (linear: Linear, input: Promise<Float32Array>) => void,
): Backend {
  const linear = (x: Tensor, weights: Linear, out: Tensor): void => {
    see(weights, backend.read(x));
    backend.linear(x, weights, out);
  };
  return new Proxy(backend, {
    get(target, name): unknown {
      if (name === "linear") return linear;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
