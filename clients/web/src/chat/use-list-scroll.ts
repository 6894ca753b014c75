import type { Room, RoomSnapshot } from "@starling/client";
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";
import type { VirtualizerHandle } from "virtua";
import type { Row } from "./rows.js";

/** So near to the end counts as being there. */
const END_PX = 48;
/** So near to the top the next page is asked for. */
const TOP_PX = 600;

interface ListScroll {
  isAtEnd: boolean;
  onScroll: () => void;
  onResize: () => void;
  toEnd: () => void;
}

/**
 * Keeps the list at its end while one is there, begins at the first unread message, and loads what is older on the way
 * up. That the view does not jump when older rows come in front is the virtualizer's part.
 */
export function useListScroll(
  list: RefObject<VirtualizerHandle | null>,
  room: Room,
  { hasMore, messages }: RoomSnapshot,
  rows: readonly Row[],
): ListScroll {
  const [isAtEnd, setIsAtEnd] = useState(true);
  const atEnd = useRef(true);
  const hasBegun = useRef(false);
  const last = useRef(0);
  last.current = rows.length - 1;

  const toEnd = useCallback(() => {
    atEnd.current = true;
    setIsAtEnd(true);
    list.current?.scrollToIndex(last.current, { align: "end" });
  }, [list]);

  const loadMore = useCallback(() => {
    const isNearTop = (list.current?.scrollOffset ?? 0) < TOP_PX;
    // Not told: scrolling on asks again.
    if (hasMore && messages.length && isNearTop) room.loadOlder().catch(() => {});
  }, [list, room, hasMore, messages.length]);

  const onScroll = useCallback(() => {
    const handle = list.current;
    if (!handle) return;
    atEnd.current = handle.scrollOffset + handle.viewportSize >= handle.scrollSize - END_PX;
    setIsAtEnd(atEnd.current);
    loadMore();
  }, [list, loadMore]);

  const onResize = useCallback(() => {
    if (atEnd.current) list.current?.scrollToIndex(last.current, { align: "end" });
  }, [list]);

  useLayoutEffect(() => {
    if (!rows.length) return;
    const unread = rows.findIndex((row) => row.kind === "unread");
    if (!hasBegun.current && unread >= 0) {
      hasBegun.current = true;
      list.current?.scrollToIndex(unread, { align: "start", offset: -END_PX });
    } else if (atEnd.current) {
      list.current?.scrollToIndex(rows.length - 1, { align: "end" });
    }
    loadMore();
  }, [list, rows, loadMore]);

  return { isAtEnd, onScroll, onResize, toEnd };
}
