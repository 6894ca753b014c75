import type { ReactNode } from "react";
import { type RoomInfo, useRoom } from "../hooks/room.js";
import { useTyping } from "../hooks/typing.js";
import { ConnectionStatus } from "./connection-status.js";
import { MessageInput } from "./message-input.js";
import { MessageList } from "./message-list.js";
import { classes, type Labels, type Props } from "./props.js";

const LABELS = {
  joining: "Joining…",
  join: "Join",
  gone: "You are not in this room any more",
  typing: (users: readonly string[]) =>
    users.length > 3
      ? "Several people are typing…"
      : `${users.join(", ")} ${users.length > 1 ? "are" : "is"} typing…`,
};

export type ChatRoomProps = Props<
  "section",
  Labels<typeof LABELS> & {
    roomId: string;
    /** Messages that it is joined with: 50 by default. */
    history?: number;
    /** What to show of the room instead of its name, connection, messages and input. */
    children?: ReactNode | ((room: RoomInfo) => ReactNode);
  }
>;

/** A whole room: joins it, shows its messages and who is typing, and sends. */
export function ChatRoom({
  roomId,
  history,
  labels,
  children,
  className,
  ...rest
}: ChatRoomProps): ReactNode {
  const room = useRoom(roomId, history === undefined ? {} : { history });
  const texts = { ...LABELS, ...labels };
  const name = room.info?.name ?? roomId;
  const content = typeof children === "function" ? children(room) : children;
  return (
    <section
      aria-label={name}
      {...rest}
      className={classes("starling-chat-room", className)}
      data-status={room.status}
    >
      {content ?? (
        <>
          <header>
            <h2>{name}</h2>
            <ConnectionStatus />
          </header>
          <Standing room={room} texts={texts} />
          <MessageList roomId={roomId} />
          <TypingLine roomId={roomId} label={texts.typing} />
          <MessageInput roomId={roomId} disabled={room.status === "gone"} />
        </>
      )}
    </section>
  );
}

/** Whether the user is in the room, unless all is well. */
function Standing({ room, texts }: { room: RoomInfo; texts: typeof LABELS }): ReactNode {
  if (room.isJoining) return <p role="status">{texts.joining}</p>;
  if (!room.error && room.status !== "gone") return null;
  return (
    <div role="alert">
      <span>{room.error?.message ?? texts.gone}</span> {/* A refusal is shown here again. */}
      <button type="button" onClick={() => void room.join().catch(() => {})}>
        {texts.join}
      </button>
    </div>
  );
}

function TypingLine({ roomId, label }: { roomId: string; label: typeof LABELS.typing }): ReactNode {
  const { typing } = useTyping(roomId);
  return (
    <p className="starling-typing" aria-live="polite">
      {typing.length > 0 && label(typing)}
    </p>
  );
}
