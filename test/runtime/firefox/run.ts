/**
 * The browser's cases in headless Firefox: `deno task test:firefox [folder for screenshots]`. It is the one in FIREFOX, or
 * Debian's `firefox-esr`, as it is: no build of its own, and so driven by WebDriver BiDi.
 *
 * @module
 */
import { testBrowser } from "../browser/suite.ts";

await testBrowser({
  name: "firefox",
  program: Deno.env.get("FIREFOX") ?? "/usr/bin/firefox-esr",
  version: ["--version"],
  launch: (scheme) => ({
    channel: "moz-firefox",
    firefoxUserPrefs: {
      // What the system would ask for: BiDi cannot say it yet.
      "layout.css.prefers-color-scheme.content-override": scheme === "dark" ? 0 : 1,
      // A page may read what it has copied, and nobody is asked.
      "dom.events.testing.asyncClipboard": true,
    },
  }),
  context: () => ({}),
}, Deno.args[0]);
