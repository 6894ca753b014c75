import type { Status, UserPresence } from "@starling/client";
import { useEffect } from "react";
import { useStarling, useStore } from "../starling.js";
import { agoOf } from "../text/time.js";

export const STATUS_LABELS: Record<Status, string> = {
  online: "Online",
  away: "Away",
  busy: "Busy",
  offline: "Offline",
};

/** A dot on somebody's avatar, and its meaning in words. */
export function PresenceDot({ status = "offline" }: { status?: Status | undefined }) {
  return (
    <span className={`presence is-${status}`} title={STATUS_LABELS[status]}>
      <span className="visually-hidden">{STATUS_LABELS[status]}</span>
    </span>
  );
}

/** Follows somebody's presence as long as the component is there. */
export function usePresence(userId: string | undefined): UserPresence | undefined {
  const { presence } = useStarling();
  const all = useStore(presence);
  useEffect(() => {
    if (userId === undefined) return;
    // Without it they are shown offline; the client asks again with its next session.
    presence.watch([userId]).catch(() => {});
    return () => {
      presence.unwatch([userId]).catch(() => {});
    };
  }, [presence, userId]);
  return userId === undefined ? undefined : all.get(userId);
}

/** "Busy · in a meeting", "Last seen 5 minutes ago". */
export function describePresence(presence: UserPresence | undefined): string {
  if (!presence) return "";
  const { status, customStatus, lastSeenAt } = presence;
  const base = status === "offline" && lastSeenAt ? `Last seen ${agoOf(lastSeenAt)}` : STATUS_LABELS[status];
  return customStatus ? `${base} · ${customStatus}` : base;
}
