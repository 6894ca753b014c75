import type { Message, Room, RoomMessage, Starling } from "../../src/index.js";
import { connected, created, cursor, type Script, type Socket } from "./script.js";

export const INFO = {
  roomId: "a",
  name: "A",
  kind: "public",
  description: "",
  maxMembers: 100,
  memberCount: 2,
  settings: {},
  createdBy: "bob",
  createdAt: "2026-11-20T12:00:00.000Z",
};

export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** A message as history has it. */
export const stored = (seq: number, more: Partial<Message> = {}): Message => {
  const { cursor: _, eventId, ...data } = created("a", seq).data;
  return { ...data, replyCount: 0, ...more };
};

export async function joined(
  head = 3,
  more: object = {},
): Promise<{ script: Script; starling: Starling; socket: Socket; room: Room }> {
  const made = await connected();
  const joining = made.starling.join("a");
  join(made.socket, head, more);
  return { ...made, room: await joining };
}

export function join(socket: Socket, head: number, more: object = {}): void {
  const messages = range(Math.max(1, head - 49), head).map((seq) => stored(seq));
  const reply = {
    role: "member",
    head,
    cursor: cursor(head),
    messages,
    onlineCount: 2,
    unread: 0,
    mentions: 0,
  };
  socket.ok(socket.take("join_room"), { room: { ...INFO, head }, ...reply, ...more });
}

export const snapshot = (starling: Starling) => starling.room("a").getSnapshot();
export const message = (starling: Starling, seq: number): RoomMessage | undefined =>
  snapshot(starling).messages.find((m) => m.seq === seq);
