/**
 * The packed package in the real workerd, bundled as wrangler would: `deno task test:workerd`.
 *
 * The binary itself is started (the npm wrapper leaves it behind when ended), on a port of its own choice,
 * which it tells on its control channel. Production's limit of 128 MiB is not enforced by a local workerd;
 * the shared cases assert the budget instead.
 *
 * @module
 */
import * as guide from "../../guide.ts";
import { command, path, program } from "../../../tools/check/programs.ts";
import { installPackage } from "../../../tools/check/project.ts";
import { bundleWorker, startWorkerd, WORKER_MODULES } from "../../../tools/check/workerd.ts";
import { expectedUrl, finish, modelUrl, record, startServer, step } from "../harness.ts";
import type { Result } from "../shared.ts";
import { runQueue } from "./queue.ts";

/** The service "outside" is needed because workerd's default network refuses loopback addresses. */
function config(server: string, model: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "outside", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  ${WORKER_MODULES},
  bindings = [
    (name = "MODEL", data = embed "${model}"),
    (name = "EXPECTED", json = embed "expected.json"),
    (name = "SERVER", text = ${JSON.stringify(server)}),
  ],
  globalOutbound = "outside",
  compatibilityDate = "2026-11-01",
);
`;
}

await finish("workerd", async () => {
  const binary = await program("@cloudflare/workerd-linux-64/bin/workerd");
  const version = (await command(binary, ["--version"])).trim();
  await using server = await startServer();
  await using project = await installPackage();
  await bundleWorker("test/runtime/workerd/worker.ts", project.path);
  await Deno.copyFile(modelUrl, `${project.path}/model.safetensors`);
  await Deno.copyFile(expectedUrl, `${project.path}/expected.json`);
  await Deno.writeTextFile(`${project.path}/config.capnp`, config(server.url, "model.safetensors"));
  await using worker = await startWorkerd(binary, project.path);
  const response = await fetch(worker.url, { signal: AbortSignal.timeout(300_000) });
  const body = await response.text();
  if (!response.ok) throw new Error(`the worker answered ${response.status}: ${body}`);
  const results: Result[] = JSON.parse(body);
  record(`workerd (${version}), the package`, results);
  const { size } = await Deno.stat(path(new URL(`file://${project.path}/worker.js`)));
  await step("docs/training.md: the model of its commands, in its worker", async () => {
    const cli = `${project.path}/node_modules/edge-ner/dist/cli.js`;
    guide.prepare(project.path);
    // The commands as the installed package runs them, up to the one that packs the model.
    const all = guide.commands();
    const last = all.findIndex((args) => args.includes("recipes.safetensors"));
    for (const args of all.slice(0, last + 1)) {
      await command("node", [cli, ...args], { cwd: project.path });
    }
    await Deno.writeTextFile(`${project.path}/guide.js`, guide.program("worker.js"));
    await bundleWorker(`file://${project.path}/guide.js`, project.path);
    await Deno.writeTextFile(
      `${project.path}/config.capnp`,
      config(server.url, "recipes.safetensors"),
    );
    await using running = await startWorkerd(binary, project.path);
    const answer = await fetch(running.url, { method: "POST", body: "Add 200 g of butter." });
    const found: { type: string; text: string }[] = await answer.json();
    const foods = found.filter(({ type }) => type === "FOOD").map(({ text }) => text);
    if (foods.join() !== "butter") throw new Error(`found ${JSON.stringify(found)}`);
    return `FOOD ${foods}`;
  });
  await step(
    "examples/cloudflare_queue: batches in, entities out, retries on failure",
    async () => {
      await bundleWorker("examples/cloudflare_queue/consumer.ts", project.path, "consumer.js");
      return await runQueue(project.path);
    },
  );
  console.log(`  the worker's script is ${(size / 1024).toFixed(0)} KiB before minification`);
});
