import { expect } from "vitest";
import type { Cluster } from "../../../testing/cluster.js";
import type { ConnectionState, DurableEnvelope, Room, Starling, StarlingOptions } from "../../src/index.js";
import { client, fresh, until } from "./users.js";

/** Messages that a user has under way at a time: a queue, so that a cut finds some of it waiting. */
const UNDER_WAY = 4;

/** What one user did and saw. */
class User {
  readonly starling: Starling;
  readonly room: Room;
  /** Contents, in the order in which they were written. */
  readonly written: string[] = [];
  /** What the server acknowledged: contents by seq. */
  readonly acked = new Map<number, string>();
  readonly seen: DurableEnvelope[] = [];
  /** Of the connection, from when the writing begins. */
  readonly states = new Set<ConnectionState>(["connected"]);
  readonly #writers: Promise<void>[] = [];
  #isOver = false;

  constructor(starling: Starling, roomId: string) {
    this.starling = starling;
    this.room = starling.room(roomId);
    starling.on("event", (event) => event.data.roomId === roomId && this.seen.push(event));
    starling.on("status", ({ state }) => this.states.add(state));
  }

  get nodeId(): string | undefined {
    return this.starling.status.getSnapshot().welcome?.nodeId;
  }

  write(): void {
    for (let n = 0; n < UNDER_WAY; n += 1) this.#writers.push(this.#writeOn());
  }

  /** Ends the writing; rejects when a message was not stored. */
  async over(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#writers);
  }

  async #writeOn(): Promise<void> {
    while (!this.#isOver) {
      const content = `${this.starling.userId} ${this.written.length}`;
      this.written.push(content);
      const { seq } = await this.room.send(content);
      this.acked.set(seq, content);
    }
  }
}

/** A client at this node; nginx gives none to a node that was away until some time after its last refusal. */
function clientAt(cluster: Cluster, node: number, options: Partial<StarlingOptions>): Promise<Starling> {
  return until(async () => {
    const starling = client(cluster.socketUrl, fresh("user"), options);
    const { nodeId } = await starling.connect();
    if (cluster.node(nodeId) === cluster.nodes[node]) return starling;
    starling.disconnect();
    throw new Error(`nginx gives no client to node ${node}`);
  });
}

/** Users at all nodes who write to one room without a pause, and note what they see. */
export class Traffic {
  readonly users: readonly User[];
  readonly #roomId: string;

  private constructor(users: readonly User[], roomId: string) {
    this.users = users;
    this.#roomId = roomId;
  }

  static async start(cluster: Cluster): Promise<Traffic> {
    const roomId = fresh("room");
    const placed = (["json", "msgpack", "msgpack", "json"] as const).map((codec, n) =>
      // However much is missed: it is to be replayed.
      clientAt(cluster, n % cluster.nodes.length, { codec, catchUpLimit: 1_000_000 }),
    );
    const users = (await Promise.all(placed)).map((starling) => new User(starling, roomId));
    for (const { room } of users) await room.join();
    const traffic = new Traffic(users, roomId);
    for (const user of users) user.write();
    return traffic;
  }

  /** Users who are at this node now. */
  at(nodeId: string | undefined): User[] {
    return this.users.filter((user) => user.nodeId === nodeId);
  }

  /** Waits until everybody has so many more messages acknowledged. */
  async flow(messages: number): Promise<void> {
    const goals = this.users.map(({ acked }) => acked.size + messages);
    await until(() => {
      for (const [n, { acked }] of this.users.entries())
        expect(acked.size).toBeGreaterThanOrEqual(goals[n] ?? 0);
    });
  }

  /** Ends it: nothing is lost, nothing is there twice, everybody has seen all of it in one order. */
  async stop(): Promise<void> {
    for (const user of this.users) await user.over();
    const log = await this.#log();
    const contents = log.flatMap(({ type, data }) => (type === "message_created" ? [data.content] : []));
    expect(log.map(({ data }) => data.seq)).toEqual(log.map((_, n) => n + 1));
    for (const { starling, room, written, acked, seen } of this.users) {
      for (const [seq, content] of acked) expect(log[seq - 1]?.data).toMatchObject({ seq, content });
      expect(contents.filter((content) => content.startsWith(`${starling.userId} `))).toEqual(written);
      await until(() => expect(starling.positions()[this.#roomId]?.seq).toBe(log.length));
      // From the joining on, each once: all that was written is after it.
      expect(seen).toEqual(log.slice(-seen.length));
      expect(seen.length).toBeGreaterThanOrEqual(contents.length);
      const shown = room.getSnapshot().messages.map(({ content, state }) => `${state} ${content}`);
      expect(shown).toEqual(contents.slice(-shown.length).map((content) => `sent ${content}`));
    }
  }

  /** All that was ever written to the room. */
  async #log(): Promise<DurableEnvelope[]> {
    const log: DurableEnvelope[] = [];
    for (let hasMore = true; hasMore; ) {
      const span = { roomId: this.#roomId, after: log.length, limit: 500 };
      const page = await (this.users[0] as User).starling.request("fetch_events", span);
      log.push(...page.events);
      hasMore = page.hasMore;
    }
    return log;
  }
}
