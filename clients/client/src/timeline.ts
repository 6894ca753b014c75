import type { StarlingError } from "./error.js";
import type { Position, Settings } from "./options.js";
import type { DurableEnvelope, Gap } from "./protocol/events.js";

/** What a timeline asks of its room. */
export interface TimelineHandlers {
  /** Each event once, in order. */
  apply(event: DurableEnvelope): void;
  fetch(after: number, limit: number): Promise<{ events: readonly DurableEnvelope[]; hasMore: boolean }>;
  /** Too much was missed, or history was rewritten: forget what was applied, load the present. */
  restart(): void;
  /** Catching up began or ended. */
  changed(isCatchingUp: boolean): void;
  /** The room may not be read any more. */
  refused(error: StarlingError): void;
}

/** Where a subscription begins, as `subscribe` and `join_room` say it. */
export interface Head {
  head: number;
  cursor: string;
  limited?: boolean;
}

/** Events of one `fetch_events`: not the most that the server gives, since the longest would make a very long frame. */
const PAGE = 200;
/** Events that wait while a page is under way. What does not fit is paged later: nothing is lost. */
const HOLD_LIMIT = 1_000;
/** Between attempts to page while the server or the connection is away, or a row is not yet to be seen. */
const RETRY_MS = 1_000;
const MISSING_TRIES = 3;
/** Refusals that waiting does not change. */
const FINAL = new Set(["not_member", "not_found", "forbidden", "banned", "invalid_message"]);

/**
 * The order of one room: every event once, by seq, from whatever it comes: live on one link or two, replayed, or paged.
 * What comes early is held until what is missing was paged.
 */
export class Timeline {
  readonly #settings: Settings;
  readonly #handlers: TimelineHandlers;
  readonly #held = new Map<number, DurableEnvelope>();
  /** Seq of the last event applied; -1 before anything is known. */
  #seq = -1;
  #cursor: string | undefined;
  /** Everything up to here is to be there. */
  #target = 0;
  #isHealing = false;
  /** The room is out of reach: left, removed from, closed or refused. */
  isGone = false;
  /** Counts rewinds and resets: a page that was asked for before is of another history. */
  #epoch = 0;

  constructor(settings: Settings, handlers: TimelineHandlers, position?: Position) {
    this.#settings = settings;
    this.#handlers = handlers;
    if (position) {
      this.#seq = position.seq;
      this.#cursor = position.cursor;
    }
  }

  /** Seq of the last event applied; -1 before anything is known. */
  get seq(): number {
    return this.#seq;
  }

  /** Where to resume. */
  get position(): Position | undefined {
    return this.#cursor === undefined ? undefined : { seq: this.#seq, cursor: this.#cursor };
  }

  /** An event came. */
  take(event: DurableEnvelope): void {
    const { seq } = event.data;
    if (this.#seq < 0) this.#seq = seq - 1;
    if (seq <= this.#seq) return;
    if (seq === this.#seq + 1) {
      this.#apply(event);
      this.#drain();
      return;
    }
    const fits = this.#held.size < HOLD_LIMIT;
    if (fits) this.#held.set(seq, event);
    this.#heal(fits ? seq - 1 : seq);
  }

  /** A subscription began; `sent` is the cursor that was sent, if one was. */
  begun({ head, cursor, limited }: Head, sent: string | undefined): void {
    this.isGone = false;
    // Else what was missed follows, or a gap does.
    if (this.#seq < 0 || limited || sent === undefined) this.#reach(head, cursor);
  }

  /** The server says that it leaves out a range, or that the history was rewritten. */
  gap({ to, rewindTo, cursor }: Gap): void {
    if (rewindTo !== undefined && rewindTo < this.#seq) {
      this.#held.clear();
      // The old cursor stays until an event brings a new one: if this connection is cut now, the next server sees in it
      // that the history was rewritten, and says so again.
      this.#moveTo(rewindTo, to > rewindTo ? this.#cursor : cursor);
      this.#handlers.restart();
    }
    this.#reach(to, cursor);
  }

  /** The room is not followed any more; it begins anew when it is. */
  stop(): void {
    this.#held.clear();
    this.#moveTo(-1, undefined);
  }

  /** Makes sure that everything up to `seq` is there: by paging, or by loading the present where that is too much. */
  #reach(seq: number, cursor: string): void {
    const isNew = this.#seq < 0;
    if (isNew || seq - this.#seq > this.#settings.catchUpLimit) {
      this.#moveTo(seq, cursor);
      if (!isNew) this.#handlers.restart();
      this.#drain();
    } else this.#heal(seq);
  }

  #moveTo(seq: number, cursor: string | undefined): void {
    this.#epoch += 1;
    this.#seq = seq;
    this.#cursor = cursor;
    this.#target = 0;
  }

  #apply(event: DurableEnvelope): void {
    this.#seq = event.data.seq;
    this.#cursor = event.data.cursor;
    this.#handlers.apply(event);
  }

  #drain(): void {
    if (!this.#held.size) return;
    for (let next = this.#held.get(this.#seq + 1); next; next = this.#held.get(this.#seq + 1)) {
      this.#apply(next);
    }
    for (const seq of this.#held.keys()) if (seq <= this.#seq) this.#held.delete(seq);
  }

  #heal(to: number): void {
    this.#target = Math.max(this.#target, to);
    if (this.#isHealing || this.#target <= this.#seq) return;
    this.#isHealing = true;
    this.#handlers.changed(true);
    void this.#page().then((isOver) => {
      this.#isHealing = false;
      this.#handlers.changed(false);
      // Something may have come while the last page was taken in.
      if (!isOver) this.#heal(0);
    });
  }

  /** Pages up to the target; true when it gave up. */
  async #page(): Promise<boolean> {
    let missing = 0;
    while (this.#seq >= 0 && this.#seq < this.#target) {
      const epoch = this.#epoch;
      let wait = 0;
      try {
        const { events } = await this.#handlers.fetch(this.#seq, PAGE);
        if (epoch !== this.#epoch) continue;
        // A page has no hole; where it begins later, retention has removed what was before it.
        for (const event of events) if (event.data.seq > this.#seq) this.#apply(event);
        this.#drain();
        if (events.length) missing = 0;
        else if (++missing < MISSING_TRIES) wait = RETRY_MS;
        else this.#seq = this.#target;
      } catch (error) {
        const { code } = error as StarlingError;
        if (epoch !== this.#epoch) continue;
        if (FINAL.has(code)) {
          this.stop();
          this.#handlers.refused(error as StarlingError);
        }
        if (FINAL.has(code) || code === "disconnected") return true;
        wait = RETRY_MS;
      }
      if (wait) await new Promise<void>((resolve) => this.#settings.clock.setTimeout(resolve, wait));
    }
    this.#drain();
    return false;
  }
}
