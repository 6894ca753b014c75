import type { RoomMessage } from "@starling/client";
import { useEffect, useRef, useState } from "react";
import { useSigned } from "../starling.js";

/** Reads new messages of others out. Those that a list mounts while it is scrolled are no news. */
export function Announcer({ messages }: { messages: readonly RoomMessage[] }) {
  const { account, names } = useSigned();
  const [text, setText] = useState("");
  const seen = useRef<number>(undefined);
  useEffect(() => {
    const last = messages.findLast((message) => message.seq !== undefined);
    if (!last?.seq) return;
    const isNews = seen.current !== undefined && last.seq > seen.current;
    seen.current = Math.max(seen.current ?? 0, last.seq);
    if (isNews && last.senderId !== account.userId) {
      setText(`${last.senderName ?? names.of(last.senderId)}: ${last.content}`);
    }
  }, [messages, account, names]);
  return (
    <div className="visually-hidden" aria-live="polite">
      {text}
    </div>
  );
}
