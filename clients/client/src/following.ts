import type { CallOptions } from "./calls.js";
import { StarlingError } from "./error.js";
import type { Link } from "./link.js";
import type { Position, Settings } from "./options.js";
import type { CommandData, CommandReply, FailedRoom, LiveRoom } from "./protocol/commands.js";
import type { DurableEnvelope, Gap } from "./protocol/events.js";
import { Timeline } from "./timeline.js";

/** What following asks of its session. */
export interface FollowingContext {
  readonly userId: string | undefined;
  request<T extends "subscribe" | "fetch_events">(
    type: T,
    data: CommandData<T>,
    options?: CallOptions,
  ): Promise<CommandReply<T>>;
  /** Each event once, in the order of its room. */
  applied(event: DurableEnvelope): void;
  /** A room is followed live. */
  began(room: LiveRoom): void;
  /** A room is out of reach. */
  ended(roomId: string, error?: StarlingError): void;
  /** What was applied of a room is void. */
  restarted(roomId: string): void;
  caughtUp(roomId: string, isCatchingUp: boolean): void;
  failed(error: unknown): void;
}

/** Rooms in one command, so that the longest ids fit in a frame. */
const CHUNK = 200;
const RETRY_MS = 1_000;
/** The room of announcements to everybody. */
const ANNOUNCEMENTS = "@all";
const GONE = new Set(["member_left", "member_kicked", "member_banned"]);

/** Which rooms are followed, and where the client stands in each. */
export class Following {
  readonly #settings: Settings;
  readonly #context: FollowingContext;
  readonly #timelines = new Map<string, Timeline>();

  constructor(settings: Settings, context: FollowingContext) {
    this.#settings = settings;
    this.#context = context;
    for (const roomId of Object.keys(settings.positions)) this.get(roomId);
  }

  /** The order of a room. */
  get(roomId: string): Timeline {
    let timeline = this.#timelines.get(roomId);
    if (!timeline) {
      const context = this.#context;
      timeline = new Timeline(
        this.#settings,
        {
          apply: (event) => this.#apply(event),
          fetch: (after, limit) => context.request("fetch_events", { roomId, after, limit }),
          restart: () => context.restarted(roomId),
          changed: (isCatchingUp) => context.caughtUp(roomId, isCatchingUp),
          refused: (error) => this.end(roomId, error),
        },
        this.#settings.positions[roomId],
      );
      this.#timelines.set(roomId, timeline);
    }
    return timeline;
  }

  /** The user's own notifications, and everybody's. */
  inboxes(userId = this.#context.userId): readonly string[] {
    return userId === undefined ? [] : [`@${userId}`, ANNOUNCEMENTS];
  }

  /** Where to go on. */
  positions(): Record<string, Position> {
    const positions: Record<string, Position> = {};
    for (const [roomId, { position, isGone }] of this.#timelines) {
      if (position && !isGone) positions[roomId] = position;
    }
    return positions;
  }

  /** An event came, live or replayed. */
  take(event: DurableEnvelope): void {
    const timeline = this.get(event.data.roomId);
    // When a room was left, more may be on its way. But another device may have come back to it.
    if (!timeline.isGone || (event.type === "member_joined" && this.#isOfUser(event))) timeline.take(event);
  }

  gap(gap: Gap): void {
    this.get(gap.roomId).gap(gap);
  }

  /** The cursor to begin from, if there is one. */
  cursor(roomId: string): string | undefined {
    const timeline = this.get(roomId);
    if (timeline.isGone) timeline.stop();
    return timeline.position?.cursor;
  }

  /** A room is followed, from the cursor `sent`. */
  begin(room: LiveRoom, sent: string | undefined): void {
    this.#context.began(room);
    this.get(room.roomId).begun(room, sent);
  }

  /** A room is not followed any more. */
  end(roomId: string, error?: StarlingError): void {
    this.get(roomId).isGone = true;
    this.#context.ended(roomId, error);
  }

  /** Follows rooms by name; the refusals. */
  async follow(roomIds: readonly string[], link?: Link): Promise<StarlingError[]> {
    const errors: StarlingError[] = [];
    for (let at = 0; at < roomIds.length; at += CHUNK) {
      const sent: Record<string, string> = {};
      const rooms = roomIds.slice(at, at + CHUNK).map((roomId) => {
        const cursor = this.cursor(roomId);
        if (cursor === undefined) return { roomId };
        sent[roomId] = cursor;
        return { roomId, cursor };
      });
      errors.push(...(await this.#subscribe({ rooms }, sent, link)));
    }
    return errors;
  }

  /** Brings a new session to where the client stands; goes on until that is done or the link is gone. */
  async resume(link: Link): Promise<void> {
    const { followAll, clock } = this.#settings;
    const inboxes = followAll ? this.inboxes(link.welcome?.userId) : [];
    const positions = this.positions();
    const known = Object.keys(positions).filter((roomId) => !inboxes.includes(roomId));
    // With `all`, the first cursors go beside it; the others by name, like what `all` leaves out.
    const beside = followAll ? known.splice(0, CHUNK) : [];
    const cursors = Object.fromEntries(beside.map((roomId) => [roomId, positions[roomId]?.cursor ?? ""]));
    const steps = [() => this.follow([...inboxes, ...known], link)];
    if (followAll) steps.push(() => this.#subscribe({ all: true, cursors }, cursors, link));
    const untilDone = async (step: () => Promise<unknown>): Promise<void> => {
      while (link.isOpen) {
        try {
          await step();
          return;
        } catch (error) {
          this.#context.failed(error);
          await new Promise<void>((resolve) => clock.setTimeout(resolve, RETRY_MS));
        }
      }
    };
    await Promise.all(steps.map(untilDone));
  }

  async #subscribe(
    data: CommandData<"subscribe">,
    sent: Readonly<Record<string, string>>,
    link: Link | undefined,
  ): Promise<StarlingError[]> {
    const errors: StarlingError[] = [];
    const again: string[] = [];
    let waitMs = 0;
    const took = (reply: unknown) => {
      for (const room of (reply as CommandReply<"subscribe">).rooms) {
        const { roomId } = room;
        if (!("error" in room)) this.begin(room, sent[roomId]);
        else if (this.#isForNow(room, sent)) {
          again.push(roomId);
          waitMs = Math.max(waitMs, room.error.retryAfterMs ?? 0);
        } else {
          const error = StarlingError.from(room.error);
          errors.push(error);
          this.end(roomId, error);
        }
      }
    };
    await this.#context.request("subscribe", data, { took, ...(link && { link }) });
    if (!again.length) return errors;
    await new Promise<void>((resolve) => this.#settings.clock.setTimeout(resolve, waitMs));
    return [...errors, ...(await this.follow(again, link))];
  }

  /** Whether a room's refusal may be another one the next time. */
  #isForNow({ roomId, error }: FailedRoom, sent: Readonly<Record<string, string>>): boolean {
    const isBadCursor = error.code === "invalid_message" && sent[roomId] !== undefined;
    if (isBadCursor) this.get(roomId).stop();
    return isBadCursor || error.code === "unavailable" || error.code === "rate_limited";
  }

  #apply(event: DurableEnvelope): void {
    const { type, data } = event;
    const isOver = type === "room_deleted" || (GONE.has(type) && this.#isOfUser(event));
    this.get(data.roomId).isGone = isOver;
    this.#context.applied(event);
    if (isOver) this.#context.ended(data.roomId);
  }

  #isOfUser({ data }: DurableEnvelope): boolean {
    return "userId" in data && data.userId === this.#context.userId;
  }
}
