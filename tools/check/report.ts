/**
 * How every test program of this repository ends, so that a person and .ci/run read the same numbers.
 *
 * @module
 */

/**
 * Prints `N passed, M failed`, appends `{"suite","passed","failed"}` to the file that RESULT_FILE names, if
 * any, and exits: with 1 when something failed or nothing ran.
 */
export function report(suite: string, passed: number, failed: number): never {
  console.log(`${passed} passed, ${failed} failed`);
  const file = Deno.env.get("RESULT_FILE");
  if (file) {
    Deno.writeTextFileSync(file, JSON.stringify({ suite, passed, failed }) + "\n", {
      append: true,
    });
  }
  Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
}
