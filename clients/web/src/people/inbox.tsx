import type { Json, Notification } from "@starling/client";
import { useNotifications } from "@starling/react";
import { useState, useSyncExternalStore } from "react";
import { kept } from "../kept.js";
import { Content } from "../text/content.js";
import { shortTimeOf } from "../text/time.js";
import { IconButton } from "../ui/button.js";
import { Dialog } from "../ui/dialog.js";
import { attempt } from "../ui/toasts.js";
import { askForDesktop, canDesktop, wantsDesktop } from "./desktop.js";

/** Event ids begin with their time, so the greatest one seen says which are new. */
const lastSeen = kept("starling.notified", (value) => (typeof value === "string" ? value : ""));

/** The bell: how many notifications are new, and a list of them. */
export function Inbox() {
  const [isOpen, setIsOpen] = useState(false);
  const all = useNotifications();
  const seen = useSyncExternalStore(lastSeen.subscribe, lastSeen.get);
  const fresh = all.filter(({ eventId }) => eventId > seen).length;
  const close = () => {
    setIsOpen(false);
    const last = all.at(-1);
    if (last) lastSeen.set(last.eventId);
  };
  return (
    <>
      <span className="badged">
        <IconButton
          icon="bell"
          label={fresh ? `Notifications, ${fresh} new` : "Notifications"}
          onClick={() => setIsOpen(true)}
        />
        {fresh > 0 && (
          <span className="badge is-mention" aria-hidden="true">
            {fresh}
          </span>
        )}
      </span>
      {isOpen && (
        <Dialog title="Notifications" onClose={close}>
          {canDesktop() && <DesktopSwitch />}
          {all.length === 0 ? (
            <p className="muted empty">No notifications. Announcements and news for you come here.</p>
          ) : (
            <ul className="inbox">
              {all.toReversed().map((notification) => (
                <li key={notification.eventId} className={notification.eventId > seen ? "is-new" : ""}>
                  <InboxItem notification={notification} />
                </li>
              ))}
            </ul>
          )}
        </Dialog>
      )}
    </>
  );
}

/** The first of what applications usually call the text of a notification. */
function textOf(payload: Json): string {
  if (typeof payload === "string") return payload;
  if (payload === null || typeof payload !== "object" || Array.isArray(payload))
    return JSON.stringify(payload);
  const fields = payload as { readonly [key: string]: Json };
  const texts = ["title", "text", "message", "body"].map((key) => fields[key]);
  const found = texts.filter((text): text is string => typeof text === "string");
  return found.length ? found.join("\n") : JSON.stringify(payload);
}

function InboxItem({ notification: { topic, payload, createdAt } }: { notification: Notification }) {
  return (
    <>
      <p className="inbox-head">
        <strong>{topic}</strong>
        <time dateTime={createdAt}>{shortTimeOf(createdAt)}</time>
      </p>
      <Content text={textOf(payload)} />
    </>
  );
}

function DesktopSwitch() {
  const isOn = useSyncExternalStore(wantsDesktop.subscribe, wantsDesktop.get);
  const toggle = () => {
    if (isOn) wantsDesktop.set(false);
    else attempt(askForDesktop());
  };
  return (
    <label className="switch">
      <input type="checkbox" role="switch" aria-checked={isOn} checked={isOn} onChange={toggle} />
      <span>Tell me about direct messages and mentions outside of this page</span>
    </label>
  );
}
