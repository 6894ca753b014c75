import type { Notification } from "@starling/client";
import { type ReactNode, useId, useState } from "react";
import { useNotifications } from "../hooks/notifications.js";
import { classes, type Labels, type Props } from "./props.js";

const LABELS = { title: "Notifications", fresh: "new", empty: "No notifications" };

export type NotificationCenterProps = Props<
  "section",
  Labels<typeof LABELS> & {
    /** What to show of a notification instead. */
    children?: (notification: Notification) => ReactNode;
    /** The `eventId` of the last one seen earlier: those behind it are new. */
    seen?: string;
    /** The list was opened: keep the `eventId` of the last one as `seen`. */
    onSeen?: (eventId: string) => void;
  }
>;

/** A button that says how many notifications are new, and opens the list of them, newest first. */
export function NotificationCenter({
  labels,
  children,
  seen = "",
  onSeen,
  className,
  ...rest
}: NotificationCenterProps): ReactNode {
  const notifications = useNotifications();
  const [opened, setOpened] = useState("");
  const [isOpen, setOpen] = useState(false);
  const listId = useId();
  const texts = { ...LABELS, ...labels };
  // Event ids begin with their time.
  const last = seen > opened ? seen : opened;
  const fresh = isOpen ? 0 : notifications.filter(({ eventId }) => eventId > last).length;

  const toggle = () => {
    setOpen(!isOpen);
    const newest = notifications.at(-1)?.eventId;
    // On closing, too: some came while it was open.
    if (newest === undefined || newest <= last) return;
    setOpened(newest);
    onSeen?.(newest);
  };

  return (
    <section
      aria-label={texts.title}
      {...rest}
      className={classes("starling-notification-center", className)}
      data-new={fresh || undefined}
    >
      <button type="button" aria-expanded={isOpen} aria-controls={listId} onClick={toggle}>
        {texts.title}
        <span role="status">{fresh > 0 && ` ${fresh} ${texts.fresh}`}</span>
      </button>
      <div id={listId} hidden={!isOpen}>
        {notifications.length === 0 && <p className="starling-empty">{texts.empty}</p>}
        <ul>
          {[...notifications].reverse().map((notification) => (
            <li key={notification.eventId} data-topic={notification.topic}>
              {children ? children(notification) : <Plain notification={notification} />}
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

/** The topic, the payload where it is text, and the time: what else a payload says only the application knows. */
function Plain({ notification: { topic, payload, createdAt } }: { notification: Notification }): ReactNode {
  return (
    <>
      <strong>{topic}</strong> {typeof payload === "string" && <span>{payload}</span>}{" "}
      <time dateTime={createdAt}>{new Date(createdAt).toLocaleString()}</time>
    </>
  );
}
