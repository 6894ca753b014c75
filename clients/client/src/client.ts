import type { StarlingError } from "./error.js";
import { Notifications } from "./notifications.js";
import type { StarlingOptions } from "./options.js";
import { Presence } from "./presence.js";
import type { CreateRoom, Joined, LiveRoom } from "./protocol/commands.js";
import type { DurableEnvelope, EphemeralEnvelope, Welcome } from "./protocol/events.js";
import { Room } from "./room.js";
import { Session } from "./session.js";
import type { UnreadCounts } from "./state.js";
import { Store } from "./store.js";

/** The rooms that are followed. */
class Rooms extends Store<readonly Room[]> {
  readonly all = new Map<string, Room>();
  readonly #isShown: (roomId: string) => boolean;

  constructor(isShown: (roomId: string) => boolean) {
    super();
    this.#isShown = isShown;
  }

  touch(): void {
    this.changed();
  }

  protected override build(): readonly Room[] {
    return [...this.all.values()].filter(({ id, state }) => state.status === "live" && this.#isShown(id));
  }
}

/** The sum over the rooms that are followed. */
class Unread extends Store<UnreadCounts> {
  readonly #rooms: Store<readonly Room[]>;

  constructor(rooms: Store<readonly Room[]>) {
    super();
    this.#rooms = rooms;
  }

  touch(): void {
    this.changed();
  }

  protected override build(): UnreadCounts {
    let [unread, mentions] = [0, 0];
    for (const { state } of this.#rooms.getSnapshot()) {
      unread += state.counts.unread;
      mentions += state.counts.mentions;
    }
    return { unread, mentions };
  }
}

/** A session with stores: rooms with their messages, presence, notifications. */
export class Starling extends Session {
  /** Presence of users. */
  readonly presence: Presence = new Presence(this, (error) => this.fail(error));
  /** Notifications and announcements. */
  readonly notifications: Notifications = new Notifications(this, this.following, (error) =>
    this.fail(error),
  );
  readonly #rooms = new Rooms((roomId) => !this.following.inboxes().includes(roomId));
  /** The rooms that are followed, without those of notifications. */
  readonly rooms: Store<readonly Room[]> = this.#rooms;
  readonly #unread = new Unread(this.rooms);
  /** What is unread in all of {@link rooms}. */
  readonly unread: Store<UnreadCounts> = this.#unread;

  constructor(options: StarlingOptions) {
    super(options);
    // The word that they stopped would be lost.
    this.on("status", (status) => {
      if (status.state === "connected") return;
      for (const { state } of this.#rooms.all.values()) state.typing.clear();
    });
  }

  /** A room by its id, as a store. Follows nothing by itself. */
  room(roomId: string): Room {
    return this.#room(roomId).open();
  }

  /** Becomes a member of a room, follows it, and loads its last messages. */
  async join(roomId: string, options?: { history?: number }): Promise<Room> {
    const room = this.room(roomId);
    await room.join(options);
    return room;
  }

  /** Creates a room and follows it. */
  async createRoom(room: CreateRoom): Promise<Room> {
    const { roomId } = await this.request("create_room", room);
    return this.join(roomId);
  }

  /** The room of direct messages with a user. Needs to have been connected once. */
  direct(userId: string): Room {
    return this.room(this.directRoom(userId));
  }

  /** Loads name, role and counts of the rooms joined. */
  async loadRooms(): Promise<readonly Room[]> {
    let after: string | undefined;
    do {
      const page = await this.request("list_rooms", { limit: 200, ...(after !== undefined && { after }) });
      for (const room of page.rooms) this.#room(room.roomId).state.describe(room);
      after = page.hasMore ? page.next : undefined;
    } while (after !== undefined);
    return this.rooms.getSnapshot();
  }

  #listChanged(): void {
    this.#rooms.touch();
    this.#unread.touch();
  }

  #room(roomId: string): Room {
    let room = this.#rooms.all.get(roomId);
    if (!room) {
      room = new Room(roomId, this, {
        settings: this.settings,
        see: (users) => this.presence.see(users),
        failed: (error) => this.fail(error),
        counted: () => this.#unread.touch(),
      });
      this.#rooms.all.set(roomId, room);
    }
    return room;
  }

  protected override applied(event: DurableEnvelope): void {
    const { state } = this.#room(event.data.roomId);
    const { status } = state;
    state.apply(event);
    // Rooms that the server adds by itself, such as those of direct messages, begin with an event.
    if (status !== state.status) this.#listChanged();
    this.notifications.see(event);
    super.applied(event);
  }

  protected override told(event: EphemeralEnvelope): void {
    const { type, data } = event;
    if (type === "typing") this.#room(data.roomId).state.setTyping(data);
    if (type === "read_updated") this.#room(data.roomId).state.setRead(data);
    if (type === "presence_changed") {
      this.presence.see(data.users);
      for (const { state } of this.#rooms.all.values()) state.see(data.users);
    }
    super.told(event);
  }

  protected override joined(reply: Joined, history: number): void {
    this.#room(reply.room.roomId).joined(reply, history);
  }

  protected override began(room: LiveRoom): void {
    this.#room(room.roomId).state.begin(room);
    this.#listChanged();
  }

  protected override ended(roomId: string, error?: StarlingError): void {
    this.#room(roomId).state.end(error);
    this.#listChanged();
  }

  protected override restarted(roomId: string): void {
    this.#room(roomId).restart();
    super.restarted(roomId);
  }

  protected override caughtUp(roomId: string, isCatchingUp: boolean): void {
    this.#room(roomId).state.setCatchingUp(isCatchingUp);
  }

  protected override resumed(welcome: Welcome): void {
    this.presence.restore().catch((error: unknown) => this.fail(error));
    super.resumed(welcome);
  }
}
