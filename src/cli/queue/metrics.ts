/**
 * Figures for Prometheus, in its text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/), over HTTP.
 *
 * @module
 */
import { createServer, type Server } from "node:http";

/** A figure with its kind and what it means. */
export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** A value for each set of labels; `""` for none. */
  readonly values: Readonly<Record<string, number>>;
}

/** The figures as text. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics.map(({ name, type, help, values }) =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...Object.entries(values).map(([labels, value]) => `${name}${labels} ${value}`),
    ].join("\n") + "\n"
  ).join("");
}

/** Serves what `metrics` returns at /metrics on a port; resolves when it listens. */
export async function serveMetrics(
  port: number,
  metrics: () => Promise<readonly Metric[]>,
): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== "/metrics") return void response.writeHead(404).end();
    metrics().then((all) => {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      response.end(exposition(all));
    }, () => response.writeHead(503).end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, resolve);
  });
  // A worker that has nothing else to do may end.
  server.unref();
  return server;
}
