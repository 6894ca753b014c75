import { vi } from "vitest";
import {
  type DurableData,
  type DurableType,
  type ErrorBody,
  Starling,
  type StarlingOptions,
  type WebSocketConstructor,
  type Welcome,
} from "../../src/index.js";

export interface Command {
  type: string;
  id?: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects in it, it says
  data: any;
}

export const WELCOME: Welcome = {
  sessionId: "s1",
  userId: "me",
  nodeId: "n1",
  serverTime: "2026-11-20T12:00:00.000Z",
  heartbeatMs: 25_000,
  resumeWindow: 500,
  limits: {
    maxFrameBytes: 65_536,
    maxContentLength: 10_000,
    commandsPerMinute: 120,
    messagesPerMinute: 60,
    connectionsPerUser: 5,
    maxUnacked: 50,
    roomsPerSession: 1_000,
    maxWatched: 500,
    replayEventsPerConnection: 5_000,
  },
};

export const cursor = (seq: number, tag = "aaaaaaaa") => `${seq}.${tag}`;

/** A durable event as the server sends it. */
export function event<T extends DurableType>(
  type: T,
  roomId: string,
  seq: number,
  data: object = {},
): { type: T; data: DurableData<T> } {
  const base = {
    roomId,
    seq,
    cursor: cursor(seq),
    eventId: `e-${roomId}-${String(seq).padStart(6, "0")}`,
    senderId: "bob",
    createdAt: `2026-11-20T12:00:00.${String(seq % 1000).padStart(3, "0")}Z`,
  };
  const message = { messageId: base.eventId, content: `m${seq}`, contentType: "text/plain" };
  const body = type === "message_created" ? message : {};
  return { type, data: { ...base, ...body, ...data } as unknown as DurableData<T> };
}

export const created = (roomId: string, seq: number, data: object = {}) =>
  event("message_created", roomId, seq, data);

/** One socket as the server sees it; a test says what it does. */
export class Socket {
  binaryType = "";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: Command[] = [];
  closedBy: { code: number | undefined; reason: string | undefined } | undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  // what the client calls
  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }
  close(code?: number, reason?: string): void {
    this.closedBy = { code, reason };
  }

  // what the server does
  say(type: string, data: unknown, id?: number): void {
    this.onmessage?.({ data: JSON.stringify({ type, data, ...(id !== undefined && { id }) }) });
  }
  event(...events: { type: string; data: unknown }[]): void {
    for (const { type, data } of events) this.say(type, data);
  }
  /** The handshake, the token and the welcome. */
  welcome(over: Partial<Welcome> = {}): void {
    this.onopen?.();
    this.say("welcome", { ...WELCOME, ...over });
  }
  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }
  /** The oldest command of a type that no test took yet. */
  take(type: string): Command {
    const at = this.sent.findIndex((command) => command.type === type);
    const [command] = at < 0 ? [] : this.sent.splice(at, 1);
    if (!command)
      throw new Error(`no ${type} was sent; ${this.sent.map((c) => c.type).join(", ") || "nothing"} was`);
    return command;
  }
  has(type: string): boolean {
    return this.sent.some((command) => command.type === type);
  }
  ok(command: Command, data: unknown = {}): void {
    this.say("ok", data, command.id);
  }
  refuse(command: Command, code: string, more: Partial<ErrorBody> = {}): void {
    this.say("error", { code, message: code, ...more }, command.id);
  }
  /** Answers the `subscribe` for notifications and announcements, with which a session begins. */
  inboxes(): void {
    const command = this.take("subscribe");
    if (command.data.all) throw new Error("not the one by name");
    this.ok(command, { rooms: [] });
  }
  /** Answers every `subscribe` so far: rooms by name with their heads, and those of `all`. */
  subscribed(heads: Record<string, number> = {}, more: object = {}): void {
    while (this.has("subscribe")) {
      const command = this.take("subscribe");
      const named: string[] = (command.data.rooms ?? []).map((room: { roomId: string }) => room.roomId);
      const all = command.data.all ? Object.keys(heads).filter((roomId) => !roomId.startsWith("@")) : [];
      const rooms = [...new Set([...named, ...all])].map((roomId) => ({
        roomId,
        head: heads[roomId] ?? 0,
        cursor: cursor(heads[roomId] ?? 0),
        unread: 0,
        mentions: 0,
        ...more,
      }));
      this.ok(command, { rooms });
    }
  }
}

/** Every socket that a client opens. */
export class Script {
  readonly sockets: Socket[] = [];
  readonly WebSocket: WebSocketConstructor;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends Socket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    } as unknown as WebSocketConstructor;
  }

  get socket(): Socket {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("no socket was opened");
    return last;
  }
}

/** Lets promises settle. */
export const settle = () => vi.advanceTimersByTimeAsync(0);
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

export function client(options: Partial<StarlingOptions> = {}): { script: Script; starling: Starling } {
  const script = new Script();
  let id = 0;
  const starling = new Starling({
    url: "ws://localhost/ws",
    token: "t0",
    WebSocket: script.WebSocket,
    random: () => 0.5,
    newId: () => `c${++id}`,
    ...options,
  });
  return { script, starling };
}

/** A client that is connected, with these rooms followed. */
export async function connected(
  heads: Record<string, number> = {},
  options: Partial<StarlingOptions> = {},
): Promise<{ script: Script; starling: Starling; socket: Socket }> {
  const made = client(options);
  void made.starling.connect();
  await settle();
  const { socket } = made.script;
  socket.welcome();
  await welcomed(socket, heads);
  return { ...made, socket };
}

/** Answers the subscriptions with which a session begins. */
export async function welcomed(socket: Socket, heads: Record<string, number> = {}): Promise<void> {
  // By name, then all.
  for (let round = 0; round < 3; round++) {
    await settle();
    socket.subscribed(heads);
  }
  await settle();
}

/** The contents of a room's messages. */
export const contents = (starling: Starling, roomId: string) =>
  starling
    .room(roomId)
    .getSnapshot()
    .messages.map((message) => message.content);
