import type { CodecName } from "./codec.js";
import { StarlingError } from "./error.js";
import type { TokenProvider } from "./token.js";

/** What this client needs of a WebSocket; browsers' own and the one of `ws` have it. */
export interface WebSocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** A class of WebSockets. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** Where time comes from. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** Where a client stood in a room: what {@link Starling.positions} gives and the option `positions` takes. */
export interface Position {
  seq: number;
  cursor: string;
}

/** Settings of a client. */
export interface StarlingOptions {
  /** The address of the gateway, such as `wss://chat.example.org/ws`; relative to the page in a browser. */
  url: string;
  /** The token, or what gets one: see {@link TokenProvider}. */
  token: string | TokenProvider;
  /** `json` by default; `msgpack` is loaded on the first connect. */
  codec?: CodecName;
  /** The class of WebSockets where the platform has none: in Node 20, `WebSocket` of the package `ws`. */
  WebSocket?: WebSocketConstructor;
  /** Follow all joined rooms, direct rooms and notifications from the start (the default), or only rooms asked for. */
  followAll?: boolean;
  /** Where the client stood before, to go on from there. */
  positions?: Readonly<Record<string, Position>>;
  /** Messages that wait to be sent; more are refused with `queue_full`. 200 by default. */
  queueLimit?: number;
  /** A message that could not be sent for so long fails with `expired`. 10 minutes by default. */
  messageTtlMs?: number;
  /** How long to wait for the answer to a command, the wait for a connection included. 15 s by default. */
  requestTimeoutMs?: number;
  /** How long a connection may take until the server's welcome. 10 s by default. */
  connectTimeoutMs?: number;
  /** Reconnects wait a random time of up to `baseMs` (500), doubled at each failure, up to `capMs` (30,000). */
  backoff?: { baseMs?: number; capMs?: number };
  /** Messages that the store of an opened room keeps, besides those paged in. 500 by default. */
  keepMessages?: number;
  /** Beyond so many missed events a room is loaded anew instead of replayed (`room_reset`). 10,000 by default. */
  catchUpLimit?: number;
  /** Time, for tests. */
  clock?: Clock;
  /** A number in [0, 1), for tests. */
  random?: () => number;
  /** Makes the client ids of messages, for tests: unique for ever. */
  newId?: () => string;
}

/** The options with what was left out filled in. */
export interface Settings extends Required<Omit<StarlingOptions, "backoff">> {
  backoff: { baseMs: number; capMs: number };
}

const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/** 120 random bits. Not `randomUUID`, which browsers keep from pages without https. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => (byte & 31).toString(32)).join("");
}

/** Fills in the defaults. */
export function settings(options: StarlingOptions): Settings {
  const WebSocket =
    options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor | undefined);
  if (!WebSocket) {
    throw new StarlingError(
      "invalid_message",
      'this platform has no WebSocket; give one: new Starling({ WebSocket, … }) with WebSocket of the package "ws"',
    );
  }
  const url = new URL(options.url, globalThis.location?.href);
  url.protocol = url.protocol.replace("http", "ws");
  return {
    codec: "json",
    followAll: true,
    positions: {},
    queueLimit: 200,
    messageTtlMs: 600_000,
    requestTimeoutMs: 15_000,
    connectTimeoutMs: 10_000,
    keepMessages: 500,
    catchUpLimit: 10_000,
    clock: systemClock,
    random: Math.random,
    newId: randomId,
    ...options,
    url: url.href,
    WebSocket,
    backoff: { baseMs: 500, capMs: 30_000, ...options.backoff },
  };
}
