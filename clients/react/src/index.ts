/**
 * React for Starling: hooks over the stores of `@starling/client`, and components without styles.
 *
 * Begin with {@link StarlingProvider}, then {@link ChatRoom}, or {@link useRoom} and {@link useMessages} for a user
 * interface of your own.
 *
 * @packageDocumentation
 */
export { ChatRoom, type ChatRoomProps } from "./components/chat-room.js";
export { ConnectionStatus, type ConnectionStatusProps } from "./components/connection-status.js";
export { MessageInput, type MessageInputProps } from "./components/message-input.js";
export { type MessageActions, MessageItem, type MessageItemProps } from "./components/message-item.js";
export { MessageList, type MessageListProps } from "./components/message-list.js";
export { NotificationCenter, type NotificationCenterProps } from "./components/notification-center.js";
export { PresenceIndicator, type PresenceIndicatorProps } from "./components/presence-indicator.js";
export { UserList, type UserListProps } from "./components/user-list.js";
export { type ConnectionInfo, useConnection } from "./hooks/connection.js";
export { type Members, useMembers } from "./hooks/members.js";
export { type Messages, useMessages } from "./hooks/messages.js";
export { useNotifications } from "./hooks/notifications.js";
export { usePresence } from "./hooks/presence.js";
export { type RoomInfo, type RoomOptions, useRoom } from "./hooks/room.js";
export { type Readable, useStore } from "./hooks/store.js";
export { type TypingInfo, useTyping } from "./hooks/typing.js";
export { useUnread } from "./hooks/unread.js";
export { StarlingProvider, type StarlingProviderProps, useStarling } from "./provider.js";
