import { type Codec, type Envelope, frameBytes } from "./codec.js";
import { StarlingError } from "./error.js";
import type { Settings, WebSocketLike } from "./options.js";
import type { ErrorBody } from "./protocol/commands.js";
import type { Welcome } from "./protocol/events.js";

/** Why a socket is gone. */
export interface Closed {
  code: number;
  reason: string;
  /** What the server said last without being asked, such as why it closes. */
  error?: ErrorBody | undefined;
}

/** Whom a link tells. */
export interface LinkHandlers {
  welcomed(link: Link, welcome: Welcome): void;
  received(link: Link, envelope: Envelope): void;
  /** Once, and nothing comes after it. Not called when we closed it. */
  closed(link: Link, why: Closed): void;
}

/** A heartbeat is no shorter than this, whatever the server says. */
const LEAST_HEARTBEAT_MS = 1_000;
/** The longest that an answer to a {@link Link.probe} may take. */
const PROBE_MS = 5_000;

/** One socket, from the handshake to its end: frames, the token, and whether anybody is there. */
export class Link {
  readonly #settings: Settings;
  readonly #codec: Codec;
  readonly #handlers: LinkHandlers;
  readonly #socket: WebSocketLike;
  #timer: unknown;
  #heardAt: number;
  #heartbeatMs = LEAST_HEARTBEAT_MS;
  #isAsking = false;
  #error: ErrorBody | undefined;
  #isClosed = false;
  welcome: Welcome | undefined;

  constructor(settings: Settings, codec: Codec, token: string, handlers: LinkHandlers) {
    this.#settings = settings;
    this.#codec = codec;
    this.#handlers = handlers;
    this.#heardAt = settings.clock.now();
    const socket = new settings.WebSocket(settings.url, [codec.protocol]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    // The token goes in the first frame, not in the address: addresses end up in the logs of proxies, and a browser is
    // told nothing about a handshake that was refused.
    socket.onopen = () => this.send({ type: "authenticate", data: { token } });
    socket.onmessage = (event: { data: string | ArrayBuffer }) => this.#receive(event.data);
    socket.onclose = (event: { code: number; reason: string }) => this.#lost(event.code, event.reason);
    // `close` follows and says the same. Stays for good: `ws` throws errors that nobody listens to.
    socket.onerror = () => {};
    this.#timer = settings.clock.setTimeout(
      () => this.#drop("no welcome in time"),
      settings.connectTimeoutMs,
    );
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.welcome !== undefined;
  }

  /** Sends a frame; throws when the server would refuse its size by closing the socket. */
  send(envelope: Envelope): void {
    const frame = this.#codec.encode(envelope);
    const limit = this.welcome?.limits.maxFrameBytes;
    if (limit && frameBytes(frame, limit) > limit) {
      throw new StarlingError("message_too_long", `the frame is too big: at most ${limit} bytes`);
    }
    this.#socket.send(frame);
  }

  /** Ends it from our side; nobody is told. */
  close(code = 1000, reason = "done"): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#settings.clock.clearTimeout(this.#timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(code, reason);
  }

  /** Asks for a sign of life, soon: the network or the machine may have been away. */
  probe(): void {
    if (this.isOpen) this.#ask(PROBE_MS);
  }

  #receive(frame: string | ArrayBuffer): void {
    this.#heardAt = this.#settings.clock.now();
    this.#isAsking = false;
    let envelope: Envelope;
    try {
      envelope = this.#codec.decode(frame);
    } catch {
      // What it held is lost: a new connection replays it.
      this.#drop("a frame that cannot be read");
      return;
    }
    if (envelope.type === "welcome") {
      this.welcome = envelope.data as Welcome;
      this.#heartbeatMs = Math.max(this.welcome.heartbeatMs, LEAST_HEARTBEAT_MS);
      this.#watch(this.#heartbeatMs);
      this.#handlers.welcomed(this, this.welcome);
    } else {
      if (envelope.type === "error" && envelope.id === undefined) this.#error = envelope.data as ErrorBody;
      this.#handlers.received(this, envelope);
    }
  }

  /** Silent for one heartbeat: ask. No answer for another: gone. A late timer (a sleeping tab) still asks first. */
  #watch(ms: number): void {
    const { clock } = this.#settings;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => {
      const silent = clock.now() - this.#heardAt;
      if (this.#isAsking) this.#drop("no answer");
      else if (silent < this.#heartbeatMs) this.#watch(this.#heartbeatMs - silent);
      else this.#ask(this.#heartbeatMs);
    }, ms);
  }

  #ask(patience: number): void {
    this.#isAsking = true;
    this.#watch(patience);
    // With an id, since only such commands are sure to be answered. Those of calls begin at 1.
    this.send({ type: "ping", id: 0, data: {} });
  }

  #drop(reason: string): void {
    this.close(4000, reason);
    this.#handlers.closed(this, { code: 1006, reason, error: this.#error });
  }

  #lost(code: number, reason: string): void {
    this.#isClosed = true;
    this.#settings.clock.clearTimeout(this.#timer);
    this.#handlers.closed(this, { code, reason, error: this.#error });
  }
}
