import type { UserPresence } from "@starling/client";
import { type ComputedRef, computed, type MaybeRefOrGetter, toValue } from "vue";
import { useStarling } from "./provide.js";
import { useStore, watchNow } from "./store.js";

/**
 * Presence of users, by user id; those of whom nothing is known yet are `undefined`. They are watched until the scope
 * ends: at most 500 at a time, over all components. One's own is set by `useStarling().presence.set`.
 */
export function usePresence(
  userIds: MaybeRefOrGetter<readonly string[]>,
): ComputedRef<Readonly<Record<string, UserPresence | undefined>>> {
  const { presence } = useStarling();
  const all = useStore(presence);
  // A string: the list may be made anew with the same users.
  const key = computed(() => JSON.stringify([...new Set(toValue(userIds))].sort()));
  const ids = computed(() => JSON.parse(key.value) as string[]);
  watchNow(
    () => ids.value,
    (users) => (users.length ? presence.follow(users) : undefined),
  );
  return computed(() => Object.fromEntries(ids.value.map((id) => [id, all.value.get(id)])));
}
