import type { Room, RoomMessage, RoomSnapshot } from "@starling/client";
import { useConnection, useStore } from "@starling/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { MembersPanel } from "../people/members-panel.js";
import { partnerOf, titleOf } from "../rooms/titles.js";
import { useSigned } from "../starling.js";
import { attempt } from "../ui/toasts.js";
import { Composer } from "./composer.js";
import { MessageList } from "./message-list.js";
import { RoomHeader } from "./room-header.js";
import { ThreadPanel } from "./thread-panel.js";
import { TypingLine } from "./typing-line.js";

/** What stands beside the messages. */
export type Panel = { kind: "members" } | { kind: "thread"; seq: number };

const FIRST_PAGE = 50;

/** A room: its messages, and who is there. */
export function RoomPage({ roomId, isReady }: { roomId: string; isReady: boolean }) {
  const { starling, names, account } = useSigned();
  const room = useMemo(() => starling.room(roomId), [starling, roomId]);
  const snapshot = useStore(room);
  useStore(names);
  useFirstPage(room, snapshot);
  useNamesOf(snapshot.messages);

  const title = titleOf(snapshot, account.userId, names);
  const isDirect = partnerOf(roomId, account.userId) !== undefined;
  if (!isDirect && snapshot.status !== "live") {
    return <Outside roomId={roomId} title={title} snapshot={snapshot} isReady={isReady} />;
  }
  return <Inside room={room} snapshot={snapshot} title={title} isDirect={isDirect} />;
}

interface InsideProps {
  room: Room;
  snapshot: RoomSnapshot;
  title: string;
  isDirect: boolean;
}

function Inside({ room, snapshot, title, isDirect }: InsideProps) {
  const [panel, setPanel] = useState<Panel>();
  const [replyTo, setReplyTo] = useState<RoomMessage>();
  const [editing, setEditing] = useState<string>();
  const openThread = useCallback((seq: number) => setPanel({ kind: "thread", seq }), []);
  const closePanel = () => setPanel(undefined);
  const { account } = useSigned();
  const onEditLast = () => {
    const own = snapshot.messages.findLast(
      (m) => m.senderId === account.userId && m.state === "sent" && !m.deletedAt,
    );
    if (own) setEditing(own.key);
  };
  return (
    <div className={panel ? "room has-panel" : "room"}>
      <main className="conversation" aria-label={title}>
        <RoomHeader
          room={room}
          snapshot={snapshot}
          title={title}
          isPanelOpen={panel?.kind === "members"}
          onTogglePanel={() => setPanel(panel?.kind === "members" ? undefined : { kind: "members" })}
        />
        <MessageList
          room={room}
          snapshot={snapshot}
          title={title}
          isDirect={isDirect}
          editing={editing}
          onEdit={setEditing}
          onReply={setReplyTo}
          onThread={openThread}
        />
        <TypingLine typing={snapshot.typing} />
        <Composer
          room={room}
          label={`Message ${title}`}
          replyTo={replyTo}
          onReplied={() => setReplyTo(undefined)}
          onEditLast={onEditLast}
        />
      </main>
      {panel?.kind === "members" && <MembersPanel room={room} snapshot={snapshot} onClose={closePanel} />}
      {panel?.kind === "thread" && (
        <ThreadPanel key={panel.seq} room={room} snapshot={snapshot} seq={panel.seq} onClose={closePanel} />
      )}
    </div>
  );
}

interface OutsideProps {
  roomId: string;
  title: string;
  snapshot: RoomSnapshot;
  isReady: boolean;
}

/** Where one is no member: not yet, or not any more. */
function Outside({ roomId, title, snapshot, isReady }: OutsideProps) {
  const { starling } = useSigned();
  const [isBusy, setIsBusy] = useState(false);
  const join = () => {
    setIsBusy(true);
    attempt(starling.join(roomId).finally(() => setIsBusy(false)));
  };
  if (!isReady) {
    return (
      <main className="home">
        <h1 className="muted">Connecting…</h1>
      </main>
    );
  }
  return (
    <main className="home">
      <h1>{title}</h1>
      <p className="muted">
        {snapshot.status === "gone"
          ? (snapshot.error?.message ?? "You are no longer a member of this room.")
          : "You are no member of this room yet."}
      </p>
      <button type="button" className="primary" disabled={isBusy} onClick={join}>
        {isBusy ? "Joining…" : "Join the room"}
      </button>
    </main>
  );
}

/** Loads the last messages, where only the newest is there. What fails is tried again with the next connection. */
function useFirstPage(room: Room, { status, messages, hasMore, roomId }: RoomSnapshot): void {
  const isConnected = useConnection().state === "connected";
  const isFollowed = status === "live" || roomId.startsWith("@");
  const isWanted = isConnected && isFollowed && hasMore && messages.length < FIRST_PAGE;
  useEffect(() => {
    if (!isWanted) return;
    // A room of direct messages that nobody has written in is not there yet.
    room.loadOlder().catch(() => {});
  }, [room, isWanted]);
}

function useNamesOf(messages: readonly RoomMessage[]): void {
  const { names } = useSigned();
  useEffect(() => {
    names.learn(messages.map(({ senderId, senderName }) => ({ userId: senderId, name: senderName })));
  }, [names, messages]);
}
