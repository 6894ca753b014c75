/**
 * Starling's client for browsers and Node.
 *
 * Begin with {@link Starling}: `connect`, then `join` a {@link Room}. Stores (`room`, `client.status`,
 * `client.presence`, `client.rooms`, `client.notifications`) have `subscribe` and `getSnapshot`.
 *
 * @packageDocumentation
 */
export { Starling } from "./client.js";
export type { CodecName } from "./codec.js";
export type { ConnectionState, ConnectionStatus } from "./connection.js";
export { Emitter, type Listener } from "./emitter.js";
export { type ErrorCode, StarlingError } from "./error.js";
export { guest } from "./guest.js";
export type { RoomMessage } from "./messages.js";
export type { Notification, Notifications } from "./notifications.js";
export type { Clock, Position, StarlingOptions, WebSocketConstructor, WebSocketLike } from "./options.js";
export type { Presence } from "./presence.js";
export type * from "./protocol/commands.js";
export type * from "./protocol/events.js";
export type * from "./protocol/model.js";
export type { Room } from "./room.js";
export { type Address, Session, type StarlingEvents } from "./session.js";
export type { RoomSnapshot, RoomStatus, UnreadCounts } from "./state.js";
export { Store } from "./store.js";
export type { TokenProvider } from "./token.js";
