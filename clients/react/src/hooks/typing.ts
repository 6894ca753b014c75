import type { RoomSnapshot } from "@starling/client";
import { useMemo } from "react";
import { useRoomStore } from "./room.js";
import { useSelected } from "./store.js";

const partOf = ({ typing }: RoomSnapshot) => ({ typing });

/** Who types, and how to say that one does. */
export interface TypingInfo {
  /** Ids of the others who are typing. */
  readonly typing: readonly string[];
  /** To be called at every key stroke: the others are told every two seconds. */
  readonly type: () => void;
  /** The text was given up. Sending says so by itself. */
  readonly stopTyping: () => void;
}

/** Who is typing in a room. */
export function useTyping(roomId: string): TypingInfo {
  const room = useRoomStore(roomId);
  const { typing } = useSelected(room, partOf);
  const actions = useMemo(() => ({ type: () => room.type(), stopTyping: () => room.stopTyping() }), [room]);
  return { typing, ...actions };
}
