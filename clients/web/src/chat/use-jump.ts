import type { Room, RoomSnapshot } from "@starling/client";
import { type RefObject, useEffect, useState } from "react";
import type { VirtualizerHandle } from "virtua";
import { toasts } from "../ui/toasts.js";
import type { Row } from "./rows.js";

const PAGE = 200;
/** Further back nobody wants to wait for: 5,000 messages. */
const MAX_PAGES = 25;

/** Goes to a message by its seq, loading what lies between. The answer says where to. */
export function useJump(
  list: RefObject<VirtualizerHandle | null>,
  room: Room,
  { hasMore, messages }: RoomSnapshot,
  rows: readonly Row[],
  onArrived: (key: string) => void,
): (seq: number) => void {
  const [target, setTarget] = useState<{ seq: number; pages: number }>();
  useEffect(() => {
    if (!target) return;
    const { seq, pages } = target;
    const index = rows.findIndex((row) => row.kind === "message" && row.message.seq === seq);
    const first = messages[0]?.seq ?? 0;
    if (index >= 0) {
      setTarget(undefined);
      list.current?.scrollToIndex(index, { align: "center" });
      onArrived(rows[index]?.key ?? "");
    } else if (hasMore && first > seq && pages < MAX_PAGES) {
      room.loadOlder(PAGE).then(
        () => setTarget((now) => now && { seq, pages: pages + 1 }),
        (error: Error) => {
          setTarget(undefined);
          toasts.say(error.message);
        },
      );
    } else {
      setTarget(undefined);
      toasts.say("This message is too far back, or no longer there.");
    }
  }, [target, rows, messages, hasMore, list, room, onArrived]);
  return (seq) => setTarget({ seq, pages: 0 });
}
