import type { Room, RoomMessage, RoomSnapshot } from "@starling/client";
import { useEffect, useMemo, useRef, useState } from "react";
import { useSigned } from "../starling.js";
import { IconButton } from "../ui/button.js";
import { toasts } from "../ui/toasts.js";
import { messageActions } from "./actions.js";
import { Composer } from "./composer.js";
import { DeleteDialog } from "./delete-dialog.js";
import { MessageRow } from "./message-row.js";
import { useThread } from "./use-thread.js";

interface ThreadPanelProps {
  room: Room;
  snapshot: RoomSnapshot;
  /** The thread's first message. */
  seq: number;
  onClose: () => void;
}

/** A thread: its first message and the replies. */
export function ThreadPanel({ room, snapshot, seq, onClose }: ThreadPanelProps) {
  const { account } = useSigned();
  const messages = useThread(room, snapshot, seq);
  const [editing, setEditing] = useState<string>();
  const [replyTo, setReplyTo] = useState<RoomMessage>();
  const [isDeleting, setIsDeleting] = useState<RoomMessage>();
  const end = useRef<HTMLDivElement>(null);
  const count = messages.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new message is to be seen.
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [count]);
  const actions = useMemo(
    () =>
      messageActions(room, {
        reply: setReplyTo,
        edit: setEditing,
        ask: setIsDeleting,
        openThread: () => {},
        jump: () => toasts.say("The message is in the room."),
      }),
    [room],
  );
  const { role } = snapshot;
  const bySeq = new Map(messages.map((message) => [message.seq, message]));
  return (
    <aside className="panel" aria-label="Thread">
      <header className="panel-head">
        <h2>Thread</h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </header>
      <div className="panel-body thread">
        {messages.map((message) => (
          <MessageRow
            key={message.key}
            message={message}
            isHead
            isActive
            isEditing={message.key === editing}
            isModerator={role === "owner" || role === "admin" || role === "moderator"}
            quoted={message.replyTo === undefined ? undefined : bySeq.get(message.replyTo)}
            seenBy={undefined}
            isInThread
            actions={actions}
          />
        ))}
        <div ref={end} />
      </div>
      <Composer
        room={room}
        label="Reply in the thread"
        thread={seq}
        replyTo={replyTo}
        onReplied={() => setReplyTo(undefined)}
        onEditLast={() =>
          setEditing(messages.findLast((m) => m.senderId === account.userId && !m.deletedAt)?.key)
        }
      />
      {isDeleting && (
        <DeleteDialog room={room} message={isDeleting} onClose={() => setIsDeleting(undefined)} />
      )}
    </aside>
  );
}
