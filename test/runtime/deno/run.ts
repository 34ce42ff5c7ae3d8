/**
 * The cases in Deno, from source with no more permissions than they need, and on the packed package:
 * `deno task test:deno`.
 *
 * `--write` first renews `expected.json` from this run, which makes Deno the reference of all others.
 *
 * @module
 */
import { DEFAULT, type Model, MODELS, weightsOf } from "../../../models/registry.ts";
import type { Recogniser } from "../../../mod.ts";
import { command, path, root } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import {
  expectedUrl,
  finish,
  makeFolder,
  MODEL_URLS,
  modelUrl,
  readExpected,
  record,
  runCommand,
  startServer,
  step,
} from "../harness.ts";
import { compileKernel, MODULES } from "../../../tools/build/assemblyscript.ts";
import {
  adapterBytes,
  type Expected,
  type ExpectedEntity,
  type ExpectedModel,
  featuresSha256,
  fingerprint,
  fingerprintTextsOf,
  headsSha256,
  laneModel,
  type Result,
  sha256,
  TEXTS,
  textsOf,
} from "../shared.ts";
import { attentionSha256, trainedSha256 } from "../training.ts";

/** What `expected.json` says of the entities in texts. */
async function entitiesOf(ner: Recogniser, texts: readonly string[]): Promise<ExpectedEntity[][]> {
  const entities: ExpectedEntity[][] = [];
  for (const text of texts) {
    const found = await ner.extract(text);
    entities.push(found.map(({ text, ...rest }) => ({ ...rest, text: text.toWellFormed() })));
  }
  return entities;
}

/** What `expected.json` says of a model beside the default one. */
async function expectedOf({ name, examples }: Model): Promise<ExpectedModel> {
  const { Ner } = await import("../../../mod.ts"), model = await Deno.readFile(MODEL_URLS[name]);
  using int8 = await Ner.fromBytes(model), fp32 = await Ner.fromBytes(model, { backend: "fp32" });
  const sentences = Object.values(examples), texts = fingerprintTextsOf(sentences);
  return {
    modelSha256: await sha256(model),
    sentences,
    emissionsSha256: {
      int8: await fingerprint(int8, false, texts),
      fp32: await fingerprint(fp32, false, texts),
    },
    entities: await entitiesOf(int8, textsOf(sentences)),
  };
}

async function write(): Promise<void> {
  const { Ner } = await import("../../../mod.ts"), training = await import("../../../train.ts");
  const model = await Deno.readFile(modelUrl);
  const ner = await Ner.fromBytes(model);
  const fp32 = await Ner.fromBytes(model, { backend: "fp32" });
  const adapter = adapterBytes(await import("../../../mod.ts"), model);
  const lanes = await Ner.fromBytes(laneModel(await import("../../../mod.ts"), model));
  const entities = await entitiesOf(ner, TEXTS);
  const expected: Expected = {
    model: weightsOf(DEFAULT),
    modelSha256: await sha256(model),
    emissionsSha256: {
      int8: await fingerprint(ner),
      fp32: await fingerprint(fp32),
      lanes: await fingerprint(lanes),
    },
    headsSha256: await headsSha256(await import("../../../mod.ts"), model),
    featuresSha256: await featuresSha256(await import("../../../mod.ts"), model, 1),
    adaptedSha256: {
      int8: await fingerprint(await ner.withAdapter(adapter)),
      fp32: await fingerprint(await fp32.withAdapter(adapter)),
    },
    parametersSha256: (await trainedSha256(training, 1)).hash,
    attentionSha256: await attentionSha256(training, 1),
    entities,
    others: Object.fromEntries(
      await Promise.all(
        MODELS.filter(({ name }) => name !== DEFAULT)
          .map(async (model) => [model.name, await expectedOf(model)] as const),
      ),
    ),
  };
  await Deno.writeTextFile(expectedUrl, JSON.stringify(expected, undefined, 2) + "\n");
  console.log(`wrote ${path(expectedUrl)}`);
}

async function denied(): Promise<Result[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "test/runtime/deno/denied.ts"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = new Response(child.stdout).text();
  // A child that ends early breaks the pipe; its exit code says so better.
  await (await Deno.open(modelUrl)).readable.pipeTo(child.stdin).catch(() => {});
  const results: Result[] = (await output).split("\n").filter((line) => line.startsWith('{"name":'))
    .map((line) => JSON.parse(line));
  const { code } = await child.status;
  if (code !== 0) {
    results.push({ name: "the program ends well", ok: false, note: `exited with ${code}` });
  }
  return results;
}

/**
 * The relaxed kernel, compiled with what engines make of its dot instead of the instruction: what this
 * machine's processor does not have is tested all the same. See kernels/relaxed/dot.ts.
 */
async function otherProcessors(): Promise<void> {
  const { Ner } = await import("../../../mod.ts");
  const model = await Deno.readFile(modelUrl);
  const expected = await readExpected();
  const engines = [
    ["second operand unsigned (x86 with VNNI)", "unsigned", true],
    ["second operand signed (Arm)", "signed", true],
    ["pairs saturate (x86 without VNNI)", "saturating", false],
    ["sums doubled (an old first-tier compiler)", "doubled", false],
  ] as const;
  for (const [engine, dot, usable] of engines) {
    await step(`the relaxed kernel, ${engine}`, async () => {
      const module = await WebAssembly.compile(await compileKernel({ ...MODULES.relaxed, dot }));
      let ner;
      try {
        ner = await Ner.fromBytes(model, { kernels: [module] });
      } catch (error) {
        if (!usable && (error as { code?: string }).code === "runtime/kernels") return "refused";
        throw error;
      }
      if (!usable) throw new Error("the probe let it pass");
      const hash = await fingerprint(ner);
      if (hash !== expected.emissionsSha256.int8) {
        throw new Error(`the emissions' SHA-256 is ${hash}`);
      }
      const adapter = adapterBytes(await import("../../../mod.ts"), model);
      const adapted = await fingerprint(await ner.withAdapter(adapter));
      if (adapted !== expected.adaptedSha256.int8) {
        throw new Error(`the emissions' SHA-256 with an adapter is ${adapted}`);
      }
      return "the committed fingerprints";
    });
  }
}

/** The sources as a program of another project has them, which knows nothing of this one's package.json. */
async function elsewhere(): Promise<void> {
  const files = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (ask) => {
    const { pathname } = new URL(ask.url);
    try {
      const body = await Deno.readFile(new URL(`.${pathname}`, root));
      return new Response(body, { headers: { "content-type": "application/typescript" } });
    } catch {
      return new Response("not here", { status: 404 });
    }
  });
  const folder = await Deno.makeTempDir({ prefix: "edge-ner-elsewhere-" });
  try {
    await Deno.writeTextFile(`${folder}/deno.json`, "{}\n");
    const served = `http://127.0.0.1:${files.addr.port}`;
    for (const [way, from] of [["path", root.href], ["URL", `${served}/`]]) {
      await step(`another project imports the sources by ${way}`, async () => {
        await Deno.writeTextFile(
          `${folder}/main.ts`,
          `import { Ner } from ${JSON.stringify(`${from}mod.ts`)};\n` +
            `import { Ner as Core } from ${JSON.stringify(`${from}core.ts`)};\n` +
            `import { createTrainer } from ${JSON.stringify(`${from}train.ts`)};\n` +
            `using ner = await Ner.load(${JSON.stringify(path(modelUrl))});\n` +
            "console.log((await ner.extract(Deno.args[0])).length, typeof Core, typeof createTrainer);\n",
        );
        // Deno keeps what it fetched, and an earlier run's server may have had this one's port. (`--reload` matches no URL that
        // ends in a slash.)
        const args = ["run", "-A", "--no-lock", `--reload=${served}`, `${folder}/main.ts`];
        const said = await command(Deno.execPath(), [...args, TEXTS[0]], { cwd: folder });
        const { entities } = await readExpected();
        if (said.trim() !== `${entities[0].length} function function`) throw new Error(said);
      });
    }
  } finally {
    await files.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

await finish("deno", async () => {
  if (Deno.args.includes("--write")) await write();
  await using server = await startServer();
  await using folder = await makeFolder();
  const places = { server: server.url, folder: folder.path };
  const permissions = [
    "--cached-only",
    "--no-prompt",
    `--allow-read=${folder.path},${path(expectedUrl)}`,
    "--allow-net=127.0.0.1",
    "--allow-env",
  ];
  record(
    `Deno ${Deno.version.deno}, from source`,
    await runCommand(Deno.execPath(), ["run", ...permissions, "test/runtime/deno/main.ts"], places),
  );
  record("Deno without permissions", await denied());
  await otherProcessors();
  await elsewhere();
  await using project = await installPackage();
  const main = await bundle("test/runtime/node/main.ts", project.path, "main.js", {
    platform: "node",
    keep: true,
  });
  record(
    `Deno ${Deno.version.deno}, the package`,
    await runCommand(
      Deno.execPath(),
      ["run", "-A", "--no-config", "--node-modules-dir=manual", main],
      places,
      project.path,
    ),
  );
});
