import type { Starling } from "@starling/client";
import { useEffect, useRef, useState } from "react";
import { go } from "./route.js";

/** The room that somebody new finds themselves in. */
const FIRST_ROOM = "general";

interface SessionOptions {
  /** Signed in for the first time. */
  isNew: boolean;
  /** The server does not take the token any more, and there is no other. */
  onSignedOut: (why: string) => void;
}

/** Keeps the client connected while the component is there; whether its rooms are known. */
export function useSession(starling: Starling, options: SessionOptions): boolean {
  const [isReady, setIsReady] = useState(false);
  const latest = useRef(options);
  latest.current = options;

  useEffect(() => {
    const ends = [
      starling.on("resumed", () => {
        setIsReady(true);
        // Names and counts; without them the rooms are there all the same, and the next session asks again.
        starling.loadRooms().catch(() => {});
      }),
      starling.on("status", ({ state, error }) => {
        if (state === "disconnected" && error?.code === "unauthenticated") {
          latest.current.onSignedOut("Your session has ended. Sign in again.");
        }
      }),
    ];
    const begin = async () => {
      await starling.connect();
      const hasPlace = location.hash.length > 2 || starling.rooms.getSnapshot().length > 0;
      if (hasPlace || !latest.current.isNew) return;
      await starling.join(FIRST_ROOM);
      go({ page: "room", roomId: FIRST_ROOM });
    };
    // The banner says why there is no connection; without the first room there is the list of others.
    begin().catch(() => {});
    // Hours may have passed, or the network may have gone: find out now whether the connection is alive.
    const look = () => document.visibilityState === "visible" && starling.wake();
    document.addEventListener("visibilitychange", look);
    addEventListener("offline", starling.wake);
    return () => {
      for (const end of ends) end();
      document.removeEventListener("visibilitychange", look);
      removeEventListener("offline", starling.wake);
      starling.disconnect();
    };
  }, [starling]);
  return isReady;
}
