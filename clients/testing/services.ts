// What a cluster stands on: Redis, Postgres and nginx, each a process with a folder of its own.
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { program } from "./machine.js";
import { onFreePort, Program } from "./program.js";

/** The files that operators take. */
const NGINX = fileURLToPath(new URL("../../nginx", import.meta.url));

const folder = (name: string) => mkdtempSync(join(tmpdir(), `starling-${name}-`));

/** Whether somebody listens on a port. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** A server that keeps nothing. */
export class Redis {
  private constructor(
    readonly url: string,
    readonly program: Program,
    readonly folder: string,
  ) {}

  static start(): Promise<Redis> {
    const place = folder("redis");
    return onFreePort(async (port) => {
      const settings = { bind: "127.0.0.1", port: `${port}`, save: "", appendonly: "no", dir: place };
      const launch = {
        program: program("redis-server"),
        args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]),
        log: join(place, "log"),
      };
      const isReady = ({ output }: Program) => output.includes("Ready to accept connections");
      return new Redis(`redis://127.0.0.1:${port}`, await Program.start(launch, isReady), place);
    });
  }

  async stop(): Promise<void> {
    await this.program.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A server with an empty database. It refuses to run as root: then it runs as the user `postgres`. */
export class Postgres {
  readonly #folder: string;
  readonly #port: number;
  readonly #privileges: readonly string[];
  #program: Program | undefined;

  private constructor(port: number, folder: string, privileges: readonly string[]) {
    this.#port = port;
    this.#folder = folder;
    this.#privileges = privileges;
  }

  static async start(): Promise<Postgres> {
    const place = folder("postgres");
    const isRoot = process.getuid?.() === 0;
    const privileges = isRoot ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : [];
    if (isRoot) {
      const id = (which: string) => Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" }));
      chownSync(place, id("-u"), id("-g"));
    }
    const settings = ["--username=starling", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
    const args = [...privileges, "--", program("initdb"), `--pgdata=${join(place, "data")}`, ...settings];
    execFileSync(program("setpriv"), args, { cwd: "/", stdio: ["ignore", "ignore", "inherit"] });
    return onFreePort(async (port) => {
      const postgres = new Postgres(port, place, privileges);
      await postgres.run();
      return postgres;
    });
  }

  get url(): string {
    return `postgres://starling@127.0.0.1:${this.#port}/postgres?sslmode=disable`;
  }

  /** Starts the process, and waits until it takes connections. */
  async run(): Promise<void> {
    const settings = [
      `port=${this.#port}`,
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=200",
      "lc_messages=C",
    ];
    const launch = {
      program: program("postgres"),
      args: ["-D", join(this.#folder, "data"), ...settings.flatMap((setting) => ["-c", setting])],
      log: join(this.#folder, "log"),
      privileges: this.#privileges,
      leash: "QUIT",
    };
    this.#program = await Program.start(launch, ({ output }) =>
      output.includes("database system is ready to accept connections"),
    );
  }

  /** Ends it in order: everything is written. */
  async end(): Promise<void> {
    await this.#program?.end("SIGINT");
  }

  /** Copies what an ended server has stored. */
  save(): void {
    this.#copy("data", "saved");
  }

  /** Gives an ended server back what was copied: what it stored since is lost, as after a failover to a copy. */
  restore(): void {
    this.#copy("saved", "data");
  }

  async stop(): Promise<void> {
    await this.#program?.end("SIGQUIT");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #copy(from: string, to: string): void {
    const path = join(this.#folder, to);
    rmSync(path, { recursive: true, force: true });
    execFileSync("cp", ["-a", join(this.#folder, from), path]);
  }
}

/** The balancer, with the configuration that operators take. */
export class Nginx {
  private constructor(
    readonly port: number,
    readonly program: Program,
    readonly folder: string,
  ) {}

  /** Starts it in front of the gateways on these ports. */
  static start(gateways: readonly number[]): Promise<Nginx> {
    return onFreePort(async (port) => {
      const place = folder("nginx");
      // Its workers run as another user where the master is root.
      chmodSync(place, 0o755);
      for (const name of ["nginx.conf", "conf.d"]) symlinkSync(join(NGINX, name), join(place, name));
      const upstream = gateways.map((gateway) => `server 127.0.0.1:${gateway} max_fails=0;\n`);
      writeFileSync(join(place, "upstream.conf"), upstream.join(""));
      writeFileSync(join(place, "listen.conf"), `listen 127.0.0.1:${port};\n`);
      // Killed, the master would leave its workers behind.
      const launch = {
        program: program("nginx"),
        args: ["-p", place, "-c", join(place, "nginx.conf"), "-e", "stderr", "-g", "daemon off;"],
        log: join(place, "log"),
        leash: "TERM",
      };
      return new Nginx(port, await Program.start(launch, () => listens(port)), place);
    });
  }

  async stop(): Promise<void> {
    await this.program.end("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
