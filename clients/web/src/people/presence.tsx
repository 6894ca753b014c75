import type { Status, UserPresence } from "@starling/client";
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

/** "Busy · in a meeting", "Last seen 5 minutes ago". */
export function describePresence(presence: UserPresence | undefined): string {
  if (!presence) return "";
  const { status, customStatus, lastSeenAt } = presence;
  const base = status === "offline" && lastSeenAt ? `Last seen ${agoOf(lastSeenAt)}` : STATUS_LABELS[status];
  return customStatus ? `${base} · ${customStatus}` : base;
}
