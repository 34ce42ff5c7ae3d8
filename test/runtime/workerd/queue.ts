/**
 * The example consumer of a Cloudflare Queue, bundled over the packed package, in miniflare: batches in, entities out, what
 * fails tried again, and all of it within an isolate's memory. `deno task test:workerd` runs it behind the cases.
 *
 * @module
 */
import { createRequire } from "node:module";
import { Ner } from "../../../mod.ts";
import { root } from "../../../tools/check/programs.ts";
import { modelUrl } from "../harness.ts";

/** What of miniflare is used; it lies with the other runtimes, apart from the library's packages. */
interface Miniflare {
  getR2Bucket(binding: string): Promise<{ put(key: string, bytes: Uint8Array): Promise<unknown> }>;
  getQueueProducer(binding: string): Promise<{ send(body: unknown): Promise<void> }>;
  dispose(): Promise<void>;
}

/** Collects answers; the first message that it sees of `stubborn` fails, as a queue out of order would. */
const SINK = `
let refused = false;
const answers = [];
export default {
  async queue(batch) { for (const { body } of batch.messages) answers.push(body); },
  async fetch(request) {
    if (request.method === "GET") return Response.json(answers);
    const answer = await request.json();
    if (answer.id === "stubborn" && !refused) { refused = true; return new Response("no", { status: 500 }); }
    answers.push(answer);
    return new Response("yes");
  },
};`;

/** Puts the consumer's answers into the sink, as the binding of a queue would. */
const BINDING = `
import consumer from "./consumer.js";
export default {
  queue: (batch, env) => consumer.queue(batch, { MODELS: env.MODELS, ENTITIES: { async send(answer) {
    const response = await env.SINK.fetch("http://sink/", { method: "POST", body: JSON.stringify(answer) });
    if (!response.ok) throw new Error("the queue is out of order");
  } } }),
};`;

/** The longest that answers may take, in milliseconds. */
const LIMIT = 60_000;

/** Runs the bundled consumer, `consumer.js` in `folder`; returns a line on what was seen. */
export async function runQueue(folder: string): Promise<string> {
  const load = createRequire(new URL(".ci/runtimes/package.json", root));
  const { Miniflare } = load("miniflare");
  await Deno.writeTextFile(`${folder}/queue.js`, BINDING);
  const kernels = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.endsWith(".wasm")
  );
  const modules = [
    { type: "ESModule", path: `${folder}/queue.js` },
    { type: "ESModule", path: `${folder}/consumer.js` },
    ...kernels.map((name) => ({ type: "CompiledWasm", path: `${folder}/${name}` })),
  ];
  const miniflare: Miniflare = new Miniflare({
    workers: [
      {
        name: "consumer",
        modulesRoot: folder,
        modules,
        compatibilityDate: "2026-07-01",
        r2Buckets: ["MODELS"],
        queueProducers: { TEXTS: "texts" },
        queueConsumers: { texts: { maxBatchSize: 8, maxBatchTimeout: 0.2, maxRetries: 3 } },
        serviceBindings: { SINK: "sink" },
      },
      { name: "sink", modules: true, script: SINK, compatibilityDate: "2026-07-01" },
    ],
  });
  try {
    const model = await Deno.readFile(modelUrl), bucket = await miniflare.getR2Bucket("MODELS");
    const texts = await miniflare.getQueueProducer("TEXTS");
    const sentences = Array.from({ length: 20 }, (_, i) => `জ্বরে প্যারাসিটামল ${i} খাওয়া যায়।`);
    await bucket.put("meder-int8.safetensors", model);
    for (const [i, text] of sentences.entries()) {
      await texts.send({ id: i === 3 ? "stubborn" : `${i}`, text });
    }
    await texts.send({ wrong: true });
    const sink =
      await (miniflare as unknown as { getWorker(name: string): Promise<{ fetch: typeof fetch }> })
        .getWorker("sink");
    let answers: { id?: string; entities?: unknown; error?: string }[] = [];
    for (const end = Date.now() + LIMIT; answers.length < 21 && Date.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      answers = await (await sink.fetch("http://sink/")).json();
    }
    const ner = await Ner.fromBytes(model), expected = await ner.extractBatch(sentences);
    const { memoryBytes } = ner.info();
    ner.close();
    for (const [i, entities] of expected.entries()) {
      const own = answers.filter(({ id }) => id === (i === 3 ? "stubborn" : `${i}`));
      if (own.length !== 1 || JSON.stringify(own[0]!.entities) !== JSON.stringify(entities)) {
        throw new Error(`text ${i} was answered with ${JSON.stringify(own)}`);
      }
    }
    if (!answers.some(({ id, error }) => id === undefined && error !== undefined)) {
      throw new Error("what is no message was not answered with its error");
    }
    const bytes = memoryBytes + model.length;
    if (bytes > 128 * 2 ** 20) throw new Error(`model and memory take ${bytes} bytes`);
    return `${answers.length} answers, one after a retry; ${
      (bytes / 2 ** 20).toFixed(0)
    } of 128 MiB`;
  } finally {
    await miniflare.dispose();
  }
}
