import type { UnreadCounts } from "@starling/client";
import { useStarling } from "../provider.js";
import { type Readable, useSelected } from "./store.js";

const partOf = ({ unread, mentions }: UnreadCounts): UnreadCounts => ({ unread, mentions });

/** What is unread: in a room, or in all that are followed. */
export function useUnread(roomId?: string): UnreadCounts {
  const starling = useStarling();
  const store: Readable<UnreadCounts> = roomId === undefined ? starling.unread : starling.room(roomId);
  return useSelected(store, partOf);
}
