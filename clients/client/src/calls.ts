import type { Envelope } from "./codec.js";
import { StarlingError } from "./error.js";
import type { Link } from "./link.js";
import type { Settings } from "./options.js";
import type { ErrorBody, SendMessage } from "./protocol/commands.js";

/** How a command is to be treated. */
export interface CallOptions {
  /** How long it may take, the wait for a connection included. */
  ttlMs?: number;
  /** Messages of one lane go one after the other. Everything with a lane is a message. */
  lane?: string;
  /** Sent on this link and on no other. */
  link?: Link;
  /** Is given the answer at once: before the frames behind it, which a promise's callbacks may come after. */
  took?(data: unknown): void;
  /** Not sent again when the connection is cut before the answer: its outcome would be told wrong. */
  isOnce?: boolean;
}

interface Call extends CallOptions {
  id: number;
  type: string;
  data: unknown;
  endsAt: number;
  timer: unknown;
  sentOn?: Link;
  resolve(data: unknown): void;
  reject(error: StarlingError): void;
}

/** Commands that wait for a connection or an answer. More than an application has a use for; then `queue_full`. */
const REQUEST_LIMIT = 500;
/** Where the server says "try again" without saying when. */
const RETRY_MS = 1_000;
/** Up to this part is added to a wait, so that clients that were refused together do not return together. */
const RETRY_SPREAD = 0.2;

const gone = (message: string) => new StarlingError("disconnected", message);

/**
 * Commands on their way: matched with their answers, kept over a lost connection and sent again in their order. A
 * repeated message carries the same client id, so the server stores it once.
 *
 * A room's messages are sent one by one. With several under way, one that is refused for a while would be overtaken by
 * those behind it.
 */
export class Calls {
  readonly #settings: Settings;
  #lastId = 0;
  /** In the order of their ids. */
  #waiting: Call[] = [];
  readonly #flying = new Map<number, Call>();
  readonly #busyLanes = new Set<string>();
  readonly #pausedUntil = { all: 0, messages: 0 };
  #resume: unknown;
  #link: Link | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** What new commands are sent on. */
  set link(link: Link | undefined) {
    this.#link = link;
    this.#pump();
  }

  /** Sends a command, now or when it can be; the answer's data. */
  call(type: string, data: unknown, options: CallOptions = {}): Promise<unknown> {
    const { clock, requestTimeoutMs, queueLimit } = this.#settings;
    const isMessage = options.lane !== undefined;
    const limit = isMessage ? queueLimit : REQUEST_LIMIT;
    if (this.#count(isMessage) >= limit) {
      const message = `${limit} ${isMessage ? "messages" : "commands"} wait to be sent already; try again later`;
      return Promise.reject(new StarlingError("queue_full", message));
    }
    return new Promise((resolve, reject) => {
      const ttlMs = options.ttlMs ?? requestTimeoutMs;
      const call: Call = {
        ...options,
        id: ++this.#lastId,
        type,
        data,
        endsAt: clock.now() + ttlMs,
        timer: clock.setTimeout(() => this.#expire(call), ttlMs),
        resolve,
        reject,
      };
      this.#waiting.push(call);
      this.#pump();
    });
  }

  /** Sends what is worth nothing later, such as "typing": now or never, and without an answer. */
  fire(type: string, data: unknown): void {
    if (this.#link?.isOpen && this.#settings.clock.now() >= this.#pausedUntil.all) {
      this.#link.send({ type, data });
    }
  }

  /** Takes an answer. */
  answer({ type, id, data }: Envelope): void {
    // `ok` or `error`, or `pong`.
    const call = this.#flying.get(id as number);
    if (!call) return;
    this.#land(call);
    if (type === "error") this.#refused(call, data as ErrorBody);
    else {
      call.took?.(data);
      this.#end(call).resolve(data);
    }
    this.#pump();
  }

  /** A message came back as an event: that is as good as its answer, which may be lost with its connection. */
  echoed(lane: string, clientId: string, data: unknown): void {
    const isIt = (call: Call) => call.lane === lane && (call.data as SendMessage).clientId === clientId;
    const call = this.#waiting.find(isIt) ?? [...this.#flying.values()].find(isIt);
    if (!call) return;
    this.#land(call);
    this.#waiting = this.#waiting.filter((other) => other !== call);
    this.#end(call).resolve(data);
    this.#pump();
  }

  /** Whether answers are still to come on this link. */
  isUsing(link: Link): boolean {
    return [...this.#flying.values()].some((call) => call.sentOn === link);
  }

  /** The link is gone: what was not answered waits again, in its place. */
  lost(link: Link): void {
    if (this.#link === link) this.#link = undefined;
    for (const call of this.#flying.values()) {
      if (call.sentOn !== link) continue;
      this.#land(call);
      if (call.isOnce)
        this.#end(call).reject(gone(`the connection was cut: whether ${call.type} was done is not known`));
      else this.#waiting.push(call);
    }
    this.#waiting = this.#waiting.filter((call) => {
      if (call.link !== link) return true;
      this.#end(call).reject(gone("the connection was cut"));
      return false;
    });
    this.#sort();
    this.#pump();
  }

  /** Nothing will be sent any more. */
  failAll(error: StarlingError): void {
    const calls = [...this.#flying.values(), ...this.#waiting];
    this.#link = undefined;
    this.#flying.clear();
    this.#busyLanes.clear();
    this.#waiting = [];
    this.#pausedUntil.all = this.#pausedUntil.messages = 0;
    this.#settings.clock.clearTimeout(this.#resume);
    for (const call of calls) this.#end(call).reject(error);
  }

  #count(isMessage: boolean): number {
    const counts = (call: Call) => (call.lane !== undefined) === isMessage;
    return this.#waiting.filter(counts).length + [...this.#flying.values()].filter(counts).length;
  }

  #pump(): void {
    const now = this.#settings.clock.now();
    this.#waiting = this.#waiting.filter((call) => {
      const link = call.link ?? this.#link;
      if (!link?.isOpen || now < this.#pausedUntil.all || !this.#mayFly(call, link, now)) return true;
      try {
        link.send({ type: call.type, id: call.id, data: call.data });
      } catch (error) {
        this.#end(call).reject(error as StarlingError);
        return false;
      }
      call.sentOn = link;
      this.#flying.set(call.id, call);
      if (call.lane !== undefined) this.#busyLanes.add(call.lane);
      return false;
    });
  }

  #mayFly({ lane }: Call, link: Link, now: number): boolean {
    if (lane === undefined) return true;
    const limit = link.welcome?.limits.maxUnacked ?? 1;
    return now >= this.#pausedUntil.messages && !this.#busyLanes.has(lane) && this.#busyLanes.size < limit;
  }

  #refused(call: Call, body: ErrorBody): void {
    const { clock, random } = this.#settings;
    const waitMs = (body.retryAfterMs ?? RETRY_MS) * (1 + random() * RETRY_SPREAD);
    const again = clock.now() + waitMs;
    const isForNow = body.code === "unavailable" || body.code === "rate_limited";
    if (!isForNow || again >= call.endsAt) {
      this.#end(call).reject(StarlingError.from(body));
      return;
    }
    const kind = call.lane === undefined ? "all" : "messages";
    this.#pausedUntil[kind] = Math.max(this.#pausedUntil[kind], again);
    this.#waiting.push(call);
    this.#sort();
    clock.clearTimeout(this.#resume);
    this.#schedule();
  }

  /** One timer, for whichever pause ends first. */
  #schedule(): void {
    const { clock } = this.#settings;
    const now = clock.now();
    const ends = Object.values(this.#pausedUntil).filter((end) => end > now);
    if (!ends.length) return;
    this.#resume = clock.setTimeout(
      () => {
        // In this order: a timer may be early, and the clock moves on. What is over when the next timer is chosen is
        // over when the queue is looked at.
        this.#schedule();
        this.#pump();
      },
      Math.min(...ends) - now,
    );
  }

  #expire(call: Call): void {
    this.#land(call);
    this.#waiting = this.#waiting.filter((other) => other !== call);
    const error =
      call.lane === undefined
        ? new StarlingError("timeout", `${call.type} was not answered in time`)
        : new StarlingError("expired", "the message could not be sent in time");
    this.#end(call).reject(error);
    this.#pump();
  }

  /** Not under way any more. */
  #land(call: Call): void {
    if (this.#flying.delete(call.id) && call.lane !== undefined) this.#busyLanes.delete(call.lane);
  }

  /** Not waited for any more. */
  #end(call: Call): Call {
    this.#settings.clock.clearTimeout(call.timer);
    return call;
  }

  #sort(): void {
    this.#waiting.sort((a, b) => a.id - b.id);
  }
}
