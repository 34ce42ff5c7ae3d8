/**
 * How tests start Chromium: it must not look for services that are not there.
 *
 * @module
 */

/** For a page without a GPU, `--disable-gpu` comes beside. */
export const CHROMIUM_FLAGS: readonly string[] = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--password-store=basic",
];
