/**
 * Runs the core's tests: `deno task test [part of a file name ...]`.
 *
 * Each `*.test.ts` under test/ (test/runtime/ excepted) runs in a process of its own, two at a time, so that
 * a file that crashes or hangs costs one failure and not the rest of the run. uvu does the reporting inside
 * a process; its exit code and its totals are both believed only when they agree, because a file that
 * forgets `test.run()` exits with 0 and has tested nothing.
 *
 * Ends with the line `N passed, M failed`, and exits with 1 when M > 0. Where RESULT_FILE is set, the same
 * counts are appended to that file as a line of JSON.
 *
 * @module
 */
import { report } from "./report.ts";

/** A file that takes longer has hung. Training smoke tests are the slowest, at well under a minute. */
const LIMIT_MS = 300_000;
const WORKERS = Math.max(2, Math.min(4, navigator.hardwareConcurrency));

const root = new URL("../../", import.meta.url);

async function find(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, root))) {
    const path = folder + entry.name;
    if (entry.isDirectory && path !== "test/runtime" && entry.name !== "fixtures") {
      found.push(...await find(`${path}/`));
    } else if (entry.isFile && entry.name.endsWith(".test.ts")) found.push(path);
  }
  return found.sort();
}

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

function count(output: string, word: string): number {
  // One table for each `exec`; a file has one unless it does something unusual.
  return [...output.matchAll(new RegExp(`^\\s+${word}:\\s+(\\d+)`, "gm"))]
    .reduce((sum, match) => sum + Number(match[1]), 0);
}

async function runFile(path: string): Promise<Outcome> {
  const start = performance.now();
  const signal = AbortSignal.timeout(LIMIT_MS);
  const child = new Deno.Command(Deno.execPath(), {
    // Cached only: with a network, Deno asks the registry again for every process, although all is installed.
    args: ["run", "-A", "--no-check", "--cached-only", path],
    cwd: root,
    env: { NO_COLOR: "1", FORCE_COLOR: "0" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  });
  const result = await child.output();
  const output = new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr);
  const total = count(output, "Total");
  const passed = count(output, "Passed");
  const skipped = count(output, "Skipped");
  let failed = total - passed; // What is skipped is not in the total.
  let note = "";
  if (signal.aborted) {
    [failed, note] = [failed + 1, `took longer than ${LIMIT_MS / 1000} s and was ended`];
  } else if (total === 0) [failed, note] = [1, "reported no test (is test.run() missing?)"];
  else if (failed === 0 && result.code !== 0) [failed, note] = [1, `exited with ${result.code}`];
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const verdict = failed > 0 ? "FAIL" : "ok  ";
  console.log(
    `${verdict} ${path}  ${passed} passed` + (failed > 0 ? `, ${failed} failed` : "") +
      (skipped > 0 ? `, ${skipped} skipped` : "") + `  (${seconds} s)` + (note && `: ${note}`),
  );
  if (failed > 0) console.log(output.replace(/^/gm, "    "));
  return { passed, failed, skipped };
}

const files = (await find("test/")).filter((path) =>
  Deno.args.length === 0 || Deno.args.some((part) => path.includes(part))
);
const sum: Outcome = { passed: 0, failed: 0, skipped: 0 };
const queue = [...files];
await Promise.all(Array.from({ length: WORKERS }, async () => {
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const outcome = await runFile(path);
    sum.passed += outcome.passed;
    sum.failed += outcome.failed;
    sum.skipped += outcome.skipped;
  }
}));
if (files.length === 0) {
  console.error("No test file matches.");
  sum.failed++;
}
console.log(`\n${files.length} files` + (sum.skipped > 0 ? `, ${sum.skipped} tests skipped` : ""));
report("core", sum.passed, sum.failed);
