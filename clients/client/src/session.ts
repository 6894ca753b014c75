import { type CallOptions, Calls } from "./calls.js";
import type { Envelope } from "./codec.js";
import { Connection, type ConnectionStatus } from "./connection.js";
import { Emitter } from "./emitter.js";
import { StarlingError } from "./error.js";
import { Following } from "./following.js";
import { type Position, type Settings, type StarlingOptions, settings } from "./options.js";
import type {
  CommandData,
  CommandReply,
  CommandType,
  ErrorBody,
  Joined,
  LiveRoom,
  NewMessage,
  Sent,
} from "./protocol/commands.js";
import type {
  DurableBodies,
  DurableData,
  DurableEnvelope,
  EphemeralEnvelope,
  EphemeralEvents,
  Gap,
  Welcome,
} from "./protocol/events.js";
import type { Store } from "./store.js";

/** Every event: what the server says, by its name on the wire, and what this client says. */
export type StarlingEvents = { [T in keyof DurableBodies]: DurableData<T> } & EphemeralEvents & {
    /** Any durable event: once, in its room's order, after the stores took it in. */
    event: DurableEnvelope;
    /** The connection changed. */
    status: ConnectionStatus;
    /** A session began, and every room is followed again. */
    resumed: Welcome;
    /** A room begins anew: too much was missed, or the server's history was rewritten. */
    room_reset: { roomId: string };
    /** Something went wrong that no call tells. */
    error: StarlingError;
  };

/** Where a message goes: a room, or a user directly. */
export type Address = { roomId: string } | { recipientId: string };

/**
 * A user's session that outlives its sockets: typed commands and events, every event once and in order, messages that
 * survive a lost connection. It keeps no messages: {@link Starling} adds stores.
 */
export class Session extends Emitter<StarlingEvents> {
  /** State of the connection, as a store. */
  readonly status: Store<ConnectionStatus>;
  protected readonly settings: Settings;
  protected readonly following: Following;
  readonly #calls: Calls;
  readonly #connection: Connection;
  #ended: StarlingError | undefined;
  #connecting: Promise<Welcome> | undefined;
  #settle: { resolve(welcome: Welcome): void; reject(error: StarlingError): void } | undefined;

  constructor(options: StarlingOptions) {
    super();
    this.settings = settings(options);
    this.#calls = new Calls(this.settings);
    this.#connection = new Connection(this.settings, {
      changed: (status) => this.emit("status", status),
      resume: (link) => this.#resume(link),
      adopted: (link) => {
        this.#calls.link = link;
      },
      received: (envelope, isCurrent) => this.#received(envelope, isCurrent),
      lost: (link) => this.#calls.lost(link),
      isUsing: (link) => this.#calls.isUsing(link),
      ended: (error) => this.#end(error),
      failed: (error) => this.fail(error),
    });
    this.status = this.#connection.status;
    const session = this;
    this.following = new Following(this.settings, {
      get userId() {
        return session.userId;
      },
      request: (type, data, call) => this.#request(type, data, call),
      applied: (event) => this.applied(event),
      began: (room) => this.began(room),
      ended: (roomId, error) => this.ended(roomId, error),
      restarted: (roomId) => this.restarted(roomId),
      caughtUp: (roomId, isCatchingUp) => this.caughtUp(roomId, isCatchingUp),
      failed: (error) => this.fail(error),
    });
  }

  /** The user whom the token names; known from the first welcome on. */
  get userId(): string | undefined {
    return this.status.getSnapshot().welcome?.userId;
  }

  // ---- connection -------------------------------------------------------------------------------------------

  /**
   * Connects, and stays connected until {@link disconnect} or a refusal that trying again would not change. Resolves
   * when the session has begun; rejects only when it cannot.
   */
  connect(): Promise<Welcome> {
    if (!this.#connecting) {
      this.#connecting = new Promise((resolve, reject) => {
        this.#settle = { resolve, reject };
      });
      // Whoever does not wait for it still learns of the end by `status`.
      this.#connecting.catch(() => {});
      this.#ended = undefined;
      globalThis.addEventListener?.("online", this.wake);
      this.#connection.open();
    }
    return this.#connecting;
  }

  /** Ends the session. What was not sent fails with `disconnected`. */
  disconnect(): void {
    this.#connection.close();
  }

  /** The network is back, or the application in the foreground: reconnect now, or see whether the link is alive. */
  readonly wake = (): void => this.#connection.wake();

  /** A new token: for the live session and for later connections. Without one, the token provider is asked. */
  async refreshToken(token?: string): Promise<void> {
    const send = (fresh: string) => this.request("refresh_token", { token: fresh });
    if (token === undefined) return this.#connection.refresh(send);
    this.#connection.useToken(token);
    if (this.status.getSnapshot().state === "connected") await send(token);
  }

  /** Where this client stands in each room, to be kept and given to another one as `positions`. */
  positions(): Record<string, Position> {
    return this.following.positions();
  }

  // ---- commands ---------------------------------------------------------------------------------------------

  /** Sends any command and waits for its answer. Waits for a connection, and is sent again when one is lost. */
  request<T extends CommandType>(type: T, data: CommandData<T>): Promise<CommandReply<T>> {
    return this.#request(type, data);
  }

  /** Sends what is worth nothing later: now or never, and without an answer. */
  fire<T extends "typing_start" | "typing_stop" | "signal">(type: T, data: CommandData<T>): void {
    this.#calls.fire(type, data);
  }

  /**
   * Sends a message. It waits where there is no connection; messages of one room keep their order; one that may have
   * arrived is sent again under the same client id, so that it is stored once. To a user only after the first connect.
   */
  publish(to: Address, message: NewMessage, clientId = this.settings.newId()): Promise<Sent> {
    const lane = "roomId" in to ? to.roomId : this.directRoom(to.recipientId);
    const options = { lane, ttlMs: this.settings.messageTtlMs };
    return this.#request("send_message", { ...to, clientId, ...message }, options);
  }

  /** Becomes a member of a room and follows it. */
  joinRoom(roomId: string, history = 0): Promise<Joined> {
    const cursor = this.following.cursor(roomId);
    const joining = { roomId, history, ...(cursor !== undefined && { cursor }) };
    return this.#request("join_room", joining, {
      took: (reply) => {
        this.joined(reply as Joined, history);
        this.following.begin({ ...(reply as Joined), roomId }, cursor);
      },
    });
  }

  /** Follows rooms live that the user may read, without becoming a member. */
  async subscribe(roomIds: readonly string[]): Promise<void> {
    const [error] = await this.following.follow(roomIds);
    if (error) throw error;
  }

  /** Stops following rooms; memberships stay. With `followAll`, joined rooms come back with the next session. */
  async unsubscribe(roomIds: readonly string[]): Promise<void> {
    await this.request("unsubscribe", { roomIds });
    for (const roomId of roomIds) this.following.end(roomId);
  }

  /** Ends a membership. */
  async leaveRoom(roomId: string): Promise<void> {
    await this.request("leave_room", { roomId });
    this.following.end(roomId);
  }

  /** The id of the room of direct messages with a user. */
  directRoom(userId: string): string {
    const me = this.userId;
    if (me === undefined) {
      throw new StarlingError("disconnected", "the own user is not known yet; await connect() first");
    }
    return `@dm:${isBefore(me, userId) ? [me, userId] : [userId, me]}`;
  }

  // ---- for stores -------------------------------------------------------------------------------------------

  /** An event's turn has come. */
  protected applied(event: DurableEnvelope): void {
    const { type, data } = event;
    if (type === "message_created" && data.senderId === this.userId && data.clientId !== undefined) {
      const { roomId, seq, messageId, createdAt } = data;
      this.#calls.echoed(roomId, data.clientId, { roomId, seq, messageId, createdAt, duplicate: false });
    }
    this.emit(type, data as never);
    this.emit("event", event);
  }

  /** Something came that takes no seq. */
  protected told({ type, data }: EphemeralEnvelope): void {
    if (type === "migrate") this.#connection.migrate(data.afterMs);
    else if (type === "token_expiring" && typeof this.settings.token !== "string") void this.refreshToken();
    this.emit(type, data as never);
  }

  /** A membership began, or was there. */
  protected joined(_: Joined, _history: number): void {}

  /** A room is followed live. */
  protected began(_: LiveRoom): void {}

  /** A room is out of reach. */
  protected ended(_roomId: string, _error?: StarlingError): void {}

  /** What was applied of a room is void. */
  protected restarted(roomId: string): void {
    this.emit("room_reset", { roomId });
  }

  /** Missed events of a room are on their way, or were. */
  protected caughtUp(_roomId: string, _isCatchingUp: boolean): void {}

  /** A new session follows everything again. */
  protected resumed(welcome: Welcome): void {
    this.#settle?.resolve(welcome);
    this.emit("resumed", welcome);
  }

  /** Says what no call tells. */
  protected fail(error: unknown): void {
    const { message } = error as Error;
    const isOurs = error instanceof StarlingError;
    this.emit("error", isOurs ? error : new StarlingError("internal", message, { cause: error }));
  }

  // ---- inside -----------------------------------------------------------------------------------------------

  #request<T extends CommandType>(
    type: T,
    data: CommandData<T>,
    options?: CallOptions,
  ): Promise<CommandReply<T>> {
    // The outcome of a `create_room` that was done would be told wrong if it were sent again.
    const isOnce = type === "create_room";
    const reply = this.#ended
      ? Promise.reject(this.#ended)
      : this.#calls.call(type, data, { ...options, isOnce });
    // A promise that nobody waits for is no unhandled rejection: stores tell what became of messages, too.
    reply.catch(() => {});
    return reply as Promise<CommandReply<T>>;
  }

  async #resume(link: Parameters<Following["resume"]>[0]): Promise<void> {
    await this.following.resume(link);
    if (link.isOpen && link.welcome) this.resumed(link.welcome);
  }

  #received(envelope: Envelope, isCurrent: boolean): void {
    const { type, id, data } = envelope;
    if (id !== undefined) {
      // One that nobody waits for any more is late, or answers a heartbeat.
      this.#calls.answer(envelope);
      return;
    }
    if (type === "batch") {
      for (const event of (data as { events: Envelope[] }).events) this.#received(event, isCurrent);
    } else if ((data as Partial<DurableData>)?.eventId !== undefined) {
      this.following.take(envelope as DurableEnvelope);
    } else if (type === "error") {
      this.fail(StarlingError.from(data as ErrorBody));
    } else if (type === "gap") {
      this.following.gap(data as Gap);
      this.emit(type, data as Gap);
    } else if (isCurrent) {
      // While two links live, what takes no seq comes twice: only the current one's counts.
      this.told(envelope as EphemeralEnvelope);
    }
  }

  #end(error: StarlingError): void {
    globalThis.removeEventListener?.("online", this.wake);
    this.#ended = error;
    this.#connecting = undefined;
    this.#settle?.reject(error);
    this.#calls.failAll(error);
  }
}

/** By code point, as the server sorts; JavaScript compares halves of surrogate pairs. */
function isBefore(a: string, b: string): boolean {
  const [x, y] = [Array.from(a), Array.from(b)];
  const at = x.findIndex((char, i) => char !== y[i]);
  return at < 0 || (x[at]?.codePointAt(0) ?? 0) < (y[at]?.codePointAt(0) ?? 0);
}
