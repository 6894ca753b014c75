import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { type Codec, type Envelope, loadCodec } from "../../src/codec.js";
import type { Message } from "../../src/index.js";
import { created, cursor, type event, WELCOME } from "./script.js";

type Stored = ReturnType<typeof event>;
// biome-ignore lint/suspicious/noExplicitAny: the data of whichever command came
type Data = any;

/** A log that several gateways share: rooms of events, in order. */
export class Log {
  readonly rooms = new Map<string, Stored[]>();
  readonly followers = new Set<(stored: Stored) => void>();

  events(roomId: string): Stored[] {
    const events = this.rooms.get(roomId) ?? [];
    this.rooms.set(roomId, events);
    return events;
  }

  append(roomId: string, senderId: string, data: Data): Stored & { isRepeat: boolean } {
    const events = this.events(roomId);
    const { clientId } = data;
    const earlier = events.find(({ data }) => data.senderId === senderId && data.clientId === clientId);
    if (earlier && clientId !== undefined) return { ...earlier, isRepeat: true };
    const stored = created(roomId, events.length + 1, { ...data, senderId });
    events.push(stored);
    for (const follower of this.followers) follower(stored);
    return { ...stored, isRepeat: false };
  }
}

/** How a session's faults are chosen: each a chance between 0 and 1. */
export interface Faults {
  /** The socket is cut before the command is carried out, or after it and before its answer. */
  cutBefore?: number;
  cutAfter?: number;
  refuse?: number;
  /** Missed events are not replayed: `limited`. */
  limited?: number;
  random?: () => number;
}

/** The protocol, as far as a client needs it, over real sockets: one node of a small Starling. */
export class Gateway {
  readonly log: Log;
  readonly faults: Faults;
  readonly sockets = new Set<WebSocket>();
  /** Rooms of everybody, for `subscribe {all}`. */
  readonly joined = new Set<string>();
  readonly #http: Server = createServer();
  readonly #server: WebSocketServer;

  constructor(log = new Log(), faults: Faults = {}) {
    this.log = log;
    this.faults = faults;
    this.#server = new WebSocketServer({
      server: this.#http,
      handleProtocols: (offered) => [...offered][0] ?? false,
    });
    this.#server.on("connection", (socket) => void this.#serve(socket));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#http.listen(0, "127.0.0.1", resolve));
    return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}/ws`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    this.#server.close();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  /** Says something to every session. */
  say(type: string, data: unknown): void {
    for (const socket of this.sockets) socket.emit("say", { type, data });
  }

  #chance(of: number | undefined): boolean {
    return (this.faults.random ?? Math.random)() < (of ?? 0);
  }

  async #serve(socket: WebSocket): Promise<void> {
    this.sockets.add(socket);
    const early: [Buffer, boolean][] = [];
    const keep = (data: Buffer, isBinary: boolean) => early.push([data, isBinary]);
    socket.on("message", keep);
    const codec = await loadCodec(socket.protocol.endsWith("msgpack") ? "msgpack" : "json");
    const session = new Session(this, socket, codec, (of) => this.#chance(of));
    socket.off("message", keep);
    socket.on("message", (data: Buffer, isBinary) => session.take(data, isBinary));
    socket.on("say", (envelope: Envelope) => session.say(envelope));
    socket.on("close", () => {
      this.sockets.delete(socket);
      session.end();
    });
    for (const [data, isBinary] of early) session.take(data, isBinary);
  }
}

class Session {
  readonly #gateway: Gateway;
  readonly #socket: WebSocket;
  readonly #codec: Codec;
  readonly #chance: (of: number | undefined) => boolean;
  /** How far each room went out. */
  readonly #followed = new Map<string, number>();
  #user = "";

  constructor(gateway: Gateway, socket: WebSocket, codec: Codec, chance: (of?: number) => boolean) {
    this.#gateway = gateway;
    this.#socket = socket;
    this.#codec = codec;
    this.#chance = chance;
    gateway.log.followers.add(this.#follower);
  }

  readonly #follower = (stored: Stored): void => {
    const { roomId, seq } = stored.data;
    if ((this.#followed.get(roomId) ?? seq) < seq) {
      this.#followed.set(roomId, seq);
      this.say(stored);
    }
  };

  end(): void {
    this.#gateway.log.followers.delete(this.#follower);
  }

  say(envelope: Envelope): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(this.#codec.encode(envelope));
  }

  take(frame: Buffer, isBinary: boolean): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const text = isBinary ? (new Uint8Array(frame).buffer as ArrayBuffer) : frame.toString();
    const { type, id, data } = this.#codec.decode(text) as Envelope & { data: Data };
    const { faults } = this.#gateway;
    if (type === "authenticate") {
      this.#user = data.token;
      this.say({ type: "welcome", data: { ...WELCOME, userId: this.#user } });
      return;
    }
    if (this.#chance(faults.cutBefore)) this.#socket.terminate();
    else if (type !== "ping" && this.#chance(faults.refuse)) {
      this.say({ type: "error", id, data: { code: "unavailable", message: "", retryAfterMs: 5 } });
    } else {
      const [reply, after] = this.#carryOut(type, data);
      if (this.#chance(faults.cutAfter)) this.#socket.terminate();
      if (id !== undefined) this.say({ type: type === "ping" ? "pong" : "ok", id, data: reply });
      after?.();
    }
  }

  #carryOut(type: string, data: Data): [unknown, (() => void)?] {
    const { log } = this.#gateway;
    switch (type) {
      case "subscribe": {
        const cursors: Record<string, string> = data.all ? data.cursors : {};
        const all = data.all ? [...this.#gateway.joined, ...Object.keys(cursors)] : [];
        const named: [string, string | undefined][] = data.all
          ? [...new Set(all)].map((roomId) => [roomId, cursors[roomId]])
          : data.rooms.map((room: Data) => [room.roomId, room.cursor]);
        const begun = named.map(([roomId, at]) => this.#begin(roomId, at));
        return [
          { rooms: begun.map(([live]) => live) },
          () => {
            for (const [, replay] of begun) replay();
          },
        ];
      }
      case "join_room": {
        this.#gateway.joined.add(data.roomId);
        const [live, replay] = this.#begin(data.roomId, data.cursor);
        const messages = this.#messages(data.roomId).slice(-data.history);
        const room = { roomId: data.roomId, name: data.roomId, head: live.head };
        return [{ ...live, room, role: "member", messages, onlineCount: 1 }, replay];
      }
      case "send_message": {
        const { echo: _, roomId, ...message } = data;
        const { data: stored, isRepeat } = log.append(roomId, this.#user, message);
        const { seq, eventId: messageId, createdAt } = stored;
        return [{ roomId, seq, messageId, createdAt, duplicate: isRepeat }];
      }
      case "fetch_events": {
        const events = log.events(data.roomId).slice(data.after, data.after + data.limit);
        return [{ events, hasMore: data.after + data.limit < log.events(data.roomId).length }];
      }
      case "fetch_history": {
        const all = this.#messages(data.roomId).filter(
          ({ seq }) => seq < (data.before ?? Number.POSITIVE_INFINITY),
        );
        return [{ messages: all.slice(-data.limit), hasMore: all.length > data.limit }];
      }
      default:
        return [{}];
    }
  }

  #messages(roomId: string): Message[] {
    return this.#gateway.log.events(roomId).map(({ data }) => ({ ...(data as Data), replyCount: 0 }));
  }

  #begin(roomId: string, from: string | undefined) {
    const events = this.#gateway.log.events(roomId);
    const head = events.length;
    const isLimited = from !== undefined && this.#chance(this.#gateway.faults.limited);
    const at = from === undefined || isLimited ? head : Number(from.split(".")[0]);
    this.#followed.set(roomId, head);
    const live = {
      roomId,
      head,
      cursor: cursor(head),
      unread: 0,
      mentions: 0,
      ...(isLimited && { limited: true }),
    };
    // Events of one subscription go out in one burst, so that a client sees frames without a pause between them.
    const replay = () => {
      for (const stored of events.slice(at, head)) this.say(stored);
    };
    return [live, replay] as const;
  }
}
