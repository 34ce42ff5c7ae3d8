/**
 * Starts a headless Chromium and talks to it over the DevTools protocol: the four commands that the tests
 * need, instead of a driver that is larger than this library.
 *
 * @module
 */

/** A tab. */
export interface Page {
  /** Opens a URL and waits until it has loaded. */
  goto(url: string): Promise<void>;
  /** Evaluates an expression in the page, awaits it, and returns its JSON value. */
  evaluate<T>(expression: string): Promise<T>;
  /** A PNG of the whole page. */
  screenshot(): Promise<Uint8Array>;
  /** Sets the window's size in CSS pixels. */
  resize(width: number, height: number): Promise<void>;
}

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Without it Chromium asks a keyring service that is not there.
  "--password-store=basic",
  "--remote-debugging-port=0",
];

const LIMIT_MS = 300_000;

/** The port that Chromium chose; it tells it in its profile as soon as it listens. */
async function debuggingPort(profile: string): Promise<string> {
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      const [port, path] = (await Deno.readTextFile(`${profile}/DevToolsActivePort`)).split("\n");
      if (path !== undefined) return port;
    } catch { /* not yet */ }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("Chromium opened no debugging port within 30 s");
}

interface Answer {
  id?: number;
  method?: string;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** Starts Chromium with a profile of its own and opens a tab. */
export async function openPage(chromium: string): Promise<Page & AsyncDisposable> {
  const profile = await Deno.makeTempDir({ prefix: "edge-ner-chromium-" });
  const child = new Deno.Command(chromium, {
    args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const end = async (): Promise<void> => {
    child.kill("SIGTERM");
    await child.status;
    // Its children may still write for a moment.
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        return await Deno.remove(profile, { recursive: true });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  try {
    const port = await debuggingPort(profile);
    const targets: { type: string; webSocketDebuggerUrl: string }[] =
      await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    const target = targets.find(({ type }) => type === "page");
    if (target === undefined) throw new Error("Chromium has no tab");
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return { ...connect(socket), [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function connect(socket: WebSocket): Page {
  const pending = new Map<number, (answer: Answer) => void>();
  let onLoad: (() => void) | undefined;
  let last = 0;
  socket.onmessage = ({ data }): void => {
    const answer: Answer = JSON.parse(data);
    if (answer.method === "Page.loadEventFired") onLoad?.();
    if (answer.id !== undefined) pending.get(answer.id)?.(answer);
  };
  async function send(method: string, params: unknown = {}): Promise<Record<string, unknown>> {
    const id = ++last;
    socket.send(JSON.stringify({ id, method, params }));
    const answer = await new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${method} took over ${LIMIT_MS} ms`)),
        LIMIT_MS,
      );
      pending.set(id, (answer) => {
        clearTimeout(timer);
        pending.delete(id);
        resolve(answer);
      });
    });
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result ?? {};
  }
  return {
    async goto(url): Promise<void> {
      await send("Page.enable");
      const loaded = new Promise<void>((resolve) => onLoad = resolve);
      const { errorText } = await send("Page.navigate", { url });
      if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
      await loaded;
    },
    async evaluate<T>(expression: string): Promise<T> {
      const { result, exceptionDetails } = await send("Runtime.evaluate", {
        expression,
        awaitPromise: true,
        returnByValue: true,
      });
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value: T }).value;
    },
    async screenshot(): Promise<Uint8Array> {
      const { data } = await send("Page.captureScreenshot", { captureBeyondViewport: true });
      return Uint8Array.fromBase64(data as string);
    },
    async resize(width, height): Promise<void> {
      await send("Emulation.setDeviceMetricsOverride", {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: false,
      });
    },
  };
}
