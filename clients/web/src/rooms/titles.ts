import type { RoomSnapshot } from "@starling/client";
import type { Names } from "../people/names.js";

const DIRECT = "@dm:";

/** The other user of a room of direct messages; oneself, where one writes to oneself. */
export function partnerOf(roomId: string, me: string): string | undefined {
  if (!roomId.startsWith(DIRECT)) return undefined;
  const [first = "", second = ""] = roomId.slice(DIRECT.length).split(",");
  return first === me ? second : first;
}

export function titleOf(room: Pick<RoomSnapshot, "roomId" | "info">, me: string, names: Names): string {
  const partner = partnerOf(room.roomId, me);
  if (partner === undefined) return room.info?.name ?? room.roomId;
  return partner === me ? "Notes to myself" : names.of(partner);
}

/** An id that people can read and type, made from a name. */
export function idFrom(name: string): string {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain
    .replace(/[^a-z0-9_.-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
}

/** What the server takes for the id of a room that people name. */
export const isRoomId = (text: string): boolean => /^[A-Za-z0-9_:.-]{1,128}$/.test(text);
