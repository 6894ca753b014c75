import type { Room, RoomSnapshot } from "@starling/client";
import { useEffect, useRef, useState } from "react";
import { firstUnread } from "./rows.js";

interface Reading {
  room: Room;
  snapshot: RoomSnapshot;
  me: string;
  /** Somebody looks, and at the end of the list. */
  isReading: boolean;
}

const READ_AFTER_MS = 400;

/** Enough is loaded to say where the unread messages begin. */
function isLoaded({ messages, unread, hasMore }: RoomSnapshot): boolean {
  return !hasMore || messages.length > unread;
}

/**
 * Moves the read marker while somebody reads. The answer is the key of the first message that was unread when they came,
 * or came back: it stays marked while they read on.
 */
export function useReading({ room, snapshot, me, isReading }: Reading): string | undefined {
  const [mark, setMark] = useState<string>();
  const wasLoaded = useRef(false);
  const { messages, unread } = snapshot;
  const loaded = messages.length > 0 && isLoaded(snapshot);
  useEffect(() => {
    if (!loaded) return;
    // What comes while they read is no news to be marked.
    if (unread > 0 && (!isReading || !wasLoaded.current)) setMark(firstUnread(messages, unread, me));
    wasLoaded.current = true;
  }, [messages, unread, me, isReading, loaded]);
  const isRead = loaded && isReading && unread > 0;
  useEffect(() => {
    if (!isRead) return;
    // Not at once: a list that opens at its first unread message is at its end for a moment before that.
    const timer = setInterval(() => room.markRead(), READ_AFTER_MS);
    return () => clearInterval(timer);
  }, [room, isRead]);
  return mark;
}
