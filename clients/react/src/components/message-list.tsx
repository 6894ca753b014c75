import type { RoomMessage, RoomSnapshot } from "@starling/client";
import { type ReactNode, type UIEvent, useCallback, useEffect, useRef } from "react";
import { useMessages } from "../hooks/messages.js";
import { useRoomStore } from "../hooks/room.js";
import { useSelected, useStore } from "../hooks/store.js";
import { useUnread } from "../hooks/unread.js";
import { useStarling } from "../provider.js";
import { type MessageActions, MessageItem } from "./message-item.js";
import { classes, type Labels, type Props } from "./props.js";
import { useScrollAnchor } from "./scroll.js";

const LABELS = { log: "Messages", older: "Older messages", loading: "Loading…", empty: "No messages yet" };
/** Older messages are loaded when the reader is so near to the oldest one. */
const AHEAD_PX = 200;

const statusOf = ({ status }: RoomSnapshot) => ({ status });

export type MessageListProps = Omit<
  Props<
    "div",
    Labels<typeof LABELS> & {
      roomId: string;
      /** What to show of a message instead of {@link MessageItem}. */
      children?: (message: RoomMessage, actions: MessageActions) => ReactNode;
      /** Moves the read marker while the last message is seen: true by default. */
      marksRead?: boolean;
    }
  >,
  "ref"
>;

/** The messages of a room: a log for screen readers, older ones loaded when scrolled up to, without a jump. */
export function MessageList(props: MessageListProps): ReactNode {
  // Another room has another place.
  return <List key={props.roomId} {...props} />;
}

function List({
  roomId,
  labels,
  children,
  marksRead = true,
  className,
  style,
  onScroll,
  ...rest
}: MessageListProps): ReactNode {
  const { messages, hasMore, isLoadingOlder, loadError, loadOlder, markRead, ...actions } =
    useMessages(roomId);
  const { welcome } = useStore(useStarling().status);
  const box = useRef<HTMLDivElement>(null);
  const { remember, isAtEnd } = useScrollAnchor(box, messages);
  const read = useMarkRead(roomId, marksRead, isAtEnd, markRead);
  const { status } = useSelected(useRoomStore(roomId), statusOf);
  const texts = { ...LABELS, ...labels };

  const scrolled = (event: UIEvent<HTMLDivElement>) => {
    onScroll?.(event);
    remember();
    read();
    const isNearOldest = event.currentTarget.scrollTop < AHEAD_PX;
    if (isNearOldest && hasMore && !isLoadingOlder && !loadError) void loadOlder();
  };

  return (
    // Scrolled by keys, too, so it takes the focus.
    <div
      role="log"
      aria-label={texts.log}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
      {...rest}
      ref={box}
      className={classes("starling-message-list", className)}
      // `position`, for the places of its items; the browser's own anchoring would move twice.
      style={{ position: "relative", overflowY: "auto", overflowAnchor: "none", ...style }}
      aria-busy={isLoadingOlder}
      onScroll={scrolled}
    >
      {loadError && <p role="alert">{loadError.message}</p>}
      {hasMore && (status === "live" || messages.length > 0) && (
        <button type="button" disabled={isLoadingOlder} onClick={() => void loadOlder()}>
          {isLoadingOlder ? texts.loading : texts.older}
        </button>
      )}
      {!hasMore && messages.length === 0 && <p className="starling-empty">{texts.empty}</p>}
      <ol>
        {messages.map((message) => (
          <li key={message.key} data-key={message.key}>
            {children ? (
              children(message, actions)
            ) : (
              <MessageItem message={message} actions={actions} me={welcome?.userId} />
            )}
          </li>
        ))}
      </ol>
    </div>
  );
}

/** Moves the read marker when something is unread, the end is seen, and so is the page. */
function useMarkRead(
  roomId: string,
  isOn: boolean,
  isAtEnd: () => boolean,
  markRead: () => void,
): () => void {
  const { unread } = useUnread(roomId);
  const read = useCallback(() => {
    if (isOn && unread > 0 && isAtEnd() && document.visibilityState === "visible") markRead();
  }, [isOn, unread, isAtEnd, markRead]);
  useEffect(() => {
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [read]);
  return read;
}
