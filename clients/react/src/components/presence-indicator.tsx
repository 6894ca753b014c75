import type { Status } from "@starling/client";
import type { ReactNode } from "react";
import { usePresence } from "../hooks/presence.js";
import { classes, type Labels, type Props } from "./props.js";

const LABELS = { online: "online", away: "away", busy: "busy", offline: "offline", unknown: "unknown" };

export type PresenceIndicatorProps = Props<
  "span",
  Labels<typeof LABELS> & {
    /** Watches this user. */
    userId?: string;
    /** Or shows what is known already. */
    status?: Status | undefined;
  }
>;

/** A user's presence, as an image with a name for screen readers. `data-status` is for styles. */
export function PresenceIndicator({
  userId,
  status,
  labels,
  className,
  ...rest
}: PresenceIndicatorProps): ReactNode {
  const users = usePresence(userId === undefined ? [] : [userId]);
  const shown = (userId === undefined ? status : (users[userId]?.status ?? status)) ?? "unknown";
  return (
    <span
      role="img"
      aria-label={{ ...LABELS, ...labels }[shown]}
      {...rest}
      className={classes("starling-presence", className)}
      data-status={shown}
    />
  );
}
