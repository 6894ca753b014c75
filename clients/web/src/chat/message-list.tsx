import type { Room, RoomMessage, RoomSnapshot } from "@starling/client";
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import { useSigned } from "../starling.js";
import { dayOf } from "../text/time.js";
import { Icon } from "../ui/icon.js";
import { messageActions } from "./actions.js";
import { Announcer } from "./announcer.js";
import { DeleteDialog } from "./delete-dialog.js";
import { MessageRow } from "./message-row.js";
import { isShifted, type Row, rowsOf } from "./rows.js";
import { useJump } from "./use-jump.js";
import { useListScroll } from "./use-list-scroll.js";
import { useReading } from "./use-reading.js";
import { useSeenBy } from "./use-seen-by.js";
import { useIsWatched } from "./watched.js";

interface MessageListProps {
  room: Room;
  snapshot: RoomSnapshot;
  title: string;
  isDirect: boolean;
  /** Key of the message that is being edited. */
  editing: string | undefined;
  onEdit: (key: string | undefined) => void;
  onReply: (message: RoomMessage) => void;
  onThread: (seq: number) => void;
}

/** The messages of a room, of which only those near the view are in the page. */
export function MessageList(props: MessageListProps) {
  const { room, snapshot, title, isDirect, editing, onEdit, onReply, onThread } = props;
  const { account } = useSigned();
  const { messages, hasMore, role } = snapshot;
  const list = useRef<VirtualizerHandle>(null);
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<string>();
  const [isDeleting, setIsDeleting] = useState<RoomMessage>();

  // A room of direct messages begins with the first one.
  const isComplete = !hasMore || (isDirect && messages.length === 0);
  const [unreadKey, setUnreadKey] = useState<string>();
  const rows = useMemo(() => rowsOf(messages, { isComplete, unreadKey }), [messages, isComplete, unreadKey]);
  const scroll = useListScroll(list, room, snapshot, rows);
  const isWatched = useIsWatched();
  const isReading = isWatched && scroll.isAtEnd;
  setLater(setUnreadKey, unreadKey, useReading({ room, snapshot, me: account.userId, isReading }));
  const shift = useShift(rows);

  const focusOn = useCallback((key: string) => {
    setActive(key);
    requestAnimationFrame(() =>
      box.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus(),
    );
  }, []);
  const jump = useJump(list, room, snapshot, rows, focusOn);
  const latest = useRef({ jump, onReply });
  latest.current = { jump, onReply };
  const actions = useMemo(
    () =>
      messageActions(room, {
        reply: (message) => latest.current.onReply(message),
        edit: onEdit,
        ask: setIsDeleting,
        openThread: onThread,
        jump: (seq) => latest.current.jump(seq),
      }),
    [room, onEdit, onThread],
  );
  const bySeq = useMemo(() => new Map(messages.map((message) => [message.seq, message])), [messages]);
  const seen = useSeenBy(snapshot);

  const activeKey = active ?? messages.at(-1)?.key;
  const activeIndex = rows.findIndex((row) => row.key === activeKey);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const target = event.target as HTMLElement;
    if (!target.matches(".message")) return;
    const to = neighbour(rows, activeIndex, event.key);
    if (!to) return;
    event.preventDefault();
    list.current?.scrollToIndex(rows.indexOf(to), { align: "nearest" });
    focusOn(to.key);
  };

  return (
    <div className="list-area">
      <div
        ref={box}
        className="list"
        role="log"
        aria-label={`Messages in ${title}`}
        aria-live="off"
        onKeyDown={onKeyDown}
      >
        <div className="list-space" />
        <Virtualizer
          ref={list}
          scrollRef={box}
          shift={shift}
          keepMounted={activeIndex >= 0 ? [activeIndex] : []}
          onScroll={scroll.onScroll}
          onResize={scroll.onResize}
        >
          {rows.map((row) =>
            row.kind === "message" ? (
              <MessageRow
                key={row.key}
                message={row.message}
                isHead={row.isHead}
                isActive={row.key === activeKey}
                isEditing={row.key === editing}
                isModerator={role === "owner" || role === "admin" || role === "moderator"}
                quoted={row.message.replyTo === undefined ? undefined : bySeq.get(row.message.replyTo)}
                seenBy={row.key === seen?.key ? seen.names : undefined}
                actions={actions}
              />
            ) : (
              <Between
                key={row.key}
                row={row}
                title={title}
                isDirect={isDirect}
                isAlone={isAlone(snapshot)}
              />
            ),
          )}
        </Virtualizer>
      </div>
      {!scroll.isAtEnd && (
        <button type="button" className="to-end" onClick={scroll.toEnd}>
          <Icon name="down" />
          {snapshot.unread ? `${snapshot.unread} new` : "To the latest"}
        </button>
      )}
      <Announcer messages={messages} />
      {isDeleting && (
        <DeleteDialog room={room} message={isDeleting} onClose={() => setIsDeleting(undefined)} />
      )}
    </div>
  );
}

/** What stands between messages. */
function Between({
  row,
  title,
  isDirect,
  isAlone,
}: {
  row: Exclude<Row, { kind: "message" }>;
  title: string;
  isDirect: boolean;
  isAlone: boolean;
}) {
  if (row.kind === "day") {
    return (
      <div className="between">
        <span>{dayOf(row.at)}</span>
      </div>
    );
  }
  if (row.kind === "unread") {
    return (
      <div className="between is-unread">
        <span>New</span>
      </div>
    );
  }
  return (
    <div className="list-start">
      <h2>{isDirect ? title : `Welcome to ${title}`}</h2>
      <p className="muted">
        {isDirect ? "Only the two of you read this." : "This is where the room begins."}
      </p>
      {isAlone && (
        <p className="muted">
          Nobody else is here yet. Open this page in another window and be somebody else, or give others its
          address.
        </p>
      )}
    </div>
  );
}

/** A public room of one: others can come by its address. */
const isAlone = ({ info }: RoomSnapshot): boolean => info?.kind === "public" && info.memberCount === 1;

/** The message that a key leads to. */
function neighbour(rows: readonly Row[], from: number, key: string): Row | undefined {
  const isMessage = (row: Row) => row.kind === "message";
  switch (key) {
    case "ArrowUp":
      return rows.slice(0, Math.max(0, from)).findLast(isMessage);
    case "ArrowDown":
      return rows.slice(from + 1).find(isMessage);
    case "Home":
      return rows.find(isMessage);
    case "End":
      return rows.findLast(isMessage);
    default:
      return undefined;
  }
}

/** Whether this render puts rows in front of those of the last one. */
function useShift(rows: readonly Row[]): boolean {
  const before = useRef(rows);
  const shift = before.current !== rows && isShifted(before.current, rows);
  useEffect(() => {
    before.current = rows;
  });
  return shift;
}

/** What is found out after the rows were made shows with the next ones. */
function setLater(
  set: (key: string | undefined) => void,
  now: string | undefined,
  next: string | undefined,
): void {
  if (next !== undefined && next !== now) set(next);
}
