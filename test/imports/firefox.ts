/**
 * Firefox as it is installed, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself: no
 * driver and no patched build.
 *
 * @module
 */

/** A browser in which pages are opened. */
export interface Pages extends AsyncDisposable {
  /** Opens a page and evaluates an expression in it, whose promise is waited for and gives a string. */
  evaluate(url: string, expression: string): Promise<string>;
}

/** An answer of the protocol, or an event, which has no `id`. */
interface Message {
  readonly id?: number;
  readonly type: "success" | "error" | "event";
  readonly result?: unknown;
  readonly message?: string;
}

/** Commands that wait for their answers. */
class Session {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #commands = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }): void => {
      const message: Message = JSON.parse(data);
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
    };
  }

  static async open(url: string): Promise<Session> {
    const socket = new WebSocket(`${url}/session`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`${url} does not answer`));
    });
    const session = new Session(socket);
    await session.ask("session.new", { capabilities: {} });
    return session;
  }

  async ask<T>(method: string, params: object): Promise<T> {
    const id = ++this.#commands;
    const message = await new Promise<Message>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
    this.#waiting.delete(id);
    if (message.type === "error") throw new Error(`${method}: ${message.message}`);
    return message.result as T;
  }

  close(): void {
    this.#socket.close();
  }
}

/** What comes of an expression. */
interface Evaluated {
  readonly type: "success" | "exception";
  readonly result?: { readonly value?: string };
  readonly exceptionDetails?: { readonly text: string };
}

/** Starts Firefox without a window, in a profile of its own. */
export async function startFirefox(program: string): Promise<Pages> {
  const profile = await Deno.makeTempDir({ prefix: "edge-ner-firefox-" });
  const child = new Deno.Command(program, {
    args: ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "", url: string | undefined;
  while (url === undefined) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${program} ended: ${said}`);
    url = /WebDriver BiDi listening on (ws:\S+)/.exec(said += value)?.[1];
  }
  // What else it has to say must not fill the pipe.
  const drained = (async (): Promise<void> => {
    while (!(await reader.read()).done);
  })();
  const session = await Session.open(url);
  const { contexts: [{ context }] } = await session.ask<{ contexts: { context: string }[] }>(
    "browsingContext.getTree",
    {},
  );
  return {
    async evaluate(page, expression): Promise<string> {
      await session.ask("browsingContext.navigate", { context, url: page, wait: "complete" });
      const { result, exceptionDetails } = await session.ask<Evaluated>("script.evaluate", {
        expression,
        target: { context },
        awaitPromise: true,
      });
      if (result?.value === undefined) throw new Error(exceptionDetails?.text ?? "no string");
      return result.value;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      session.close();
      child.kill("SIGTERM");
      await Promise.all([child.status, drained]);
      await Deno.remove(profile, { recursive: true }).catch(() => {});
    },
  };
}
