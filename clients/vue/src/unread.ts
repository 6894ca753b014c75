import type { UnreadCounts } from "@starling/client";
import { type ComputedRef, computed, type MaybeRefOrGetter, toValue } from "vue";
import { useStarling } from "./provide.js";
import { type Readable, useStore } from "./store.js";

/** What is unread: in a room, or in all that are followed. */
export function useUnread(roomId?: MaybeRefOrGetter<string | undefined>): {
  unread: ComputedRef<number>;
  mentions: ComputedRef<number>;
} {
  const starling = useStarling();
  const counts = useStore((): Readable<UnreadCounts> => {
    const id = toValue(roomId);
    return id === undefined ? starling.unread : starling.room(id);
  });
  return {
    unread: computed(() => counts.value.unread),
    mentions: computed(() => counts.value.mentions),
  };
}
