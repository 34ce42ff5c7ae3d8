/**
 * The browser's cases in headless Chromium: `deno task test:chromium [folder for screenshots]`. It is the one in CHROMIUM, or
 * Debian's.
 *
 * @module
 */
import { testBrowser } from "../browser/suite.ts";

/** Chromium must not look for services that are not there. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--password-store=basic",
];

await testBrowser({
  name: "chromium",
  program: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
  version: ["--version", "--no-sandbox"],
  launch: () => ({ args: FLAGS }),
  context: (colorScheme) => ({
    colorScheme,
    permissions: ["clipboard-read", "clipboard-write"],
  }),
}, Deno.args[0]);
