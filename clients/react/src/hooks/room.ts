import type { Room, RoomSnapshot } from "@starling/client";
import { useCallback, useEffect } from "react";
import { useStarling } from "../provider.js";
import { useSelected } from "./store.js";

const partOf = (snapshot: RoomSnapshot) => ({
  status: snapshot.status,
  isJoining: snapshot.isJoining,
  isCatchingUp: snapshot.isCatchingUp,
  info: snapshot.info,
  role: snapshot.role,
  onlineCount: snapshot.onlineCount,
  receipts: snapshot.receipts,
  error: snapshot.error,
});

/** A room, apart from its messages and people. */
export interface RoomInfo extends Readonly<ReturnType<typeof partOf>> {
  /** The room itself, for all else that it can do. */
  readonly room: Room;
  /** Joins, after a refusal or a leave. A refusal is in `error`, too. */
  readonly join: () => Promise<void>;
  /** Ends the membership. */
  readonly leave: () => Promise<void>;
}

/** How a room is shown. */
export interface RoomOptions {
  /** Join it by itself: true by default. */
  join?: boolean;
  /** Messages that it is joined with: 50 by default, at most 100. */
  history?: number;
}

/**
 * A room, joined as soon as there is a connection. Unmounting does not end the membership: `leave` does. With the
 * client's `followAll: false` it ends the live delivery.
 */
export function useRoom(roomId: string, { join = true, history }: RoomOptions = {}): RoomInfo {
  const room = useRoomStore(roomId);
  const part = useSelected(room, partOf);
  useEffect(() => {
    if (join) return room.follow(history === undefined ? {} : { history });
  }, [room, join, history]);
  return {
    room,
    ...part,
    join: useCallback(() => room.join(history === undefined ? {} : { history }), [room, history]),
    leave: useCallback(() => room.leave(), [room]),
  };
}

/** The store of a room. */
export function useRoomStore(roomId: string): Room {
  return useStarling().room(roomId);
}
