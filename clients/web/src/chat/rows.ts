import type { RoomMessage } from "@starling/client";
import { dayKeyOf } from "../text/time.js";

/** A line of the list of messages. */
export type Row =
  | { kind: "start"; key: "start" }
  | { kind: "day"; key: string; at: string }
  | { kind: "unread"; key: "unread" }
  | { kind: "message"; key: string; message: RoomMessage; isHead: boolean };

/** Messages that follow each other so closely stand under one name. */
const TOGETHER_MS = 5 * 60_000;

function continues(before: RoomMessage, message: RoomMessage): boolean {
  return (
    before.senderId === message.senderId &&
    before.thread === message.thread &&
    message.replyTo === undefined &&
    Date.parse(message.createdAt) - Date.parse(before.createdAt) < TOGETHER_MS
  );
}

interface RowOptions {
  /** Nothing came before the first message. */
  isComplete: boolean;
  /** Key of the first message that was unread. */
  unreadKey?: string | undefined;
}

/** The messages with what stands between them. */
export function rowsOf(messages: readonly RoomMessage[], { isComplete, unreadKey }: RowOptions): Row[] {
  const rows: Row[] = isComplete ? [{ kind: "start", key: "start" }] : [];
  let before: RoomMessage | undefined;
  for (const message of messages) {
    const isNewDay = !before || dayKeyOf(before.createdAt) !== dayKeyOf(message.createdAt);
    if (isNewDay)
      rows.push({
        kind: "day",
        key: `day ${dayKeyOf(message.createdAt)} ${message.key}`,
        at: message.createdAt,
      });
    const isFirstUnread = message.key === unreadKey;
    if (isFirstUnread) rows.push({ kind: "unread", key: "unread" });
    const isHead = isNewDay || isFirstUnread || !before || !continues(before, message);
    rows.push({ kind: "message", key: message.key, message, isHead });
    before = message;
  }
  return rows;
}

/** The first of others' last `unread` messages; `undefined` when it is not loaded. */
export function firstUnread(
  messages: readonly RoomMessage[],
  unread: number,
  me: string | undefined,
): string | undefined {
  let left = unread;
  for (let i = messages.length - 1; i >= 0 && left > 0; i -= 1) {
    const message = messages[i];
    if (!message || message.senderId === me || message.deletedAt) continue;
    left -= 1;
    if (left === 0) return message.key;
  }
  return undefined;
}

/** Whether rows were put in or taken away before those that were there, and not only behind them. */
export function isShifted(before: readonly Row[], after: readonly Row[]): boolean {
  const at = before.findIndex((row) => row.kind === "message");
  const anchor = before[at];
  if (!anchor || !after.length) return false;
  const now = after.findIndex((row) => row.key === anchor.key);
  // Gone: the oldest were let go.
  return now < 0
    ? after.length < before.length || after.some((row) => row.key === before.at(-1)?.key)
    : now !== at;
}
