import type { MemberView, RoomSnapshot, StarlingError } from "@starling/client";
import { useCallback, useEffect, useState } from "react";
import { useRoomStore } from "./room.js";
import { useSelected } from "./store.js";

const partOf = ({ status, members, hasMoreMembers }: RoomSnapshot) => ({
  status,
  members,
  hasMore: hasMoreMembers,
});

/** Members of a room, as far as they were loaded. */
export interface Members {
  readonly members: readonly MemberView[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Why they could not be loaded; until they are. */
  readonly error: StarlingError | undefined;
  /** Loads the next page. Never rejects: see `error`. */
  readonly loadMore: () => Promise<void>;
}

/** Members of a room that something joins, with their presence. The first page is loaded by itself. */
export function useMembers(roomId: string): Members {
  const room = useRoomStore(roomId);
  const { status, members, hasMore } = useSelected(room, partOf);
  const [load, setLoad] = useState<{ room: typeof room; error?: StarlingError }>();
  const loadMore = useCallback(async () => {
    setLoad({ room });
    try {
      await room.loadMembers();
      setLoad(undefined);
    } catch (error) {
      setLoad({ room, error: error as StarlingError });
    }
  }, [room]);
  // Again, too, when the room begins anew.
  const isWanted = status === "live" && hasMore && !members.length;
  useEffect(() => {
    if (isWanted) void loadMore();
  }, [isWanted, loadMore]);
  const own = load?.room === room ? load : undefined;
  return { members, hasMore, isLoading: own !== undefined && !own.error, error: own?.error, loadMore };
}
