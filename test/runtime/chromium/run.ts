/**
 * The browser's cases in headless Chromium: `deno task test:chromium [folder for screenshots]`. It is the one in CHROMIUM, or
 * Debian's.
 *
 * @module
 */
import { testBrowser } from "../browser/suite.ts";
import { CHROMIUM_FLAGS } from "../../../tools/check/chromium_flags.ts";

await testBrowser({
  name: "chromium",
  program: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
  version: ["--version", "--no-sandbox"],
  launch: () => ({ args: [...CHROMIUM_FLAGS, "--disable-gpu"] }),
  context: (colorScheme) => ({
    colorScheme,
    permissions: ["clipboard-read", "clipboard-write"],
  }),
}, Deno.args[0]);
