import type { Attachment, Json, Limits, Role, RoomKind, RoomSettings, UserPresence } from "./model.js";

/** What every durable event has. */
export interface DurableBase {
  roomId: string;
  /** Dense in each room: 1, 2, 3 …, the same for every client. */
  seq: number;
  /** Where a client stands that has seen this event. Opaque. */
  cursor: string;
  eventId: string;
  senderId: string;
  senderName?: string;
  clientId?: string;
  createdAt: string;
}

interface OfMessage {
  /** Seq of the message that it is about. */
  refSeq: number;
}

interface OfMember {
  userId: string;
  /** Why, in the words of who did it. */
  reason?: string;
}

interface Restricted extends OfMember {
  /** Until when; for good where absent. */
  until?: string;
}

/** What the durable events say, beside {@link DurableBase}. */
export interface DurableBodies {
  message_created: {
    messageId: string;
    content: string;
    contentType: string;
    replyTo?: number;
    thread?: number;
    attachments?: readonly Attachment[];
    mentions?: readonly string[];
    metadata?: Json;
  };
  message_updated: OfMessage & { content: string };
  message_deleted: OfMessage;
  reaction_added: OfMessage & { emoji: string };
  reaction_removed: OfMessage & { emoji: string };
  member_joined: { userId: string; role: Role; name?: string };
  member_left: OfMember;
  member_invited: { userId: string; role: Role };
  member_kicked: OfMember;
  member_banned: Restricted;
  member_unbanned: { userId: string };
  member_muted: Restricted;
  member_unmuted: { userId: string };
  member_role_changed: { userId: string; role: Role };
  room_created: { name: string; kind: RoomKind };
  room_updated: { name?: string; description?: string; maxMembers?: number; settings?: RoomSettings };
  room_deleted: Record<never, never>;
  notification: { topic: string; payload: Json };
}

/** The type of a durable event. */
export type DurableType = keyof DurableBodies;
/** The data of a durable event. */
export type DurableData<T extends DurableType = DurableType> = DurableBase & DurableBodies[T];
/** A durable event with its type, as it comes. */
export type DurableEnvelope = { [T in DurableType]: { type: T; data: DurableData<T> } }[DurableType];

/** The first frame from the server. */
export interface Welcome {
  sessionId: string;
  userId: string;
  nodeId: string;
  serverTime: string;
  heartbeatMs: number;
  resumeWindow: number;
  limits: Limits;
}

/** Events of this range were not delivered and will not be. */
export interface Gap {
  roomId: string;
  from: number;
  to: number;
  /** The history that the client saw was rewritten: forget everything behind this seq. */
  rewindTo?: number;
  cursor: string;
}

/** Events that take no seq. */
export interface EphemeralEvents {
  welcome: Welcome;
  token_expiring: { expiresAt: string };
  typing: { roomId: string; userId: string; isTyping: boolean };
  signal: { roomId: string; senderId: string; name: string; payload: Json };
  presence_changed: { users: readonly UserPresence[] };
  read_updated: { roomId: string; userId: string; seq: number; unread?: number; mentions?: number };
  gap: Gap;
  lagging: { roomIds: readonly string[] };
  migrate: { afterMs: number };
  pong: { serverTime: string };
}

/** An event that takes no seq, with its type. */
export type EphemeralEnvelope = {
  [T in keyof EphemeralEvents]: { type: T; data: EphemeralEvents[T] };
}[keyof EphemeralEvents];
