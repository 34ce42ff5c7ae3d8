/**
 * A browser's worker with a recogniser in it.
 *
 * The build of the worker's own program exchanges this file for `browser_workers_none.ts`: bundlers follow the expression
 * that names the program, and one that names itself has sent Turbopack round in circles for ever.
 *
 * @module
 */
import type { WorkerPort } from "./worker/connection.ts";

/** Starts one, or takes the one that `own` starts; or why there are none. */
export const startWorker: ((own?: () => unknown) => WorkerPort) | string =
  typeof Worker === "undefined" ? "there are no workers here" : start;

/** Bundlers know this expression, and give the file its place. */
function start(own?: () => unknown): WorkerPort {
  const worker = own === undefined
    ? new Worker(new URL("./worker/main_browser.ts", import.meta.url), { type: "module" })
    : own() as Worker;
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(receive, failed): void {
      worker.onmessage = ({ data }): void => receive(data);
      worker.onerror = ({ message }): void => {
        failed(
          message ??
            "its program could not be loaded; where a bundler does not follow workers, give the option worker",
        );
      };
    },
    keepAlive: () => {},
    terminate: () => worker.terminate(),
  };
}
