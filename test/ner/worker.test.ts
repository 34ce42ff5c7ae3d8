/** A recogniser in a worker: the same answers, errors, streams and progress, and it ends with close. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  InputError,
  ModelError,
  Ner,
  NerError,
  pipeline,
  type Recogniser,
  type RemoteNer,
  type RemoteVocabulary,
  RuntimeError,
  type Vocabulary,
} from "../../mod.ts";
import { bits } from "../support.ts";

/** What a method gives from a worker: what must be waited for here, too, or a promise of it. */
type Awaiting<T> = T extends AsyncGenerator ? T
  : T extends Promise<Recogniser> ? Promise<RemoteNer>
  : T extends Promise<unknown> ? T
  : T extends Vocabulary ? Promise<RemoteVocabulary>
  : T extends void ? void
  : Promise<T>;

/** The methods of a recogniser, so that none is forgotten in a worker: a type error tells. */
type Remote = {
  [K in keyof Recogniser]: (
    ...args: Parameters<Recogniser[K]>
  ) => Awaiting<ReturnType<Recogniser[K]>>;
};

const folder = new URL("../fixtures/tiny-torchscript/", import.meta.url).pathname;
const TEXTS = ["Metformin 500mg twice a day, পেটে ব্যথা হলে ডাক্তারকে জানান।", "", "x y z"];
const here = await Ner.load(folder, { threads: 1 });
const there: Remote = await Ner.inWorker(folder, { threads: 1 });

test("every method gives what it gives without a worker", async () => {
  assert.equal(await there.extract(TEXTS[0]), await here.extract(TEXTS[0]));
  assert.equal(await there.extractBatch(TEXTS), await here.extractBatch(TEXTS));
  assert.equal(await there.tokenize(TEXTS[0]), here.tokenize(TEXTS[0]));
  const [a, b] = [await there.emissionsBatch(TEXTS), await here.emissionsBatch(TEXTS)];
  assert.equal(a.map(({ data }) => bits(data)), b.map(({ data }) => bits(data)));
  assert.equal((await there.emissions(TEXTS[0])).tokens, b[0].tokens);
  const [p, q] = [await there.probabilitiesBatch(TEXTS), await here.probabilitiesBatch(TEXTS)];
  assert.equal(p.map(({ data }) => bits(data)), q.map(({ data }) => bits(data)));
  assert.equal(bits((await there.probabilities(TEXTS[0])).data), bits(q[0].data));
  assert.equal(await there.extractNBest(TEXTS[0], 3), await here.extractNBest(TEXTS[0], 3));
  const { spell, ...vocabulary } = await there.vocabulary(), own = here.vocabulary();
  assert.equal(vocabulary, { unknown: own.unknown, continuing: own.continuing });
  assert.is(await spell(["in", "##sulin"]), own.spell(["in", "##sulin"]));
  const { threadChunks: _, ...info } = await there.info();
  const { threadChunks: __, ...told } = here.info();
  assert.equal(info, told);
});

test("a pipeline takes a recogniser in a worker", async () => {
  const options = { aggregation_strategy: "average", ignore_labels: [] } as const;
  const [a, b] = [there, here].map((ner) => pipeline("token-classification", ner)(TEXTS, options));
  assert.equal(await a, await b);
});

test("an adapter is beside the model, as it is without a worker", async () => {
  const place = new URL("../fixtures/zoo/bert-safetensors/", import.meta.url).pathname;
  const peft = (name: string): Uint8Array =>
    readFileSync(new URL(`../formats/fixtures/peft/${name}`, import.meta.url));
  const adapter = peft("adapter_model.safetensors");
  const options = { config: new TextDecoder().decode(peft("adapter_config.json")) };
  using alone = await Ner.load(place, { threads: 1 });
  using want = await alone.withAdapter(adapter, options);
  using first = await Ner.inWorker(place, { threads: 1 });
  using adapted = await first.withAdapter(adapter, options);
  const data = async (ner: Pick<Ner, "emissions">) => bits((await ner.emissions(TEXTS[0])).data);
  assert.equal(await data(adapted), await data(want));
  assert.equal(await data(first), await data(alone));
  assert.not.equal(await data(first), await data(adapted));
  const error = await first.withAdapter(adapter).catch((e) => e);
  assert.instance(error, NerError);
  assert.is(error.code, "adapter/config");
});

test("recognisers with terms live beside the one that they are made of", async () => {
  using first = await Ner.inWorker(folder, { threads: 1 });
  const terms = { always: [{ type: "FOOD", terms: ["ডাক্তার"] }] };
  const known = await first.withLexicon(terms);
  using same = await here.withLexicon(terms);
  const found = await same.extract(TEXTS[0]);
  assert.ok(found.some(({ type }) => type === "FOOD"));
  assert.equal(await known.extract(TEXTS[0]), found);
  assert.equal(await first.extract(TEXTS[0]), await here.extract(TEXTS[0]));

  // The worker ends with the last of them.
  first.close();
  assert.is((await first.extract("x").catch((e) => e)).code, "input/closed");
  const again = await known.withLexicon({ never: ["ডাক্তার"] });
  known.close();
  assert.ok(Array.isArray(await again.extract(TEXTS[0])));
  again.close();
  assert.match((await again.extract("x").catch((e) => e)).message, /^extract: /);
});

test("what cannot be sent is refused", async () => {
  const error = await there.extract((() => {}) as unknown as string).catch((e) => e);
  assert.instance(error, InputError);
  assert.is(error.code, "input/type");
  assert.match(error.message, /^extract: /);
  assert.equal(await there.extract("x"), await here.extract("x"));
});

test("streams go across one at a time", async () => {
  assert.equal(
    await Array.fromAsync(there.extractStream(TEXTS)),
    await here.extractBatch(TEXTS),
  );
  const long = TEXTS[0].repeat(50);
  const pieces = long.match(/[^]{1,700}/gu)!;
  assert.equal(await Array.fromAsync(there.extractDocument(pieces)), await here.extract(long));
  let taken = 0;
  function* endless(): Generator<string> {
    for (;;) {
      taken++;
      yield "x";
    }
  }
  for await (const _ of there.extractStream(endless())) if (taken >= 3) break;
  assert.is(taken, 3);
  function* failing(): Generator<string> {
    yield "x";
    throw new Error("no more");
  }
  const error = await Array.fromAsync(there.extractStream(failing())).catch((e) => e);
  assert.is(error.message, "no more");
});

test("one that is closed while its stream waits for the source leaves the others alone", async () => {
  using first = await Ner.inWorker(folder, { threads: 1 });
  const beside = await first.withLexicon({ never: ["x"] });
  let end = "";
  async function* slow(): AsyncGenerator<string> {
    try {
      beside.close();
      await first.info();
      yield "x";
    } finally {
      end = "let go";
    }
  }
  const error = await Array.fromAsync(beside.extractStream(slow())).catch((e) => e);
  assert.is(error.code, "input/closed");
  assert.is(end, "let go");
  assert.equal(await first.extract("x"), await here.extract("x"));
});

test("errors keep their class, their code and their message", async () => {
  const same = async (
    call: (ner: { extract(text: string): Promise<unknown> }) => Promise<unknown>,
  ): Promise<void> => {
    const [a, b] = await Promise.all(
      [there, here].map((ner) => call(ner).catch((e: unknown) => e) as Promise<InputError>),
    );
    assert.instance(a, InputError);
    assert.is(a.code, b.code);
    assert.is(a.message, b.message);
  };
  await same((ner) => ner.extract(3 as unknown as string));
  await same((ner) => ner.extract("x", ...[{ Signal: 1 }] as unknown as []));
  const missing = await Ner.inWorker("/nowhere").catch((e) => e);
  assert.instance(missing, RuntimeError);
  assert.is(missing.code, "runtime/not-found");
  const big = await Ner.inWorker(folder, { maxMemoryBytes: 1 }).catch((e) => e);
  assert.instance(big, NerError);
  assert.not.instance(big, ModelError);
  assert.is(big.code, "runtime/memory");
});

test("signals and progress cross", async () => {
  const reason = new Error("enough"), controller = new AbortController();
  const long = TEXTS[0].repeat(300);
  let told = 0;
  const error = await there.extract(long, {
    signal: controller.signal,
    onProgress: ({ done, total }) => {
      assert.ok(done > 0 && done <= total);
      if (++told === 2) controller.abort(reason);
    },
  }).catch((e) => e);
  assert.is(error, reason);
  assert.equal(await there.extract("x"), await here.extract("x"));
});

test("a packed model's bytes go to a worker, and stay here", async () => {
  const path = new URL("../../models/meder/meder-int8.safetensors", import.meta.url);
  const bytes = readFileSync(path);
  using ner = await Ner.inWorker(bytes);
  assert.is(bytes.byteLength > 1e6, true);
  assert.ok((await ner.extract("জ্বরে প্যারাসিটামল খাওয়া যায়।")).length > 0);
});

test("closing rejects what waits and ends the worker", async () => {
  const waiting = there.extract(TEXTS[0].repeat(300)).catch((e) => e);
  there.close();
  assert.is((await waiting).code, "input/closed");
  assert.is((await there.extract("x").catch((e) => e)).code, "input/closed");
  there.close();
  here.close();
});

test.run();
