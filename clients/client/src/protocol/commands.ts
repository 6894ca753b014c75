import type { DurableEnvelope } from "./events.js";
import type {
  Attachment,
  Json,
  ListedRoom,
  MemberView,
  Message,
  OwnStatus,
  Role,
  RoomKind,
  RoomSettings,
  RoomView,
  UserPresence,
} from "./model.js";

/** What a new message says. */
export interface NewMessage {
  /** The text; may be empty with attachments. */
  content: string;
  /** MIME type; `text/plain` when left out. */
  contentType?: string;
  /** Seq of the message that it answers. */
  replyTo?: number;
  /** Seq of the first message of the thread that it goes to. */
  thread?: number;
  attachments?: readonly Attachment[];
  mentions?: readonly string[];
  metadata?: Json;
}

/** Data of `send_message`. */
export interface SendMessage extends NewMessage {
  roomId?: string;
  recipientId?: string;
  clientId?: string;
  echo?: boolean;
}

/** Reply to `send_message`, after the message is durable. */
export interface Sent {
  roomId: string;
  seq: number;
  messageId: string;
  createdAt: string;
  /** It was there already, under the same client id. */
  duplicate: boolean;
}

/** Data of `create_room`. */
export interface CreateRoom {
  roomId?: string;
  name: string;
  kind?: Exclude<RoomKind, "direct">;
  description?: string;
  maxMembers?: number;
  settings?: RoomSettings;
}

/** Reply to `join_room`. */
export interface Joined {
  room: RoomView;
  role: Role;
  /** Live delivery goes on behind this seq. */
  head: number;
  cursor: string;
  /** The last messages up to `head`, oldest first. */
  messages: readonly Message[];
  onlineCount: number;
  unread: number;
  mentions: number;
  limited?: boolean;
}

/** A room that is followed live. */
export interface LiveRoom {
  roomId: string;
  head: number;
  cursor: string;
  /** Too much was missed to be replayed: page from your cursor to `head`. */
  limited?: boolean;
  unread: number;
  mentions: number;
}

/** Data of an `error`. */
export interface ErrorBody {
  code: string;
  message: string;
  retryAfterMs?: number;
  details?: Json;
}

/** A room of a `subscribe` that is not followed. */
export interface FailedRoom {
  roomId: string;
  error: ErrorBody;
}

/** Reply to commands that append an event and have nothing else to say. */
export interface Appended {
  roomId: string;
  /** Absent when it was so already. */
  seq?: number;
}

/** Reply to `mark_read`. */
export interface ReadReply {
  roomId: string;
  seq: number;
  unread: number;
  mentions: number;
}

interface InRoom {
  roomId: string;
}

interface OnMessage extends InRoom {
  seq: number;
}

interface OnMember extends InRoom {
  userId: string;
  reason?: string;
}

interface Restrict extends OnMember {
  /** RFC 3339; for good where absent. */
  until?: string;
}

interface Page<K> {
  hasMore: boolean;
  /** To be given as `after`. */
  next?: K;
}

interface HistorySpan extends InRoom {
  before?: number;
  after?: number;
  around?: number;
  thread?: number;
  limit?: number;
}

interface Command<Data, Reply> {
  data: Data;
  reply: Reply;
}

type Nothing = Record<never, never>;

/** Every command: its data and what it is answered with. */
export interface Commands {
  authenticate: Command<{ token: string }, { userId: string }>;
  refresh_token: Command<{ token: string }, { expiresAt: string }>;
  ping: Command<Nothing, { serverTime: string }>;
  create_room: Command<CreateRoom, RoomView>;
  join_room: Command<InRoom & { cursor?: string; history?: number }, Joined>;
  leave_room: Command<InRoom, Appended>;
  subscribe: Command<
    {
      rooms?: readonly { roomId: string; cursor?: string }[];
      all?: boolean;
      cursors?: Readonly<Record<string, string>>;
    },
    { rooms: readonly (LiveRoom | FailedRoom)[] }
  >;
  unsubscribe: Command<{ roomIds: readonly string[] }, Nothing>;
  update_room: Command<InRoom & Partial<Omit<CreateRoom, "roomId" | "kind">>, RoomView>;
  delete_room: Command<InRoom, Appended>;
  invite: Command<InRoom & { userId: string; role?: Role }, Appended>;
  kick: Command<OnMember, Appended>;
  ban: Command<Restrict, Appended>;
  unban: Command<OnMember, Appended>;
  mute: Command<Restrict, Appended>;
  unmute: Command<OnMember, Appended>;
  set_role: Command<InRoom & { userId: string; role: Role }, Appended>;
  list_rooms: Command<
    { scope?: "joined" | "public"; after?: string; limit?: number },
    Page<string> & { rooms: readonly ListedRoom[] }
  >;
  list_members: Command<
    InRoom & { after?: string; limit?: number },
    Page<string> & { members: readonly MemberView[] }
  >;
  send_message: Command<SendMessage, Sent>;
  edit_message: Command<OnMessage & { content: string }, Appended>;
  delete_message: Command<OnMessage, Appended>;
  add_reaction: Command<OnMessage & { emoji: string }, Appended>;
  remove_reaction: Command<OnMessage & { emoji: string }, Appended>;
  mark_read: Command<OnMessage, ReadReply>;
  fetch_history: Command<HistorySpan, { messages: readonly Message[]; hasMore: boolean }>;
  fetch_events: Command<
    InRoom & { after?: number; limit?: number },
    { events: readonly DurableEnvelope[]; hasMore: boolean }
  >;
  typing_start: Command<InRoom, Nothing>;
  typing_stop: Command<InRoom, Nothing>;
  signal: Command<InRoom & { name: string; payload?: Json }, Nothing>;
  set_presence: Command<
    { status: OwnStatus; customStatus?: string | null },
    { status: OwnStatus; customStatus?: string | null }
  >;
  watch_presence: Command<{ userIds: readonly string[] }, { users: readonly UserPresence[] }>;
  unwatch_presence: Command<{ userIds: readonly string[] }, Nothing>;
}

/** The type of a command. */
export type CommandType = keyof Commands;
/** The data of a command. */
export type CommandData<T extends CommandType> = Commands[T]["data"];
/** What a command is answered with. */
export type CommandReply<T extends CommandType> = Commands[T]["reply"];
