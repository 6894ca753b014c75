import type { OwnStatus, UserPresence } from "./protocol/model.js";
import type { Session } from "./session.js";
import { Store } from "./store.js";

/** Users in one command, so that the longest ids fit in a frame. */
const CHUNK = 200;

/** Presence of the users watched, by user id; the own status. Both outlive a connection. */
export class Presence extends Store<ReadonlyMap<string, UserPresence>> {
  readonly #session: Session;
  readonly #failed: (error: unknown) => void;
  readonly #users = new Map<string, UserPresence>();
  /** How often each user is watched: two components may watch the same. */
  readonly #watched = new Map<string, number>();
  #own: { status: OwnStatus; customStatus: string | null } | undefined;

  /** @internal */
  constructor(session: Session, failed: (error: unknown) => void) {
    super();
    this.#session = session;
    this.#failed = failed;
  }

  /** What is known of a user. */
  get(userId: string): UserPresence | undefined {
    return this.#users.get(userId);
  }

  /** Sets what others see; kept over reconnects. */
  async set(status: OwnStatus, customStatus: string | null = null): Promise<void> {
    this.#own = { status, customStatus };
    await this.#session.request("set_presence", this.#own);
  }

  /** Follows users' presence until as many {@link unwatch}. */
  async watch(userIds: readonly string[]): Promise<void> {
    const fresh = userIds.filter((userId) => !this.#watched.has(userId));
    for (const userId of userIds) this.#watched.set(userId, (this.#watched.get(userId) ?? 0) + 1);
    await this.#send("watch_presence", fresh);
  }

  /** Ends {@link watch}. */
  async unwatch(userIds: readonly string[]): Promise<void> {
    const over: string[] = [];
    for (const userId of userIds) {
      const left = (this.#watched.get(userId) ?? 1) - 1;
      if (left) this.#watched.set(userId, left);
      else if (this.#watched.delete(userId)) {
        over.push(userId);
        this.#users.delete(userId);
      }
    }
    this.changed();
    await this.#send("unwatch_presence", over);
  }

  /** {@link watch} for what shows users. Returns what ends it. The client's `error` tells what goes wrong. */
  follow(userIds: readonly string[]): () => void {
    let isOver = false;
    this.watch(userIds).catch(this.#failed);
    return () => {
      if (isOver) return;
      isOver = true;
      // User interfaces end and begin in one turn.
      queueMicrotask(() => void this.unwatch(userIds).catch(this.#failed));
    };
  }

  /** @internal A new session knows nothing of this. */
  async restore(): Promise<void> {
    if (this.#own) await this.#session.request("set_presence", this.#own);
    await this.#send("watch_presence", [...this.#watched.keys()]);
  }

  /** @internal The server told. */
  see(users: readonly UserPresence[]): void {
    for (const user of users) this.#users.set(user.userId, user);
    this.changed();
  }

  protected override build(): ReadonlyMap<string, UserPresence> {
    return new Map(this.#users);
  }

  async #send(type: "watch_presence" | "unwatch_presence", userIds: readonly string[]): Promise<void> {
    for (let at = 0; at < userIds.length; at += CHUNK) {
      const reply = await this.#session.request(type, { userIds: userIds.slice(at, at + CHUNK) });
      if ("users" in reply) this.see(reply.users);
    }
  }
}
