/**
 * The runtime that the sources run in: Deno, Bun or Node. A build for another exchanges this file for that one's
 * `platform_*.ts` (`tools/build/platform.ts`), so that no runtime ever parses another one's imports.
 *
 * @module
 */
export { platform } from "./platform_default.ts";
