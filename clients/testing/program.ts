import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { find } from "./machine.js";

/** How long a start or an end may take. Only a broken one takes so long. */
const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 20;
const PORT_TRIES = 5;

export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  /** The file that takes its output. */
  readonly log: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** How it becomes another user: options of setpriv. */
  readonly privileges?: readonly string[];
  /** How it ends when the test is killed. */
  readonly leash?: string;
}

/** A program that a test runs. */
export class Program {
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor({ program, args, log, cwd = "/", env, privileges = [], leash = "KILL" }: Launch) {
    // Should the test be killed, the kernel ends it.
    const setpriv = find("setpriv");
    const held = setpriv ? [setpriv, ...privileges, "--pdeathsig", leash, "--", program] : [program];
    const [command = program, ...before] = held;
    // A file, for nginx cannot open a standard output that is a socket, as Node's pipes are.
    const output = openSync(log, "w");
    this.#child = spawn(command, [...before, ...args], {
      cwd,
      env: env ?? process.env,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    this.#log = log;
  }

  /** Starts it, and waits until it is ready. */
  static async start(
    launch: Launch,
    isReady: (program: Program) => Promise<boolean> | boolean,
  ): Promise<Program> {
    const program = new Program(launch);
    const endsAt = Date.now() + PATIENCE_MS;
    while (!(await isReady(program))) {
      if (program.hasEnded || Date.now() > endsAt) {
        await program.end("SIGKILL");
        throw new Error(`${launch.program} does not start:\n${program.output}`);
      }
      await pause();
    }
    return program;
  }

  /** What it wrote. */
  get output(): string {
    return readFileSync(this.#log, "utf8");
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal that ends it, and waits for its end: the exit code, `null` where the signal was its end. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = this.ended();
    this.signal(signal);
    return ended;
  }

  /** Waits for its end. */
  async ended(): Promise<number | null> {
    if (!this.hasEnded) await once(this.#child, "exit", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return this.#child.exitCode;
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));

/** Starts what listens on a port that is free; another one where somebody takes it in between. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (tries === PORT_TRIES || !/in use|could not bind/i.test(String(error))) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
