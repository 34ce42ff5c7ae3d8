/**
 * A consumer of a Cloudflare Queue: batches of texts in, their entities out into another queue.
 *
 * A message is `{ id, text }`. What is no such message, or what the library refuses, is answered with its error and acknowledged:
 * trying again would change nothing. Anything else that goes wrong returns the messages to the queue, which hands
 * them out again after a pause and, after as many tries as it is configured for, to its dead-letter queue.
 *
 * The model lies in R2 and is read once an isolate; it and the kernels stay below the isolate's 128 MB. In wrangler's configuration:
 *
 *     [[r2_buckets]]
 *     binding = "MODELS"
 *     bucket_name = "models"
 *     [[queues.consumers]]
 *     queue = "texts"
 *     max_batch_size = 32
 *     max_retries = 3
 *     dead_letter_queue = "dead"
 *     [[queues.producers]]
 *     queue = "entities"
 *     binding = "ENTITIES"
 *
 * @module
 */
import { type Entity, Ner, NerError } from "edge-ner";

/** A message that this worker understands. */
interface Text {
  readonly id: string;
  readonly text: string;
}

/** What it answers. */
interface Answer {
  readonly id: string | undefined;
  readonly entities?: readonly Entity[];
  readonly error?: string;
}

interface Message {
  readonly body: unknown;
  readonly attempts: number;
  ack(): void;
  retry(options: { delaySeconds: number }): void;
}

interface Env {
  readonly MODELS: { get(key: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null> };
  readonly ENTITIES: { send(answer: Answer): Promise<void> };
}

const MODEL = "meder-int8.safetensors";

let loading: Promise<Ner> | undefined;

function load({ MODELS }: Env): Promise<Ner> {
  // A failure is not kept: the next batch tries again.
  return loading ??= read(MODELS).catch((error) => {
    loading = undefined;
    throw error;
  });
}

async function read(models: Env["MODELS"]): Promise<Ner> {
  const file = await models.get(MODEL);
  if (file === null) throw new Error(`there is no ${MODEL} in the bucket`);
  return await Ner.fromBytes(new Uint8Array(await file.arrayBuffer()));
}

function isText(body: unknown): body is Text {
  const { id, text } = (body ?? {}) as Record<string, unknown>;
  return typeof id === "string" && typeof text === "string";
}

async function answerTo(ner: Ner, body: unknown): Promise<Answer> {
  if (!isText(body)) return { id: undefined, error: "expected { id, text }, both strings" };
  try {
    return { id: body.id, entities: await ner.extract(body.text) };
  } catch (error) {
    if (error instanceof NerError) {
      return { id: body.id, error: `${error.message} (${error.code})` };
    }
    throw error;
  }
}

export default {
  async queue(batch: { readonly messages: readonly Message[] }, env: Env): Promise<void> {
    const ner = await load(env);
    for (const message of batch.messages) {
      try {
        await env.ENTITIES.send(await answerTo(ner, message.body));
        message.ack();
      } catch {
        message.retry({ delaySeconds: Math.min(2 ** message.attempts, 60) });
      }
    }
  },
};
