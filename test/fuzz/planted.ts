/**
 * Targets that fail on purpose, to see that the fuzzer notices: `--inject test/fuzz/planted.ts`.
 *
 * @module
 */
import type { Case, Target } from "../../fuzz/case.ts";
import { FormatError } from "../../src/errors.ts";

function target(name: string, read: () => unknown): Target {
  return {
    name,
    make(random): Case {
      const unlucky = random.int(30) === 0;
      return {
        files: { "input.bin": random.bytes(8) },
        read(): unknown {
          if (unlucky) return read();
          throw new FormatError("package/format", "as it should be");
        },
        use: () => Promise.resolve(0),
      };
    },
  };
}

/** One target for each way to fail. */
export const targets: readonly Target[] = [
  target("planted-error", () => (undefined as unknown as string).length),
  target("planted-stack", function deeper(): unknown {
    return [deeper()];
  }),
  target("planted-trap", () => {
    // (module (func (export "f") unreachable))
    const bytes = "0061736d010000000104016000000302010007050101660000" + "0a05010300000b";
    const code = Uint8Array.from(bytes.match(/../g)!, (pair) => parseInt(pair, 16));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
    return (exports.f as () => void)();
  }),
  target("planted-memory", () => new Uint8Array(1 << 28)),
  target("planted-hang", () => {
    for (;;);
  }),
  target("planted-death", () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(1000).fill(kept.length));
  }),
];
