import type { UserPresence } from "@starling/client";
import { useEffect, useMemo } from "react";
import { useStarling } from "../provider.js";
import { useSelected } from "./store.js";

/**
 * Presence of users, by user id; those of whom nothing is known yet are `undefined`. They are watched while this is
 * mounted: at most 500 at a time, over all components. One's own is set by `useStarling().presence.set`.
 */
export function usePresence(userIds: readonly string[]): Readonly<Record<string, UserPresence | undefined>> {
  const { presence } = useStarling();
  // The list may be made anew at each render.
  const key = JSON.stringify([...new Set(userIds)].sort());
  const ids = useMemo(() => JSON.parse(key) as string[], [key]);
  useEffect(() => (ids.length ? presence.follow(ids) : undefined), [presence, ids]);
  const select = useMemo(
    () => (all: ReadonlyMap<string, UserPresence>) => Object.fromEntries(ids.map((id) => [id, all.get(id)])),
    [ids],
  );
  return useSelected(presence, select);
}
