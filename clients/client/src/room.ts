import type { StarlingError } from "./error.js";
import type { Settings } from "./options.js";
import type { Appended, Joined, NewMessage, Sent } from "./protocol/commands.js";
import type { Json, UserPresence } from "./protocol/model.js";
import type { Address, Session } from "./session.js";
import { type RoomSnapshot, RoomState } from "./state.js";
import { Wanted } from "./wanted.js";

/** What a room asks of its client, besides what a session can do. */
export interface RoomContext {
  readonly settings: Settings;
  see(users: readonly UserPresence[]): void;
  failed(error: unknown): void;
  /** What is unread changed. */
  counted(): void;
}

/** Messages of one page of history. */
const PAGE = 50;
/** How often `typing_start` is renewed while somebody types; it lasts 3 s. */
const TYPING_MS = 2_000;
/** How often a read marker is sent at most. */
const READ_MS = 1_000;
/** The room of a user's direct messages with another begins so; messages to it are addressed to that user. */
const DIRECT = "@dm:";
/** Messages that a room is joined with. */
const HISTORY = 50;

/**
 * A room: what is known of it, as a store, and what can be done in it. `subscribe` and `getSnapshot` fit React's
 * `useSyncExternalStore`. Lives as long as its client.
 */
export class Room {
  readonly id: string;
  /** Calls the listener after changes. Returns what ends it. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The present state; the same object until something changes. */
  readonly getSnapshot: () => RoomSnapshot;
  /** @internal */
  readonly state: RoomState;
  readonly #session: Session;
  readonly #context: RoomContext;
  #older: Promise<number> | undefined;
  #loadingMembers: Promise<void> | undefined;
  #typedAt = 0;
  #readSeq = 0;
  #toRead = 0;
  #readTimer: unknown;
  #history = HISTORY;
  readonly #wanted: Wanted;

  /** @internal */
  constructor(id: string, session: Session, context: RoomContext) {
    this.id = id;
    this.#session = session;
    this.#context = context;
    this.state = new RoomState(
      id,
      context.settings,
      () => session.userId,
      () => context.counted(),
    );
    this.#wanted = new Wanted(
      session.status,
      () => this.#enter(),
      () => this.#left(),
    );
    this.subscribe = this.state.subscribe;
    this.getSnapshot = this.state.getSnapshot;
  }

  // ---- membership -------------------------------------------------------------------------------------------

  /** Becomes a member, follows the room, and loads its last messages. A refusal is in the snapshot, too. */
  async join({ history = HISTORY }: { history?: number } = {}): Promise<void> {
    const { state } = this;
    state.setJoining(true);
    try {
      await this.#session.joinRoom(this.id, history);
      state.setJoining(false);
    } catch (error) {
      state.setJoining(false, error as StarlingError);
      throw error;
    }
  }

  /**
   * For what shows the room: joins it once, however many show it, as soon as there is a connection. A room of direct
   * messages is loaded. Returns what ends it: the membership stays, and so does the live delivery with `followAll`.
   */
  follow({ history = HISTORY }: { history?: number } = {}): () => void {
    this.#history = history;
    if (this.state.status === "gone") this.#wanted.undo();
    return this.#wanted.hold();
  }

  /** Ends the membership. */
  leave(): Promise<void> {
    return this.#session.leaveRoom(this.id);
  }

  // ---- messages ---------------------------------------------------------------------------------------------

  /**
   * Sends a message. It is shown at once as `sending`, waits where there is no connection, and becomes `sent` or
   * `failed`, which the promise tells too; a promise that nobody waits for is no unhandled rejection.
   */
  send(message: string | NewMessage): Promise<Sent> {
    return this.#send(
      typeof message === "string" ? { content: message } : message,
      this.#context.settings.newId(),
    );
  }

  /** Sends a failed message again, under the same client id: it is stored once, whatever became of it before. */
  retry(clientId: string): Promise<Sent> | undefined {
    const failed = this.state.messages.takeFailed(clientId);
    return failed && this.#send(failed, clientId);
  }

  /** Gives a failed message up. */
  discard(clientId: string): void {
    if (this.state.messages.takeFailed(clientId)) this.state.touch();
  }

  /** Replaces the content of one's own message. */
  edit(seq: number, content: string): Promise<Appended> {
    return this.#session.request("edit_message", { roomId: this.id, seq, content });
  }

  /** Deletes a message. */
  delete(seq: number): Promise<Appended> {
    return this.#session.request("delete_message", { roomId: this.id, seq });
  }

  /** Reacts to a message. */
  react(seq: number, emoji: string): Promise<Appended> {
    return this.#session.request("add_reaction", { roomId: this.id, seq, emoji });
  }

  /** Takes a reaction back. */
  unreact(seq: number, emoji: string): Promise<Appended> {
    return this.#session.request("remove_reaction", { roomId: this.id, seq, emoji });
  }

  /** Loads older messages; how many there were. Calls while one is under way get its result. */
  loadOlder(limit = PAGE): Promise<number> {
    if (!this.#older) {
      this.state.setLoadingOlder(true);
      this.#older = this.#loadOlder(limit).finally(() => {
        this.#older = undefined;
        this.state.setLoadingOlder(false);
      });
    }
    return this.#older;
  }

  /** Moves the read marker, by default to the last message. Can be called often: it is sent once a second at most. */
  markRead(seq = this.state.messages.lastSeq ?? 0): void {
    this.#toRead = Math.max(this.#toRead, seq);
    if (this.#readTimer === undefined) this.#sendRead();
  }

  // ---- people -----------------------------------------------------------------------------------------------

  /**
   * Loads the next page of members; from the first one on, the list follows the events. Calls while one is under way
   * get its result.
   */
  loadMembers(limit = 200): Promise<void> {
    this.#loadingMembers ??= this.#loadMembers(limit).finally(() => {
      this.#loadingMembers = undefined;
    });
    return this.#loadingMembers;
  }

  /** To be called at every key stroke: tells the others, every two seconds. */
  type(): void {
    const now = this.#context.settings.clock.now();
    if (now - this.#typedAt < TYPING_MS) return;
    this.#typedAt = now;
    this.#session.fire("typing_start", { roomId: this.id });
  }

  /** The user gave it up. Sending does this by itself. */
  stopTyping(): void {
    if (!this.#typedAt) return;
    this.#typedAt = 0;
    this.#session.fire("typing_stop", { roomId: this.id });
  }

  /** Any live state, to those who follow the room now. */
  signal(name: string, payload: Json = null): void {
    this.#session.fire("signal", { roomId: this.id, name, payload });
  }

  // ---- for the client ---------------------------------------------------------------------------------------

  /** @internal An application looks at the room: from now on messages are kept. */
  open(): this {
    const { messages } = this.state;
    messages.limit = Math.max(messages.limit, this.#context.settings.keepMessages);
    return this;
  }

  /** @internal */
  joined({ room, role, messages, onlineCount }: Joined, history: number): void {
    const { state } = this;
    const known = state.messages;
    if (state.status !== "live") known.clear();
    const first = known.firstSeq;
    known.merge(messages);
    if (first === undefined || first !== known.firstSeq) known.hasMore = messages.length >= history;
    state.describe({ ...room, role }, onlineCount);
  }

  /** @internal Loads the room anew. */
  restart(): void {
    this.state.restart();
    if (this.state.messages.limit > 1)
      this.loadOlder().catch((error: unknown) => this.#context.failed(error));
  }

  #send(message: NewMessage, clientId: string): Promise<Sent> {
    const { messages } = this.state;
    const { userId } = this.#session;
    this.stopTyping();
    const now = new Date(this.#context.settings.clock.now()).toISOString();
    messages.start(this.id, userId ?? "", clientId, message, now);
    this.state.touch();
    const sent = this.#session.publish(this.#address(), message, clientId);
    sent
      .then(
        (reply) => messages.sent(clientId, reply),
        (error: StarlingError) => messages.failed(clientId, error),
      )
      .then(() => this.state.touch());
    return sent;
  }

  async #enter(): Promise<void> {
    // Reserved rooms are nobody's to join: the server adds them by itself.
    if (!this.id.startsWith("@")) await this.join({ history: this.#history });
    else if (this.state.messages.hasMore) await this.loadOlder(this.#history);
  }

  #left(): void {
    if (this.#context.settings.followAll || this.state.status !== "live") return;
    this.#wanted.undo();
    this.#session.unsubscribe([this.id]).catch((error: unknown) => this.#context.failed(error));
  }

  /** A direct room comes with its first message, so that one is addressed to the other user. */
  #address(): Address {
    if (!this.id.startsWith(DIRECT)) return { roomId: this.id };
    const [first, second] = this.id.slice(DIRECT.length).split(",") as [string, string];
    return { recipientId: first === this.#session.userId ? second : first };
  }

  async #loadOlder(limit: number): Promise<number> {
    const { messages } = this.state;
    const before = messages.firstSeq;
    const span = { roomId: this.id, limit, ...(before !== undefined && { before }) };
    const page = await messages.page(() => this.#session.request("fetch_history", span));
    // Where the list was begun anew or cut meanwhile, the page does not join it any more.
    const joins = before === undefined || before === messages.firstSeq;
    const added = messages.merge(joins ? page.messages : []);
    if (!joins) return 0;
    messages.limit += added;
    messages.hasMore = page.hasMore;
    this.state.touch();
    return added;
  }

  async #loadMembers(limit: number): Promise<void> {
    const members = await this.state.members.load((after) =>
      this.#session.request("list_members", {
        roomId: this.id,
        limit,
        ...(after !== undefined && { after }),
      }),
    );
    this.#context.see(
      members.flatMap(({ userId, status }) =>
        status ? [{ userId, status, customStatus: null, lastSeenAt: null }] : [],
      ),
    );
    this.state.touch();
  }

  #sendRead(): void {
    const { clock } = this.#context.settings;
    const seq = this.#toRead;
    this.#readTimer = undefined;
    if (seq <= this.#readSeq) return;
    this.#readSeq = seq;
    this.#readTimer = clock.setTimeout(() => this.#sendRead(), READ_MS);
    this.#session.request("mark_read", { roomId: this.id, seq }).then(
      (reply) => this.state.count(reply, 0),
      (error: unknown) => {
        this.#readSeq = 0;
        this.#context.failed(error);
      },
    );
  }
}
