import type { Notification } from "@starling/client";
import { onScopeDispose, type ShallowRef } from "vue";
import { useStarling } from "./provide.js";
import { useStore } from "./store.js";

/** The latest notifications and announcements, oldest first; loaded as soon as there is a connection. */
export function useNotifications(): Readonly<ShallowRef<readonly Notification[]>> {
  const { notifications } = useStarling();
  onScopeDispose(notifications.follow());
  return useStore(notifications);
}
