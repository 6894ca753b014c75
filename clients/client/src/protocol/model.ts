/** Who may find and join a room. */
export type RoomKind = "public" | "private" | "direct";

/** What a member may do; a later one may do all that an earlier one may. */
export type Role = "guest" | "member" | "moderator" | "admin" | "owner";

/** A status that a user can set. */
export type OwnStatus = "online" | "away" | "busy" | "invisible";

/** A status that others see. */
export type Status = "offline" | "away" | "online" | "busy";

/** Any value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Settings of a room. Keys that the server does not know are the application's and are kept. */
export interface RoomSettings {
  /** A member below moderator writes at most once in so many seconds; 0 is off. */
  slowModeSeconds?: number;
  [key: string]: Json | undefined;
}

/** A room as clients see it. */
export interface RoomView {
  roomId: string;
  name: string;
  kind: RoomKind;
  description: string;
  maxMembers: number;
  memberCount: number;
  settings: RoomSettings;
  createdBy: string;
  createdAt: string;
  /** Seq of its last event. */
  head: number;
}

/** A room in a list; role and counts only in a list of joined rooms. */
export interface ListedRoom extends RoomView {
  role?: Role;
  unread?: number;
  mentions?: number;
}

/** A member of a room. */
export interface MemberView {
  userId: string;
  /** Display name when they joined. */
  name?: string;
  role: Role;
  joinedAt: string;
  /** Whether they may not write now. */
  muted?: boolean;
  /** Left out while presence is unavailable. */
  status?: Status;
}

/** A file that belongs to a message, by reference. */
export interface Attachment {
  url: string;
  name?: string;
  contentType?: string;
  size?: number;
}

/** One emoji under a message. */
export interface ReactionCount {
  count: number;
  /** The first users, at most 50. */
  users: readonly string[];
}

/** The present state of a message: edits applied, reactions counted, content gone when deleted. */
export interface Message {
  roomId: string;
  /** Its place in the room's order. */
  seq: number;
  messageId: string;
  senderId: string;
  senderName?: string;
  /** The writer's own id for it. */
  clientId?: string;
  content: string;
  contentType: string;
  /** Seq of the message that this one answers. */
  replyTo?: number;
  /** Seq of the first message of its thread. */
  thread?: number;
  /** Messages in the thread that it begins. */
  replyCount: number;
  attachments?: readonly Attachment[];
  mentions?: readonly string[];
  metadata?: Json;
  reactions?: Readonly<Record<string, ReactionCount>>;
  createdAt: string;
  editedAt?: string;
  deletedAt?: string;
}

/** What others see of a user. */
export interface UserPresence {
  userId: string;
  status: Status;
  customStatus: string | null;
  /** Null while they are connected and visible, or never were. */
  lastSeenAt: string | null;
}

/** What the server accepts. */
export interface Limits {
  maxFrameBytes: number;
  maxContentLength: number;
  /** For a user, over all nodes; 0 is no limit. */
  commandsPerMinute: number;
  messagesPerMinute: number;
  connectionsPerUser: number;
  /** Messages of a session that wait for their reply. */
  maxUnacked: number;
  roomsPerSession: number;
  maxWatched: number;
  replayEventsPerConnection: number;
}
