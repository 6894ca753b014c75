import type { StarlingError } from "./error.js";
import type { NewMessage, Sent } from "./protocol/commands.js";
import type { DurableData, DurableEnvelope } from "./protocol/events.js";
import type { Message, ReactionCount } from "./protocol/model.js";

/** A message as an application shows it. One that is not sent yet has no `seq` and no `messageId`. */
export interface RoomMessage extends Omit<Message, "seq" | "messageId"> {
  readonly seq?: number;
  readonly messageId?: string;
  /** The same before and after it was sent, for lists in user interfaces. */
  readonly key: string;
  readonly state: "sending" | "sent" | "failed";
  /** Why it failed. */
  readonly error?: StarlingError;
}

type SentMessage = RoomMessage & { readonly seq: number };
type Change = (message: SentMessage) => SentMessage;
type RefEvent = Extract<DurableEnvelope, { data: { refSeq: number } }>;

const keyOf = (m: { senderId: string; clientId?: string; messageId?: string }) =>
  m.clientId === undefined ? String(m.messageId) : `${m.senderId} ${m.clientId}`;

/** What the server says of a message, to be shown. */
function shown(message: Message): SentMessage {
  return { ...message, key: keyOf(message), state: "sent" };
}

function created(data: DurableData<"message_created">): SentMessage {
  const { cursor, eventId, ...message } = data;
  return shown({ ...message, replyCount: 0 });
}

/** Adds or takes a reaction; doing it twice is the same as once. */
function reacted(message: SentMessage, emoji: string, user: string, adds: boolean): SentMessage {
  const before: ReactionCount = message.reactions?.[emoji] ?? { count: 0, users: [] };
  const isThere = before.users.includes(user);
  // Only the first users are named: one beyond them is taken off the count.
  const isUnnamed = before.count > before.users.length;
  if (adds ? isThere : !isThere && !isUnnamed) return message;
  const users = adds ? [...before.users, user] : before.users.filter((other) => other !== user);
  const count = before.count + (adds ? 1 : -1);
  const { [emoji]: _, ...others } = message.reactions ?? {};
  return { ...message, reactions: count > 0 ? { ...others, [emoji]: { count, users } } : others };
}

function changeOf(event: RefEvent): Change {
  const { data } = event;
  switch (event.type) {
    case "message_updated":
      return (message) => ({ ...message, content: event.data.content, editedAt: data.createdAt });
    case "message_deleted":
      return ({ attachments, mentions, metadata, reactions, ...rest }) => ({
        ...rest,
        content: "",
        deletedAt: data.createdAt,
      });
    default:
      return (message) => reacted(message, event.data.emoji, data.senderId, event.type === "reaction_added");
  }
}

/** Messages of one room that are shown without being sent: the queue's bound, and as many that failed. */
const UNSENT_LIMIT = 500;

/**
 * The messages of a room that are loaded: one stretch without a hole up to the present, and behind it those that are
 * not sent yet. Messages are replaced, never changed.
 */
export class Messages {
  /** By seq. */
  #sent: SentMessage[] = [];
  #unsent: RoomMessage[] = [];
  #list: readonly RoomMessage[] | undefined;
  /** What the unsent ones say, as it was given, by client id. */
  readonly #drafts = new Map<string, NewMessage>();
  /** Seqs that an answer told: their event is still to come. */
  readonly #acked = new Set<number>();
  /** While pages are under way: what happened to messages that they may hold. */
  #missed: RefEvent[] | undefined;
  #pagesUnderWay = 0;
  /** How many may stay. Live messages push out the oldest; what was paged in adds to it. */
  limit: number;
  hasMore = true;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** All, in order; the same array until something changes. */
  list(): readonly RoomMessage[] {
    this.#list ??= [...this.#sent, ...this.#unsent];
    return this.#list;
  }

  /** Seq of the oldest one loaded. */
  get firstSeq(): number | undefined {
    return this.#sent[0]?.seq;
  }

  /** Seq of the newest one sent. */
  get lastSeq(): number | undefined {
    return this.#sent.at(-1)?.seq;
  }

  get(seq: number): SentMessage | undefined {
    const message = this.#sent[this.#find(seq)];
    return message?.seq === seq ? message : undefined;
  }

  /** How many of others' messages are loaded from this seq on. */
  countOthers(seq: number, user: string | undefined): number {
    return this.#sent.filter((m) => m.seq >= seq && m.senderId !== user && !m.deletedAt).length;
  }

  // ---- what the server says ---------------------------------------------------------------------------------

  /** A new message. */
  add(data: DurableData<"message_created">): void {
    const { seq, thread } = data;
    this.#arrived(data);
    // What an answer or a page told earlier is complete already, but for what only the server knows of our own.
    const isAcked = this.#acked.delete(seq);
    if (!isAcked && this.get(seq)) return;
    this.#put(created(data));
    if (thread !== undefined) this.#change(thread, (m) => ({ ...m, replyCount: m.replyCount + 1 }));
    this.#trim();
  }

  /** Something happened to a message. */
  refer(event: RefEvent): void {
    const { refSeq } = event.data;
    const before = this.get(refSeq);
    if (!before) {
      this.#missed?.push(event);
      return;
    }
    this.#change(refSeq, changeOf(event));
    if (event.type === "message_deleted" && !before.deletedAt && before.thread !== undefined) {
      this.#change(before.thread, (m) => ({ ...m, replyCount: Math.max(0, m.replyCount - 1) }));
    }
  }

  /** Asks for a page; what happens to its messages before it comes is applied to it by {@link merge}. */
  async page<T extends { messages: readonly Message[] }>(fetch: () => Promise<T>): Promise<T> {
    this.#missed ??= [];
    this.#pagesUnderWay += 1;
    try {
      return await fetch();
    } catch (error) {
      if (this.#pagesUnderWay === 1) this.#missed = undefined;
      throw error;
    } finally {
      this.#pagesUnderWay -= 1;
    }
  }

  /** Takes in what was loaded; how many are new. Events keep those that we have up to date. */
  merge(messages: readonly Message[]): number {
    let added = 0;
    for (const message of messages) {
      const isThere = this.get(message.seq) !== undefined;
      if (!isThere) added += 1;
      if (!isThere || this.#acked.has(message.seq)) this.#put(shown(message));
      this.#acked.delete(message.seq);
      this.#arrived(message);
    }
    const missed = this.#missed ?? [];
    if (!this.#pagesUnderWay) this.#missed = undefined;
    for (const event of missed) this.refer(event);
    return added;
  }

  /** Forgets what the server said; it is to be loaded anew. */
  clear(): void {
    this.#sent = [];
    this.#list = undefined;
    this.#acked.clear();
    this.hasMore = true;
  }

  // ---- our own ----------------------------------------------------------------------------------------------

  /** Shows a message that is on its way. */
  start(roomId: string, senderId: string, clientId: string, message: NewMessage, createdAt: string): void {
    const unsent: RoomMessage = {
      contentType: "text/plain",
      ...message,
      roomId,
      senderId,
      clientId,
      replyCount: 0,
      createdAt,
      key: keyOf({ senderId, clientId }),
      state: "sending",
    };
    // Those that failed wait for the user; when there are very many, the oldest is let go.
    const isFull = this.#unsent.length >= UNSENT_LIMIT;
    const oldest = isFull ? this.#unsent.find((m) => m.state === "failed") : undefined;
    this.#drafts.set(clientId, message);
    this.#setUnsent([...this.#unsent.filter((m) => m !== oldest), unsent]);
  }

  /** It was stored. Its event may have come before, or comes later. */
  sent(clientId: string, { seq, messageId, createdAt }: Sent): void {
    const message = this.#unsent.find((m) => m.clientId === clientId);
    if (!message) return;
    this.#setUnsent(this.#unsent.filter((m) => m !== message));
    if (this.get(seq) || seq < (this.firstSeq ?? 0)) return;
    const { error, ...rest } = message;
    this.#acked.add(seq);
    this.#put({ ...rest, seq, messageId, createdAt, state: "sent" });
  }

  /** It was not stored. */
  failed(clientId: string, error: StarlingError): void {
    this.#setUnsent(
      this.#unsent.map((m) => (m.clientId === clientId ? { ...m, state: "failed", error } : m)),
    );
  }

  /** A message that failed, to be sent again or given up. */
  takeFailed(clientId: string): NewMessage | undefined {
    const failed = this.#unsent.find((m) => m.clientId === clientId && m.state === "failed");
    const draft = failed && this.#drafts.get(clientId);
    if (draft) this.#setUnsent(this.#unsent.filter((m) => m !== failed));
    return draft;
  }

  // ---- places -----------------------------------------------------------------------------------------------

  #setUnsent(unsent: RoomMessage[]): void {
    this.#unsent = unsent;
    this.#list = undefined;
    for (const clientId of this.#drafts.keys()) {
      if (!unsent.some((m) => m.clientId === clientId)) this.#drafts.delete(clientId);
    }
  }

  #put(message: SentMessage): void {
    this.#list = undefined;
    const at = this.#find(message.seq);
    this.#sent.splice(at, this.#sent[at]?.seq === message.seq ? 1 : 0, message);
  }

  /** Whatever we show as not sent is there. */
  #arrived({ senderId, clientId }: { senderId: string; clientId?: string }): void {
    this.#setUnsent(this.#unsent.filter((m) => m.senderId !== senderId || m.clientId !== clientId));
  }

  #change(seq: number, change: Change): void {
    const message = this.get(seq);
    if (message) this.#put(change(message));
  }

  #trim(): void {
    const over = this.#sent.length - this.limit;
    if (over <= 0) return;
    this.#sent.splice(0, over);
    this.hasMore = true;
  }

  /** Index of the first one with at least this seq. New ones come at the end, mostly. */
  #find(seq: number): number {
    let from = 0;
    let to = this.#sent.length;
    if (!to || (this.#sent[to - 1] as SentMessage).seq < seq) return to;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#sent[middle] as SentMessage).seq < seq) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
