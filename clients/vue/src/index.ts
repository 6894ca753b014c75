/**
 * Vue for Starling: composables over the stores of `@starling/client`.
 *
 * Begin with {@link createStarling} in the application, or {@link provideStarling} in a component; then
 * {@link useRoom} and {@link useMessages}.
 *
 * @packageDocumentation
 */
export { useConnection } from "./connection.js";
export { ConnectionStatus } from "./connection-status.js";
export { useMembers } from "./members.js";
export { useMessages } from "./messages.js";
export { useNotifications } from "./notifications.js";
export { usePresence } from "./presence.js";
export { createStarling, provideStarling, type StarlingSource, useStarling } from "./provide.js";
export { type RoomOptions, useRoom } from "./room.js";
export { type Readable, useStore } from "./store.js";
export { useTyping } from "./typing.js";
export { useUnread } from "./unread.js";
