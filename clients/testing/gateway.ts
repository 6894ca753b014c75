import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { starling } from "./needs.js";
import { onFreePort, Program } from "./program.js";
import { SECRET } from "./tokens.js";

/** Tests write faster than people, and no balancer is waited for. */
const SETTINGS = {
  STARLING_AUTH__HS256_SECRET: SECRET,
  STARLING_MESSAGING__RATE_PER_MINUTE: "1000000",
  STARLING_MESSAGING__BURST: "1000000",
  STARLING_LIMITS__COMMANDS_PER_MINUTE: "1000000",
  STARLING_LIMITS__COMMAND_BURST: "1000000",
  STARLING_DRAIN__READINESS_DELAY: "200ms",
  // The last client is told to move at four fifths of it; the rest is its time to do so, on a busy machine too.
  STARLING_DRAIN__WINDOW: "10s",
};

/** A real gateway with a folder of its own. It can be killed and come back on the same port, with the same data. */
export class Gateway {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: Readonly<Record<string, string>>;
  #program: Program | undefined;

  private constructor(port: number, folder: string, settings: Readonly<Record<string, string>>) {
    this.port = port;
    this.#folder = folder;
    this.#settings = settings;
  }

  /** Starts one; `settings` are further variables. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<Gateway> {
    const folder = mkdtempSync(join(tmpdir(), "starling-test-"));
    return onFreePort(async (port) => {
      const gateway = new Gateway(port, folder, settings);
      await gateway.run();
      return gateway;
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get socketUrl(): string {
    return `${this.url}/ws`;
  }

  get runs(): boolean {
    return this.#program !== undefined && !this.#program.hasEnded;
  }

  /** Starts the process, and waits until it serves. */
  async run(): Promise<void> {
    const launch = {
      program: starling(),
      args: ["--listen", `127.0.0.1:${this.port}`, "--data-dir", join(this.#folder, "data")],
      log: join(this.#folder, "log"),
      cwd: this.#folder,
      // Nothing of the developer's own.
      env: { PATH: process.env.PATH ?? "", ...SETTINGS, ...this.#settings },
    };
    this.#program = await Program.start(launch, async () => {
      const response = await fetch(`${this.url}/readyz`).catch(() => undefined);
      return response?.ok ?? false;
    });
  }

  /** As a power failure does. */
  async kill(): Promise<void> {
    await this.#program?.end("SIGKILL");
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  /** Waits for an end that comes by itself: the exit code. */
  async ended(): Promise<number | null | undefined> {
    return this.#program?.ended();
  }

  /** Ends it, and removes what it stored. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
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
