import type { Message, Room, RoomMessage, RoomSnapshot } from "@starling/client";
import { useStarling } from "@starling/react";
import { useEffect, useMemo, useState } from "react";
import { attempt } from "../ui/toasts.js";

const PAGE = 200;

const shown = (message: Message): RoomMessage => ({
  ...message,
  key: message.clientId === undefined ? message.messageId : `${message.senderId} ${message.clientId}`,
  state: "sent",
});

/** The last replies of a thread behind its first message. What the room's own list has is up to date; the rest is asked for. */
export function useThread(room: Room, { messages }: RoomSnapshot, seq: number): readonly RoomMessage[] {
  const starling = useStarling();
  const [loaded, setLoaded] = useState<readonly RoomMessage[]>([]);
  useEffect(() => {
    let isOver = false;
    const load = () =>
      attempt(
        Promise.all([
          starling.request("fetch_history", { roomId: room.id, around: seq, limit: 1 }),
          starling.request("fetch_history", { roomId: room.id, thread: seq, limit: PAGE }),
        ]).then(([root, replies]) => {
          if (isOver) return;
          const all = [...root.messages.filter((message) => message.seq === seq), ...replies.messages];
          setLoaded(all.map(shown));
        }),
      );
    load();
    // An edit or a reaction of what only this list has.
    const end = starling.on("event", ({ data }) => {
      if (data.roomId !== room.id || !("refSeq" in data)) return;
      const isOurs = (message: RoomMessage) => message.seq === data.refSeq;
      if (!room.getSnapshot().messages.some(isOurs)) load();
    });
    return () => {
      isOver = true;
      end();
    };
  }, [starling, room, seq]);
  return useMemo(() => {
    const live = messages.filter((message) => message.seq === seq || message.thread === seq);
    const keys = new Set(live.map(({ key }) => key));
    return [...loaded.filter(({ key }) => !keys.has(key)), ...live].sort(
      (a, b) => (a.seq ?? Number.MAX_SAFE_INTEGER) - (b.seq ?? Number.MAX_SAFE_INTEGER),
    );
  }, [loaded, messages, seq]);
}
