import type { Notification } from "@starling/client";
import { useEffect } from "react";
import { useStarling } from "../provider.js";
import { useStore } from "./store.js";

/** The latest notifications and announcements, oldest first; loaded as soon as there is a connection. */
export function useNotifications(): readonly Notification[] {
  const { notifications } = useStarling();
  useEffect(() => notifications.follow(), [notifications]);
  return useStore(notifications);
}
