import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./machine.js";

const READY_MS = 20_000;
const POLL_MS = 50;
/** Enough for tests that write history: real limits would make them wait for minutes. */
const LIMITS = {
  STARLING_MESSAGING__RATE_PER_MINUTE: "1000000",
  STARLING_MESSAGING__BURST: "1000000",
  STARLING_LIMITS__COMMANDS_PER_MINUTE: "1000000",
  STARLING_LIMITS__COMMAND_BURST: "1000000",
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A real gateway with a folder of its own. It can be killed and come back on the same port, with the same data. */
export class Gateway {
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "starling-web-"));
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #output = "";

  private constructor(port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#args = ["--listen", `127.0.0.1:${port}`, "--data-dir", join(this.#folder, "data")];
  }

  static async start(): Promise<Gateway> {
    const gateway = new Gateway(await freePort());
    await gateway.run();
    return gateway;
  }

  /** Starts the process, and waits until it serves. */
  async run(): Promise<void> {
    const process = spawn(BINARY, this.#args, {
      cwd: this.#folder,
      env: { ...globalThis.process.env, ...LIMITS },
    });
    this.#process = process;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-20_000);
      });
    }
    const endsAt = Date.now() + READY_MS;
    while (!(await this.#isReady())) {
      if (process.exitCode !== null || Date.now() > endsAt) throw new Error(`no gateway:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #isReady(): Promise<boolean> {
    const response = await fetch(`${this.url}/readyz`).catch(() => undefined);
    return response?.ok ?? false;
  }

  /** As a power failure does. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const exit = once(process, "exit");
    process.kill("SIGKILL");
    await exit;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A token that the gateway takes. */
  token(user: string, { name, role }: { name?: string; role?: string } = {}): string {
    const args = ["token", "--user", user, ...this.#args];
    if (name) args.push("--name", name);
    if (role) args.push("--role", role);
    return execFileSync(BINARY, args, { cwd: this.#folder, encoding: "utf8" }).trim();
  }

  /** Calls the HTTP API. */
  async api(method: string, path: string, token: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }
}
