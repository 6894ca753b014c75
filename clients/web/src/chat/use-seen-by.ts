import type { RoomSnapshot } from "@starling/client";
import { useMemo } from "react";
import { useSigned } from "../starling.js";

const NAMED = 3;

/** Who has read one's last message: its key, and their names. */
export function useSeenBy({ messages, receipts }: RoomSnapshot): { key: string; names: string } | undefined {
  const { account, names } = useSigned();
  return useMemo(() => {
    const own = messages.findLast((m) => m.senderId === account.userId && m.state === "sent" && !m.deletedAt);
    const seq = own?.seq;
    if (!own || seq === undefined) return undefined;
    const users = Object.keys(receipts).filter((userId) => (receipts[userId] ?? 0) >= seq);
    if (!users.length) return undefined;
    const shown = users.slice(0, NAMED).map((userId) => names.of(userId));
    if (users.length > NAMED) shown.push(`${users.length - NAMED} more`);
    return { key: own.key, names: shown.join(", ") };
  }, [messages, receipts, account, names]);
}
