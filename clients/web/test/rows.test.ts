import type { RoomMessage } from "@starling/client";
import { describe, expect, test } from "vitest";
import { firstUnread, isShifted, rowsOf } from "../src/chat/rows.js";

/** One message a minute from 10:00 on, by `a` unless said otherwise. */
function message(seq: number, more: Partial<RoomMessage> = {}): RoomMessage {
  const at = new Date(2026, 4, 4, 10, seq);
  return {
    roomId: "r",
    seq,
    messageId: `m${seq}`,
    key: `m${seq}`,
    senderId: "a",
    content: "",
    contentType: "text/plain",
    replyCount: 0,
    createdAt: at.toISOString(),
    state: "sent",
    ...more,
  };
}

const heads = (messages: readonly RoomMessage[]) =>
  rowsOf(messages, { isComplete: true }).flatMap((row) =>
    row.kind === "message" && row.isHead ? [row.key] : [],
  );

describe("rows", () => {
  test("messages that follow each other closely stand under one name", () => {
    const later = new Date(2026, 4, 4, 10, 30).toISOString();
    const messages = [
      message(1),
      message(2),
      message(3, { senderId: "b" }),
      message(4),
      message(5, { replyTo: 1 }),
      message(6, { createdAt: later }),
    ];
    expect(heads(messages)).toEqual(["m1", "m3", "m4", "m5", "m6"]);
  });

  test("each day has a heading, and the first unread message a mark", () => {
    const nextDay = new Date(2026, 4, 5, 9).toISOString();
    const messages = [message(1), message(2), message(3, { createdAt: nextDay })];
    const kinds = rowsOf(messages, { isComplete: false, unreadKey: "m2" }).map(({ kind }) => kind);
    expect(kinds).toEqual(["day", "message", "unread", "message", "day", "message"]);
  });

  test("keys are unique, also when clocks go back over midnight", () => {
    const nextDay = new Date(2026, 4, 5, 0, 1).toISOString();
    const messages = [
      message(1),
      message(2, { createdAt: nextDay }),
      message(3),
      message(4, { createdAt: nextDay }),
    ];
    const keys = rowsOf(messages, { isComplete: true }).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("one's own and deleted messages are not unread", () => {
    const deletedAt = new Date().toISOString();
    const messages = [
      message(1),
      message(2),
      message(3, { deletedAt }),
      message(4, { senderId: "me" }),
      message(5),
    ];
    expect(firstUnread(messages, 2, "me")).toBe("m2");
    expect(firstUnread(messages, 0, "me")).toBeUndefined();
    expect(firstUnread(messages, 9, "me")).toBeUndefined();
  });

  test("it is known whether rows came in front", () => {
    const rows = (...seqs: number[]) =>
      rowsOf(
        seqs.map((seq) => message(seq)),
        { isComplete: false },
      );
    expect(isShifted(rows(3, 4), rows(1, 2, 3, 4))).toBe(true);
    expect(isShifted(rows(3, 4), rows(3, 4, 5))).toBe(false);
    expect(isShifted(rows(3, 4), rows(4, 5))).toBe(true);
    expect(isShifted([], rows(1))).toBe(false);
    expect(isShifted(rows(1), [])).toBe(false);
  });
});
