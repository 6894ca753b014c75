import type { RoomSnapshot } from "@starling/client";
import { useEffect, useRef } from "react";
import { useSigned } from "../starling.js";
import { partnerOf } from "./titles.js";

/** Beyond these nobody looks without a search; their names come with their messages. */
const LIMIT = 50;

/** Names and presence of those one has direct messages with. */
export function useDirectPeople(rooms: readonly RoomSnapshot[]): void {
  const { starling, names, account } = useSigned();
  const asked = useRef(new Set<string>());
  useEffect(() => {
    for (const { roomId } of rooms.slice(0, LIMIT)) {
      const partner = partnerOf(roomId, account.userId);
      if (partner === undefined || asked.current.has(partner)) continue;
      asked.current.add(partner);
      const found = Promise.all([
        starling.presence.watch([partner]),
        starling.request("list_members", { roomId }).then(({ members }) => names.learn(members)),
      ]);
      found.catch(() => asked.current.delete(partner));
    }
  }, [rooms, starling, names, account]);
}
