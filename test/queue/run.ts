/**
 * A corpus through a real Redis while workers are killed and Redis restarts: `deno task test:queue`.
 *
 * Workers are killed with SIGKILL one after another, evenly over the work and not by the clock (a fast machine is through before
 * a slow one's first second), and started again, Redis is restarted once (with AOF), one worker is sent SIGTERM; then the output must be, byte for byte, what one process makes of the same corpus, with no document lost and none
 * twice, and the documents that are none among the dead letters. Needs redis-server (or valkey-server) in the path.
 *
 *     deno task test:queue [--documents N] [--workers N] [--kills N] [--shard BYTES]
 *     deno task test:queue --documents 200000 --workers 4 --kills 20 --shard 50000
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { LOCK_MS } from "../../src/cli/queue/connection.ts";
import { report } from "../../tools/check/report.ts";
import { cli, fixture, start } from "../cli/run.ts";
import { random } from "../support.ts";

const { values } = parseArgs({
  options: {
    documents: { type: "string", default: "4000" },
    workers: { type: "string", default: "2" },
    kills: { type: "string", default: "3" },
    shard: { type: "string", default: "5000" },
  },
});
const [documents, workers, kills] = [values.documents, values.workers, values.kills]
  .map(Number) as [number, number, number];
const MODEL = fixture("tiny-torchscript");

let passed = 0, failed = 0;
function check(name: string, ok: boolean, detail = ""): void {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? "ok  " : "FAIL"} ${name}${detail && `: ${detail}`}`);
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Files of documents, every 997th of which is none. */
function writeCorpus(folder: string): number {
  const next = random(16), words = ["জ্বর", "ibuprofen", "মাথাব্যথা", "হৃদযন্ত্র", "and", "২৫০", "mg"];
  let dead = 0;
  mkdirSync(folder, { recursive: true });
  for (let file = 0; file < 4; file++) {
    const lines: string[] = [];
    for (let i = file; i < documents; i += 4) {
      const text = Array.from(
        { length: 3 + Math.floor(next() * 12) },
        () => words[Math.floor(next() * words.length)],
      ).join(" ");
      const broken = i % 997 === 5;
      if (broken) dead++;
      lines.push(broken ? `{"id": ${i}` : JSON.stringify({ id: i, text }));
    }
    writeFileSync(join(folder, `${file}.jsonl`), lines.join("\n") + "\n");
  }
  return dead;
}

/** How many parts of an output are there already. */
function partsIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).filter((name) => name.startsWith("part-")).length;
}

/** All parts of an output, and all dead letters, in their order. */
function contentOf(folder: string): { parts: string; dead: string } {
  const read = (kind: string): string =>
    readdirSync(folder).filter((name) => name.startsWith(kind)).sort()
      .map((name) => readFileSync(join(folder, name), "utf8")).join("");
  return { parts: read("part-"), dead: read("dead-") };
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

const folder = mkdtempSync(join(tmpdir(), "edge-ner-queue-"));
const port = await freePort(), url = `redis://127.0.0.1:${port}`;
const server = ["redis-server", "valkey-server"].find((name) =>
  spawnSync(name, ["--version"]).status === 0
);
const running = new Set<ChildProcess>();
/** Workers that have said so. */
const ready = new WeakSet<ChildProcess>();
/** What workers have said. */
const said = new WeakMap<ChildProcess, string>();

function startRedis(): ChildProcess {
  const dir = join(folder, "redis");
  mkdirSync(dir, { recursive: true });
  const child = spawn(server!, [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", dir],
    ...["--appendonly", "yes", "--appendfsync", "always", "--save", ""],
  ], { stdio: "ignore" });
  running.add(child);
  return child;
}

function ended(child: ChildProcess): Promise<number | null> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}

function startWorker(): ChildProcess {
  const child = start(["worker", "--queue", url, "--threads", "1"]);
  child.stdout.resume();
  child.stderr.on("data", (text: Uint8Array) => {
    const all = (said.get(child) ?? "; ") + new TextDecoder().decode(text);
    said.set(child, all);
    if (all.includes("taking shards")) ready.add(child);
  });
  running.add(child);
  return child;
}

async function main(): Promise<void> {
  if (server === undefined) return check("redis-server or valkey-server is installed", false);
  const corpus = join(folder, "corpus"), dead = writeCorpus(corpus);
  const args = ["annotate", corpus, "--model", MODEL, "--backend", "int8", "--shard", values.shard];
  const alone = await cli([...args, "--threads", "1", "-o", join(folder, "alone")]);
  check("one process makes it", alone.code === 0, alone.stdout.trim() + alone.stderr.trim());
  const expected = contentOf(join(folder, "alone")), shards = partsIn(join(folder, "alone"));

  let redis = startRedis();
  const began = performance.now();
  let over = false;
  const produced = cli([...args, "-o", join(folder, "queued"), "--queue", url]).then((run) => {
    over = true;
    return run;
  });
  const crew = Array.from({ length: workers }, startWorker);
  let killed = 0, restarted = false;
  while (!over && killed < kills) {
    await sleep(10);
    if (partsIn(join(folder, "queued")) < (killed + 1) * shards / (kills + 1)) continue;
    // The next in turn that works: one that is still starting would be killed for nothing.
    const turns = crew.map((_, i) => (killed + i) % crew.length);
    const at = turns.find((i) => ready.has(crew[i]!));
    if (at === undefined) continue;
    killed++;
    const victim = crew[at]!;
    victim.kill("SIGKILL");
    await ended(victim);
    crew[at] = startWorker();
    if (!restarted && killed >= kills / 2) {
      restarted = true;
      redis.kill("SIGTERM");
      await ended(redis);
      await sleep(500);
      redis = startRedis();
    }
  }
  const limit = sleep(1_200_000, undefined, { ref: false }).then(() => undefined);
  const run = await Promise.race([produced, limit]);
  const seconds = (performance.now() - began) / 1000;
  check("the producer ends well", run?.code === 0, run && run.stdout.trim() + run.stderr.trim());
  check("it counts dead letters", run?.stdout.includes(`; ${dead} dead letters`) === true);
  const got = contentOf(join(folder, "queued"));
  console.log(
    `     ${documents} documents, ${killed} kills, ${
      (documents / seconds).toFixed(0)
    } documents a second`,
  );
  check("workers were killed and Redis restarted", killed === kills && restarted);
  check(
    "the bytes are those of one process",
    hashOf(got.parts) === hashOf(expected.parts),
    hashOf(got.parts),
  );
  const ids = got.parts.trimEnd().split("\n").map((line) => JSON.parse(line).id);
  check(
    "no document is lost and none is there twice",
    new Set(ids).size === ids.length && ids.length === documents - dead,
  );
  const letters = (text: string): string => text.replaceAll(join(folder, "queued"), "");
  check(
    "dead letters are there, each once",
    got.dead.trimEnd().split("\n").length === dead && letters(got.dead) === letters(expected.dead),
  );

  const last = crew[0]!;
  for (let i = 0; i < 600 && !ready.has(last); i++) await sleep(100);
  last.kill("SIGTERM");
  // Not by its exit code: Deno's node:child_process gives the signal that was sent, whatever the process made of it.
  const stopped = (): boolean => said.get(last)?.includes("stopped;") === true;
  for (let i = 0; i < 600 && !stopped(); i++) await sleep(100);
  check("SIGTERM ends a worker well", stopped(), said.get(last));
  await ended(last);
  // The producer ends with the last part. A worker that was killed between its part's name and its word to the queue leaves a
  // shard that counts as active until its lock runs out and another worker has seen that the part is there.
  let status = "";
  const empty = async (): Promise<boolean> => {
    status = (await cli(["status", "--queue", url, "--json"])).stdout.trim();
    const { shards = { none: 1 } } = JSON.parse(status || "{}");
    return Object.values(shards).every((count) => count === 0);
  };
  const until = performance.now() + 4 * LOCK_MS;
  let drained = await empty();
  while (!drained && performance.now() < until) {
    await sleep(500);
    drained = await empty();
  }
  check("nothing is left in the queue", drained, status);
}

try {
  await main();
} finally {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
report("queue", passed, failed);
