import { useEffect } from "react";
import { kept } from "../kept.js";
import { partnerOf } from "../rooms/titles.js";
import { hrefOf } from "../route.js";
import { useSigned } from "../starling.js";

/** Whether the user wants to be told outside of the page. The browser has its own word in that. */
export const wantsDesktop = kept("starling.desktop", (value) => value === true);

export const canDesktop = (): boolean => "Notification" in globalThis && isSecureContext;

/** Asks the browser, and the user with it; whether they agree. */
export async function askForDesktop(): Promise<boolean> {
  const isGranted = canDesktop() && (await Notification.requestPermission()) === "granted";
  wantsDesktop.set(isGranted);
  return isGranted;
}

/** Direct messages and mentions, told by the system while nobody looks at the room. */
export function useDesktopNotifications(openRoomId: string | undefined): void {
  const { starling, names } = useSigned();
  useEffect(
    () =>
      starling.on("message_created", ({ roomId, senderId, content, mentions, seq }) => {
        const me = starling.userId ?? "";
        const isForMe = partnerOf(roomId, me) !== undefined || mentions?.includes(me);
        const isSeen = document.hasFocus() && roomId === openRoomId;
        if (senderId === me || !isForMe || isSeen || !wantsDesktop.get()) return;
        if (!canDesktop() || Notification.permission !== "granted") return;
        const notification = new Notification(names.of(senderId), { body: content, tag: `${roomId} ${seq}` });
        notification.onclick = () => {
          focus();
          location.hash = hrefOf({ page: "room", roomId });
          notification.close();
        };
      }),
    [starling, names, openRoomId],
  );
}
