/**
 * The default model on a GPU as a program meets it: what it finds, what becomes of it when the device is taken away in the
 * middle of a call, and what is given back. The same in Deno, Node and a page, each with an implementation of WebGPU of
 * its own.
 *
 * Entities are those of WebAssembly: places and types alike, scores to 0.03. (On a GPU the int8 weights are multiplied in
 * float32, where WebAssembly rounds activations to 8 bits, too.)
 *
 * @module
 */
import type { Entity, Recogniser } from "../../../mod.ts";
import { type Case, type Result, runCases, type Subject, TEXTS } from "../shared.ts";

/** Scores of int8 against those of float32; the largest difference on these texts is 0.011. */
const SCORE_TOLERANCE = 0.03;

/** All but the longest, which takes a program on the processor too long. */
const OWN_TEXTS = TEXTS.slice(0, -1);

function assert(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

/** A GPU that shows the devices that are opened on it, and can take one away while it works. */
export class Watched {
  /** Those that were opened, in order. */
  readonly devices: GPUDevice[] = [];
  /** Destroys the next device that is given work, as soon as it has it. */
  armed = false;
  readonly #gpu: GPU;

  constructor(gpu: GPU) {
    this.#gpu = gpu;
  }

  get wgslLanguageFeatures(): unknown {
    return (this.#gpu as { wgslLanguageFeatures?: unknown }).wgslLanguageFeatures;
  }

  async requestAdapter(options?: GPURequestAdapterOptions): Promise<unknown> {
    const adapter = await this.#gpu.requestAdapter(options);
    if (adapter === null) return null;
    return {
      features: adapter.features,
      limits: adapter.limits,
      info: adapter.info,
      requestDevice: async (descriptor: GPUDeviceDescriptor): Promise<GPUDevice> => {
        const device = await adapter.requestDevice(descriptor), { queue } = device;
        const submit = queue.submit.bind(queue);
        queue.submit = (commands): undefined => {
          submit(commands);
          if (this.armed) device.destroy();
          this.armed = false;
        };
        this.devices.push(device);
        return device;
      },
    };
  }
}

/** Resolves to true if a device is lost within a second. */
function isLost(device: GPUDevice): Promise<boolean> {
  const wait = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1000));
  return Promise.race([device.lost.then(() => true), wait]);
}

type Found = readonly { type: string; start: number; end: number; score: number }[];

function places(entities: Found): string {
  return entities.map(({ type, start, end }) => `${type} ${start} ${end}`).join("; ");
}

/** What a call is rejected with. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "nothing";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** What WebAssembly finds. */
async function wanted({ library: { Ner }, model }: Subject): Promise<Entity[][]> {
  using ner = await Ner.fromBytes(model);
  return await ner.extractBatch(OWN_TEXTS);
}

/** On devices that one recogniser opens, since compiling shaders for one is what takes a program on the processor its time. */
function cases(gpu: GPU): readonly Case[] {
  const watched = new Watched(gpu);
  let ner: Recogniser | undefined;
  return [{
    name: "webgpu finds what WebAssembly finds; the same bits alone, in a batch and overlapping",
    async run(subject): Promise<string> {
      const { library: { Ner }, model } = subject, expected = await wanted(subject);
      ner = await Ner.fromBytes(model, { backend: "webgpu", gpu: watched });
      const found = await ner.extractBatch(OWN_TEXTS);
      let gap = 0, count = 0;
      found.forEach((own, i) => {
        const [got, want] = [places(own), places(expected[i])];
        assert(got === want, `text ${i}: ${got}, not ${want}`);
        own.forEach(({ score }, j) => gap = Math.max(gap, Math.abs(score - expected[i][j].score)));
        count += own.length;
      });
      assert(count > 0, "nothing was found");
      assert(gap < SCORE_TOLERANCE, `scores differ by ${gap}`);
      const some = OWN_TEXTS.slice(0, 3), own = ner;
      const alone = await Promise.all(some.map((text) => own.extract(text)));
      assert(JSON.stringify(alone) === JSON.stringify(found.slice(0, 3)), "alone it is another");
      const { backend, gpu: report, memoryBytes } = ner.info();
      assert(report?.choice === "webgpu" && backend === "webgpu f32", `${backend} runs`);
      return `${report?.adapter}, ${count} entities, scores within ${
        gap.toFixed(4)
      }, ${memoryBytes} bytes`;
    },
  }, {
    name: "a device that is destroyed in the middle of a call: webgpu throws, and opens another",
    async run(): Promise<string> {
      const text = OWN_TEXTS[0], before = await ner!.extract(text);
      watched.armed = true;
      const code = await codeOf(ner!.extract(text));
      assert(code === "runtime/gpu-lost", `it was rejected with ${code}`);
      const after = await ner!.extract(text);
      assert(JSON.stringify(after) === JSON.stringify(before), "the second device finds another");
      assert(watched.devices.length === 2, `${watched.devices.length} devices`);
      ner!.close();
      for (const device of watched.devices) assert(await isLost(device), "a device is left open");
      return "the second device finds the same; none is left open";
    },
  }, {
    name: "auto never takes a program on the processor, and is refused no room",
    async run({ library: { Ner }, model }): Promise<string> {
      using ner = await Ner.fromBytes(model, { backend: "auto", gpu });
      const { gpu: report, backend, memoryBytes } = ner.info();
      if (report?.software === false) return `a real GPU: ${report.reason}`;
      assert(report?.choice === "wasm" && backend === "wasm int8", `${backend} runs`);
      assert(report?.race === undefined, "it was raced");
      const limited = { backend: "webgpu", gpu, maxMemoryBytes: memoryBytes / 4 } as const;
      const code = await codeOf(Ner.fromBytes(model, limited));
      assert(code === "runtime/memory", `a quarter of the room: ${code}`);
      return report!.reason;
    },
  }];
}

/** On devices of their own, where these are opened quickly. */
function moreCases(gpu: GPU): readonly Case[] {
  return [{
    name: "a device that is destroyed in the middle of a call: auto finishes it in WebAssembly",
    async run(subject): Promise<string> {
      const { library: { Ner }, model } = subject, expected = await wanted(subject);
      const watched = new Watched(gpu), told: string[] = [];
      using ner = await Ner.fromBytes(model, {
        backend: "auto",
        choice: "webgpu",
        gpu: watched,
        onGpuLost: ({ code }) => told.push(code),
      });
      watched.armed = true;
      const found = await ner.extractBatch(OWN_TEXTS), again = await ner.extractBatch(OWN_TEXTS);
      for (const own of [found, again]) {
        assert(JSON.stringify(own) === JSON.stringify(expected), "it found something else");
      }
      const { backend, gpu: report } = ner.info();
      assert(told.join() === "runtime/gpu-lost", `told: ${told}`);
      assert(backend === "wasm int8" && report?.choice === "wasm", `${backend} runs`);
      return String(report?.lost);
    },
  }, {
    name:
      "a device that is handed in stays open when a recogniser is closed in the middle of a call",
    async run({ library: { Ner }, model }): Promise<void> {
      const adapter = await new Watched(gpu).requestAdapter() as GPUAdapter;
      const device = await adapter.requestDevice();
      const ner = await Ner.fromBytes(model, { backend: "webgpu", gpu: device, maxTokens: 512 });
      const running = codeOf(ner.extract(OWN_TEXTS[0]));
      ner.close();
      const code = await running;
      assert(code === "input/closed", `it ended with ${code}`);
      assert(!await isLost(device), "the caller's device was destroyed");
      device.destroy();
    },
  }];
}

/** Those that need no adapter. */
const ABSENT: readonly Case[] = [{
  name: "where there is no adapter, webgpu is refused and auto runs in WebAssembly",
  async run({ library: { Ner }, model, expected }): Promise<string> {
    const none = { requestAdapter: () => Promise.resolve(null) };
    const code = await codeOf(Ner.fromBytes(model, { backend: "webgpu", gpu: none }));
    assert(code === "runtime/no-gpu", `it was refused with ${code}`);
    using ner = await Ner.fromBytes(model, { backend: "auto", gpu: none });
    const found = await ner.extract(TEXTS[0]);
    assert(places(found) === places(expected.entities[0]), places(found));
    return ner.info().gpu!.reason;
  },
}];

/** Runs the cases, with `more` all of them; without an adapter those that need one are skipped, each by its name. */
export async function gpuCases(
  gpu: GPU | undefined,
  subject: Subject,
  { more }: { readonly more: boolean },
): Promise<Result[]> {
  const results = await runCases(ABSENT, subject), all = more ? moreCases(gpu!) : [];
  const wanting = [...cases(gpu!), ...all];
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (adapter) return [...results, ...await runCases(wanting, subject)];
  const note = gpu ? "there is no adapter here" : "there is no WebGPU here";
  const skipped = wanting.map(({ name }): Result => ({ name, ok: true, skipped: true, note }));
  return [...results, ...skipped];
}
