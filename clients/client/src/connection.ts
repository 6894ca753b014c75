import { delayMs, isTerminal } from "./backoff.js";
import { type Codec, type Envelope, loadCodec } from "./codec.js";
import { StarlingError } from "./error.js";
import { type Closed, Link } from "./link.js";
import type { Settings } from "./options.js";
import type { Welcome } from "./protocol/events.js";
import { Value } from "./store.js";
import { Tokens } from "./token.js";

/** Where a connection is in its life. */
export type ConnectionState = "connecting" | "connected" | "reconnecting" | "disconnected";

/** A connection as an application shows it. */
export interface ConnectionStatus {
  readonly state: ConnectionState;
  /** Close code of the last connection. */
  readonly code?: number;
  readonly reason?: string;
  /** Why it ended, where the server or the token provider said so. */
  readonly error?: StarlingError;
  /** When the next attempt begins, in milliseconds since 1970; absent while one is under way. */
  readonly retryAt?: number;
  /** The session, from the first welcome on. */
  readonly welcome?: Welcome;
}

/** Whom a connection tells. */
export interface ConnectionHandlers {
  /**
   * A link is there: bring its session to where the client stands. Never rejects; settles when that is done or
   * the link is gone.
   */
  resume(link: Link): Promise<void>;
  changed(status: ConnectionStatus): void;
  /** From now on commands go here. */
  adopted(link: Link): void;
  received(envelope: Envelope, isCurrent: boolean): void;
  /** The link is gone; commands that it left unanswered are to be sent again. */
  lost(link: Link): void;
  /** Whether answers are still to come on this link. */
  isUsing(link: Link): boolean;
  /** There will be no other link. */
  ended(error: StarlingError): void;
  failed(error: unknown): void;
}

/** A connection that lasted so long has proved itself: the next wait is short again. */
const STABLE_MS = 10_000;
/** Between attempts to refresh a token: the server warns a minute ahead. */
const REFRESH_RETRY_MS = 5_000;
/** How long a connection that was replaced waits for its last answers, and how often it looks. */
const RETIRE_MS = 5_000;
const RETIRE_STEP_MS = 100;

/**
 * Keeps a session alive over one socket after the other. There is one current link; while the server drains there is
 * a second one that gets ready, and takes over only when it has resumed.
 */
export class Connection {
  readonly #settings: Settings;
  readonly #handlers: ConnectionHandlers;
  readonly #tokens: Tokens;
  readonly status = new Value<ConnectionStatus>({ state: "disconnected" });
  #codec: Codec | undefined;
  #current: Link | undefined;
  /** The link that is on its way; there is at most one. */
  #next: Link | undefined;
  /** The link that was replaced and waits for its last answers. */
  #old: Link | undefined;
  /** Counts dials and ends: whoever awaited something sees that the world went on. */
  #epoch = 0;
  #isDialing = false;
  #failures = 0;
  #connectedAt = 0;
  #retry: unknown;
  readonly #timers = new Set<unknown>();

  constructor(settings: Settings, handlers: ConnectionHandlers) {
    this.#settings = settings;
    this.#handlers = handlers;
    this.#tokens = new Tokens(settings.token);
  }

  /** Starts; nothing happens while it runs. */
  open(): void {
    if (this.status.getSnapshot().state !== "disconnected") return;
    this.#failures = 0;
    this.#say({ state: "connecting" });
    void this.#dial();
  }

  /** Ends for good, until {@link open}. */
  close(): void {
    this.#end({ code: 1000, reason: "done" }, new StarlingError("disconnected", "disconnect() was called"));
  }

  /** The network or the machine is back: do not wait any longer, and trust no old link. */
  wake(): void {
    const { state } = this.status.getSnapshot();
    if (state === "connected") this.#current?.probe();
    else if (state !== "disconnected" && !this.#isDialing && !this.#next) void this.#dial();
  }

  /** A token that the application got by itself, for the connections to come. */
  useToken(token: string): void {
    this.#tokens.use(token);
  }

  /** A new token for the live session; tried again until the session ends. */
  async refresh(send: (token: string) => Promise<unknown>): Promise<void> {
    if (!this.#tokens.isRenewable) return;
    const link = this.#current;
    this.#tokens.expire();
    try {
      await send(await this.#tokens.get());
    } catch (error) {
      this.#handlers.failed(error);
      this.#later(REFRESH_RETRY_MS, () => {
        if (link && link === this.#current) void this.refresh(send);
      });
    }
  }

  /** The server wants this client elsewhere: a new link first, then the old one goes. */
  migrate(afterMs: number): void {
    const epoch = this.#epoch;
    this.#later(afterMs, () => {
      if (epoch === this.#epoch && this.#current && !this.#isDialing && !this.#next) void this.#dial();
    });
  }

  async #dial(): Promise<void> {
    const { clock } = this.#settings;
    clock.clearTimeout(this.#retry);
    const epoch = ++this.#epoch;
    this.#isDialing = true;
    const { retryAt, ...status } = this.status.getSnapshot();
    if (retryAt !== undefined) this.#say(status);
    try {
      this.#codec ??= await loadCodec(this.#settings.codec);
      const token = await this.#tokens.get();
      if (epoch !== this.#epoch) return;
      this.#isDialing = false;
      this.#next = new Link(this.#settings, this.#codec, token, {
        welcomed: (link) => void this.#welcomed(link),
        received: (link, envelope) => this.#handlers.received(envelope, link === this.#current),
        closed: (link, why) => this.#closed(link, why),
      });
    } catch (error) {
      if (epoch !== this.#epoch) return;
      this.#isDialing = false;
      if (error instanceof StarlingError && error.code === "unauthenticated") {
        this.#end({ code: 4500, reason: error.message }, error);
      } else {
        this.#handlers.failed(error);
        this.#again({ code: 1006, reason: "no token" });
      }
    }
  }

  async #welcomed(link: Link): Promise<void> {
    const resumed = this.#handlers.resume(link);
    if (this.#current) {
      // Both links live. Only one that follows all rooms is as good as the old one.
      await resumed;
    }
    this.#adopt(link);
  }

  #adopt(link: Link): void {
    if (link !== this.#next) return;
    const old = this.#current;
    this.#next = undefined;
    this.#current = link;
    this.#connectedAt = this.#settings.clock.now();
    this.#say({ state: "connected", ...(link.welcome && { welcome: link.welcome }) });
    this.#handlers.adopted(link);
    if (old) this.#retire(old, RETIRE_MS);
  }

  /** Closes a link that was replaced, as soon as its answers are in. */
  #retire(link: Link, patience: number): void {
    this.#old = link;
    if (patience > 0 && link.isOpen && this.#handlers.isUsing(link)) {
      this.#later(RETIRE_STEP_MS, () => this.#retire(link, patience - RETIRE_STEP_MS));
      return;
    }
    this.#old = undefined;
    link.close();
    this.#handlers.lost(link);
  }

  #closed(link: Link, why: Closed): void {
    const wasCurrent = link === this.#current;
    const wasNext = link === this.#next;
    if (wasCurrent) this.#current = undefined;
    if (wasNext) this.#next = undefined;
    this.#handlers.lost(link);
    if (wasCurrent && (this.#next || this.#isDialing)) {
      // A replacement is on its way: its own fate decides.
      this.#say({ state: "reconnecting", ...told(why) });
      if (this.#next?.isOpen) this.#adopt(this.#next);
    } else if (wasCurrent || wasNext) {
      const isProven = wasCurrent && this.#settings.clock.now() - this.#connectedAt >= STABLE_MS;
      if (isProven) this.#failures = 0;
      this.#decide(why);
    }
  }

  #decide(why: Closed): void {
    const wasRefused = why.code === 4500;
    if (why.code === 4005 || wasRefused) this.#tokens.expire();
    const isTokenOver = why.code === 4005 && !this.#tokens.isRenewable;
    const mayRenew = wasRefused && this.#tokens.isKept;
    if ((isTerminal(why.code) && !mayRenew) || isTokenOver) {
      if (this.#current) return; // Only a replacement was refused; the old link serves until it is closed.
      const error = why.error && StarlingError.from(why.error);
      this.#end(
        why,
        error ?? new StarlingError("disconnected", `closed by the server: ${why.code} ${why.reason}`),
      );
    } else this.#again(why);
  }

  #again(why: Closed): void {
    const { clock } = this.#settings;
    const ms = delayMs(this.#settings, this.#failures, why.code, why.error?.retryAfterMs);
    this.#failures += 1;
    if (!this.#current) {
      const isFirst = this.status.getSnapshot().state === "connecting";
      const retryAt = clock.now() + ms;
      this.#say({ state: isFirst ? "connecting" : "reconnecting", ...told(why), retryAt });
    }
    clock.clearTimeout(this.#retry);
    this.#retry = clock.setTimeout(() => void this.#dial(), ms);
  }

  #end(why: Closed, error: StarlingError): void {
    if (this.status.getSnapshot().state === "disconnected") return;
    const { clock } = this.#settings;
    this.#epoch += 1;
    this.#isDialing = false;
    for (const timer of [...this.#timers, this.#retry]) clock.clearTimeout(timer);
    this.#timers.clear();
    for (const link of [this.#current, this.#next, this.#old]) link?.close();
    this.#current = this.#next = this.#old = undefined;
    this.#say({ state: "disconnected", code: why.code, reason: why.reason, error });
    this.#handlers.ended(error);
  }

  #say(status: ConnectionStatus): void {
    const { welcome } = this.status.getSnapshot();
    const full = { ...(welcome && { welcome }), ...status };
    this.status.set(full);
    this.#handlers.changed(full);
  }

  #later(ms: number, then: () => void): void {
    const { clock } = this.#settings;
    const timer = clock.setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
  }
}

function told({ code, reason, error }: Closed): Partial<ConnectionStatus> {
  return { code, reason, ...(error && { error: StarlingError.from(error) }) };
}
