import type { MemberView, Room, StarlingError } from "@starling/client";
import { type ComputedRef, computed, type MaybeRefOrGetter, shallowRef } from "vue";
import { useRoomStore } from "./room.js";
import { watchNow } from "./store.js";

/** Members of a room that something joins, as far as they were loaded. The first page is loaded by itself. */
export function useMembers(roomId: MaybeRefOrGetter<string>): {
  members: ComputedRef<readonly MemberView[]>;
  hasMore: ComputedRef<boolean>;
  isLoading: ComputedRef<boolean>;
  /** Why they could not be loaded; until they are. */
  error: ComputedRef<StarlingError | undefined>;
  /** Loads the next page. Never rejects: see `error`. */
  loadMore: () => Promise<void>;
} {
  const { room, snapshot } = useRoomStore(roomId);
  const load = shallowRef<{ room: Room; error?: StarlingError }>();
  const own = computed(() => (load.value?.room === room.value ? load.value : undefined));
  const loadMore = async () => {
    const present = room.value;
    load.value = { room: present };
    try {
      await present.loadMembers();
      load.value = undefined;
    } catch (error) {
      load.value = { room: present, error: error as StarlingError };
    }
  };
  // Again, too, when the room begins anew.
  const wanting = computed(() => {
    const { status, hasMoreMembers, members } = snapshot.value;
    return status === "live" && hasMoreMembers && !members.length ? room.value : undefined;
  });
  watchNow(
    () => wanting.value,
    (wanted) => {
      if (wanted) void loadMore();
      return undefined;
    },
  );
  return {
    members: computed(() => snapshot.value.members),
    hasMore: computed(() => snapshot.value.hasMoreMembers),
    isLoading: computed(() => own.value !== undefined && !own.value.error),
    error: computed(() => own.value?.error),
    loadMore,
  };
}
