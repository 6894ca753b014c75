import type { StarlingError } from "./error.js";
import { Messages, type RoomMessage } from "./messages.js";
import type { Settings } from "./options.js";
import { Members, Typing } from "./people.js";
import type { LiveRoom } from "./protocol/commands.js";
import type { DurableData, DurableEnvelope, EphemeralEvents } from "./protocol/events.js";
import type { ListedRoom, MemberView, Role, RoomView, UserPresence } from "./protocol/model.js";
import { Store } from "./store.js";

/** How this client stands to a room: not yet followed, followed live, or out of reach (left, removed, refused). */
export type RoomStatus = "idle" | "live" | "gone";

/** A room as an application shows it. Immutable. */
export interface RoomSnapshot {
  readonly roomId: string;
  readonly status: RoomStatus;
  /** Missed events are on their way. */
  readonly isCatchingUp: boolean;
  /** A `join` is under way. */
  readonly isJoining: boolean;
  /** Name, kind and so on: after `join`, `createRoom` or `loadRooms`. */
  readonly info: RoomView | undefined;
  readonly role: Role | undefined;
  /** Oldest first; those that are not sent yet at the end. */
  readonly messages: readonly RoomMessage[];
  /** Whether `loadOlder` would find more. */
  readonly hasMore: boolean;
  /** A `loadOlder` is under way. */
  readonly isLoadingOlder: boolean;
  /** As far as `loadMembers` was called. */
  readonly members: readonly MemberView[];
  readonly hasMoreMembers: boolean;
  /** Users who are typing, without the own one. */
  readonly typing: readonly string[];
  /** Messages by others after the read marker. */
  readonly unread: number;
  /** Those of them that mention the user. */
  readonly mentions: number;
  /** Users who followed the room live when it was joined. */
  readonly onlineCount: number | undefined;
  /** In small rooms: up to which seq the others have read. */
  readonly receipts: Readonly<Record<string, number>>;
  /** Why the room is out of reach, or could not be joined. */
  readonly error: StarlingError | undefined;
}

/** How much is unread. */
export interface UnreadCounts {
  /** Messages by others after the read marker. */
  readonly unread: number;
  /** Those of them that mention the user. */
  readonly mentions: number;
}

/** What is known of one room, and what events make of it. */
export class RoomState extends Store<RoomSnapshot> {
  readonly roomId: string;
  readonly #me: () => string | undefined;
  readonly #counted: () => void;
  readonly messages: Messages;
  readonly members = new Members();
  readonly typing: Typing;
  status: RoomStatus = "idle";
  #isCatchingUp = false;
  #isJoining = false;
  #isLoadingOlder = false;
  #info: RoomView | undefined;
  #role: Role | undefined;
  #counts: UnreadCounts = { unread: 0, mentions: 0 };
  /** The counts are of this seq: events up to it are in them. */
  #countedTo = 0;
  #onlineCount: number | undefined;
  #receipts: Record<string, number> = {};
  #error: StarlingError | undefined;

  constructor(
    roomId: string,
    { clock }: Settings,
    me: () => string | undefined,
    /** What is unread changed. */
    counted: () => void,
  ) {
    super();
    this.#counted = counted;
    this.roomId = roomId;
    this.#me = me;
    // Until somebody looks, the last message is enough: for a list of rooms.
    this.messages = new Messages(1);
    this.typing = new Typing(clock, () => this.touch());
  }

  /** Something in `messages` or `members` was changed. */
  touch(): void {
    this.changed();
  }

  /** The server said how the room is. */
  describe({ role, unread, mentions, ...info }: ListedRoom, onlineCount = this.#onlineCount): void {
    this.#info = info;
    this.#onlineCount = onlineCount;
    this.#role = role ?? this.#role;
    if (unread !== undefined && mentions !== undefined) this.count({ unread, mentions }, info.head);
    this.changed();
  }

  /** Followed live from here on. */
  begin({ head, unread, mentions }: LiveRoom): void {
    this.status = "live";
    this.#error = undefined;
    this.count({ unread, mentions }, head);
  }

  setCatchingUp(isCatchingUp: boolean): void {
    this.#isCatchingUp = isCatchingUp;
    this.changed();
  }

  /** A `join` begins, or ends. */
  setJoining(isJoining: boolean, error?: StarlingError): void {
    this.#isJoining = isJoining;
    this.#error = error;
    this.changed();
  }

  setLoadingOlder(isLoadingOlder: boolean): void {
    this.#isLoadingOlder = isLoadingOlder;
    this.changed();
  }

  /** What is unread, without building all of the rest. */
  get counts(): UnreadCounts {
    return this.#counts;
  }

  /** Out of reach. */
  end(error?: StarlingError): void {
    this.status = "gone";
    this.#isCatchingUp = false;
    this.#error = error;
    this.members.clear();
    this.typing.clear();
    this.changed();
  }

  /** The server counted, when the room's last event was `head`. */
  count({ unread, mentions }: UnreadCounts, head: number): void {
    this.#setCounts({ unread, mentions });
    this.#countedTo = Math.max(this.#countedTo, head);
    this.changed();
  }

  /** What was applied is not true any more. */
  restart(): void {
    this.messages.clear();
    this.members.clear();
    this.changed();
  }

  /** A durable event: each once, in order. */
  apply(event: DurableEnvelope): void {
    this.status = "live";
    this.members.apply(event);
    const { data } = event;
    switch (event.type) {
      case "message_created":
        this.typing.set(data.senderId, false);
        this.#countNew(event.data);
        this.messages.add(event.data);
        break;
      case "message_deleted":
        this.#countDeleted(event.data);
        this.messages.refer(event);
        break;
      case "message_updated":
      case "reaction_added":
      case "reaction_removed":
        this.messages.refer(event);
        break;
      case "member_joined":
        this.#countMembers(data.seq, 1);
        if (event.data.userId === this.#me()) this.#role = event.data.role;
        break;
      case "member_left":
      case "member_kicked":
      case "member_banned":
        this.#countMembers(data.seq, -1);
        break;
      case "member_role_changed":
        if (event.data.userId === this.#me()) this.#role = event.data.role;
        break;
      case "room_updated":
        this.#updateInfo(event.data);
    }
    this.changed();
  }

  /** Who types; one's own other devices are left out. */
  setTyping({ userId, isTyping }: EphemeralEvents["typing"]): void {
    if (userId !== this.#me()) this.typing.set(userId, isTyping);
  }

  /** A read marker moved. */
  setRead({ userId, seq, unread, mentions }: EphemeralEvents["read_updated"]): void {
    if (userId === this.#me()) {
      if (unread !== undefined && mentions !== undefined) this.count({ unread, mentions }, 0);
    } else {
      this.#receipts = { ...this.#receipts, [userId]: seq };
      this.changed();
    }
  }

  /** Somebody's presence changed. */
  see(users: readonly UserPresence[]): void {
    if (users.filter((user) => this.members.see(user)).length) this.changed();
  }

  protected override build(): RoomSnapshot {
    return {
      roomId: this.roomId,
      status: this.status,
      isCatchingUp: this.#isCatchingUp,
      isJoining: this.#isJoining,
      info: this.#info,
      role: this.#role,
      messages: this.messages.list(),
      hasMore: this.messages.hasMore,
      isLoadingOlder: this.#isLoadingOlder,
      members: this.members.list(),
      hasMoreMembers: this.members.hasMore,
      typing: this.typing.list(),
      ...this.#counts,
      onlineCount: this.#onlineCount,
      receipts: this.#receipts,
      error: this.#error,
    };
  }

  #countNew({ seq, senderId, mentions }: DurableData<"message_created">): void {
    if (seq > this.#countedTo && senderId !== this.#me()) this.#addCounts(1, mentions);
  }

  /** The unread ones are the last of others' messages: a deleted one was unread if it was among them. */
  #countDeleted({ seq, refSeq }: DurableData<"message_deleted">): void {
    const message = this.messages.get(refSeq);
    const me = this.#me();
    if (!message || message.deletedAt || message.senderId === me || seq <= this.#countedTo) return;
    if (this.messages.countOthers(refSeq, me) <= this.#counts.unread) this.#addCounts(-1, message.mentions);
  }

  #addCounts(by: number, mentioned: readonly string[] = []): void {
    const { unread, mentions } = this.#counts;
    const isMe = mentioned.includes(this.#me() ?? "");
    this.#setCounts({ unread: Math.max(0, unread + by), mentions: Math.max(0, mentions + (isMe ? by : 0)) });
  }

  #setCounts(counts: UnreadCounts): void {
    this.#counts = counts;
    this.#counted();
  }

  #countMembers(seq: number, by: number): void {
    const info = this.#info;
    if (info && seq > info.head) this.#info = { ...info, memberCount: info.memberCount + by };
  }

  #updateInfo({ name, description, maxMembers, settings }: DurableData<"room_updated">): void {
    const info = this.#info;
    if (!info) return;
    this.#info = {
      ...info,
      name: name ?? info.name,
      description: description ?? info.description,
      maxMembers: maxMembers ?? info.maxMembers,
      settings: settings ?? info.settings,
    };
  }
}
