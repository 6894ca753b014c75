import type { Following } from "./following.js";
import type { DurableData, DurableEnvelope } from "./protocol/events.js";
import type { Session } from "./session.js";
import { Store } from "./store.js";
import { Wanted } from "./wanted.js";

/** A notification of the user, or an announcement to everybody. */
export type Notification = DurableData<"notification">;

/** Notifications that are kept: what a list shows, not an archive. */
const LIMIT = 200;

/** The latest notifications and announcements, oldest first. New ones come by themselves, earlier ones by `load`. */
export class Notifications extends Store<readonly Notification[]> {
  readonly #session: Session;
  readonly #following: Following;
  readonly #wanted: Wanted;
  #all: Notification[] = [];

  /** @internal */
  constructor(session: Session, following: Following, failed: (error: unknown) => void) {
    super();
    this.#session = session;
    this.#following = following;
    this.#wanted = new Wanted(session.status, () =>
      this.load().catch((error: unknown) => {
        failed(error);
        throw error;
      }),
    );
  }

  /** Loads the latest ones. */
  async load(limit = 50): Promise<void> {
    const rooms = this.#following.inboxes();
    const seq = (roomId: string) => this.#following.get(roomId).seq;
    await this.#session.subscribe(rooms.filter((roomId) => seq(roomId) < 0));
    for (const roomId of rooms) {
      const after = Math.max(0, seq(roomId) - limit);
      const { events } = await this.#session.request("fetch_events", { roomId, after, limit });
      for (const event of events) this.see(event);
    }
  }

  /** {@link load} for what shows them: once, as soon as there is a connection. Returns what ends it. */
  follow(): () => void {
    return this.#wanted.hold();
  }

  /** @internal */
  see({ type, data }: DurableEnvelope): void {
    if (type !== "notification" || this.#all.some((other) => other.eventId === data.eventId)) return;
    // Event ids begin with their time, so they sort by it.
    this.#all = [...this.#all, data].sort((a, b) => (a.eventId < b.eventId ? -1 : 1)).slice(-LIMIT);
    this.changed();
  }

  protected override build(): readonly Notification[] {
    return this.#all;
  }
}
