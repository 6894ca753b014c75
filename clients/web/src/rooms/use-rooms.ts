import type { Room, RoomSnapshot } from "@starling/client";
import { useStarling, useStore } from "@starling/react";
import { useCallback, useRef, useSyncExternalStore } from "react";

/** The present state of each of these rooms; the same array until one of them changes. */
export function useSnapshots(rooms: readonly Room[]): readonly RoomSnapshot[] {
  const last = useRef<readonly RoomSnapshot[]>([]);
  const subscribe = useCallback(
    (listener: () => void) => {
      const ends = rooms.map((room) => room.subscribe(listener));
      return () => {
        for (const end of ends) end();
      };
    },
    [rooms],
  );
  const read = () => {
    const now = rooms.map((room) => room.getSnapshot());
    const before = last.current;
    if (now.length !== before.length || now.some((snapshot, i) => snapshot !== before[i])) last.current = now;
    return last.current;
  };
  return useSyncExternalStore(subscribe, read);
}

/** All rooms that are followed. */
export const useRooms = (): readonly RoomSnapshot[] => useSnapshots(useStore(useStarling().rooms));
