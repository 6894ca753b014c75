import { Gateway } from "./gateway.js";
import { Nginx, Postgres, Redis } from "./services.js";

/** The programs that it starts beside the gateways. */
export const PROGRAMS = ["setpriv", "redis-server", "postgres", "nginx"] as const;

const nodeId = (index: number) => `node-${index + 1}`;

/** Gateways behind nginx, over Redis and Postgres: a cluster as operators run it, on free ports and in temporary folders. */
export class Cluster {
  readonly #postgres: Postgres;
  readonly #redis: Redis;
  readonly #nginx: Nginx;
  readonly #nodes: readonly Gateway[];

  private constructor(postgres: Postgres, redis: Redis, nginx: Nginx, nodes: readonly Gateway[]) {
    this.#postgres = postgres;
    this.#redis = redis;
    this.#nginx = nginx;
    this.#nodes = nodes;
  }

  static async start(nodes = 2, settings: Readonly<Record<string, string>> = {}): Promise<Cluster> {
    const [postgres, redis] = await Promise.all([Postgres.start(), Redis.start()]);
    const gateways = Array.from({ length: nodes }, (_, index) =>
      Gateway.start({
        STARLING_BACKEND: "cluster",
        STARLING_SERVER__NODE_ID: nodeId(index),
        STARLING_SERVER__TRUSTED_PROXIES: "127.0.0.1",
        STARLING_REDIS__URL: redis.url,
        STARLING_POSTGRES__URL: postgres.url,
        ...settings,
      }),
    );
    const started = await Promise.all(gateways);
    const nginx = await Nginx.start(started.map(({ port }) => port));
    return new Cluster(postgres, redis, nginx, started);
  }

  /** Where clients come in. */
  get url(): string {
    return `http://127.0.0.1:${this.#nginx.port}`;
  }

  get socketUrl(): string {
    return `${this.url}/ws`;
  }

  /** The node of this id, as `welcome` says it. */
  node(id: string | undefined): Gateway {
    const node = this.#nodes.find((_, index) => nodeId(index) === id);
    if (!node) throw new Error(`no node is called ${id}`);
    return node;
  }

  get nodes(): readonly Gateway[] {
    return this.#nodes;
  }

  /** Starts the gateways that have ended. */
  async runAll(): Promise<void> {
    await Promise.all(this.#nodes.filter((node) => !node.runs).map((node) => node.run()));
  }

  /** Copies the database, as it is with all that was acknowledged so far. The gateways wait for it in the meantime. */
  async saveDatabase(): Promise<void> {
    await this.#postgres.end();
    this.#postgres.save();
    await this.#postgres.run();
  }

  /** Goes back to the copy, as after a failover to a standby that was behind. The gateways are started again. */
  async restoreDatabase(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    await this.#postgres.end();
    this.#postgres.restore();
    await this.#postgres.run();
    await this.runAll();
  }

  async stop(): Promise<void> {
    await this.#nginx.stop();
    for (const part of [...this.#nodes, this.#redis, this.#postgres]) await part.stop();
  }
}
