/**
 * The cases in Bun, from source and on the packed package: `deno task test:bun`.
 *
 * Bun's relaxed dot saturates, so this is where the known-answer probe must refuse the relaxed kernel.
 *
 * @module
 */
import { command, program } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import { finish, makeFolder, record, runCommand, startServer } from "../harness.ts";

await finish("bun", async () => {
  const bun = await program("@oven/bun-linux-x64/bin/bun");
  const version = (await command(bun, ["--version"])).trim();
  await using server = await startServer();
  await using folder = await makeFolder();
  const places = { server: server.url, folder: folder.path };
  record(
    `Bun ${version}, from source`,
    await runCommand(bun, ["run", "test/runtime/bun/main.ts"], places),
  );
  await using project = await installPackage();
  const main = await bundle("test/runtime/node/main.ts", project.path, "main.js", {
    platform: "node",
    keep: true,
  });
  record(
    `Bun ${version}, the package`,
    await runCommand(bun, ["run", main], places, project.path),
  );
});
