import type { RoomMessage } from "@starling/client";
import { type RefObject, useCallback, useLayoutEffect, useRef } from "react";

/** So near to the end counts as at the end: fractions of pixels, and the last line half seen. */
const NEAR_PX = 40;

interface Place {
  isAtEnd: boolean;
  /** The first message that is seen, and where it was. */
  key: string | undefined;
  top: number;
}

/**
 * Keeps what a reader looks at where it is, whatever is added above: the browser's own anchoring is not in all of them.
 * Whoever is at the end, or sends a message, stays at the end. Items have `data-key`.
 */
export function useScrollAnchor(box: RefObject<HTMLElement | null>, messages: readonly RoomMessage[]) {
  const place = useRef<Place>({ isAtEnd: true, key: undefined, top: 0 });
  const lastKey = useRef<string | undefined>(undefined);

  const remember = useCallback(() => {
    if (!box.current) return;
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    const seen = items(box.current).find((item) => item.offsetTop + item.offsetHeight > scrollTop);
    place.current = {
      isAtEnd: scrollHeight - scrollTop - clientHeight <= NEAR_PX,
      key: seen?.dataset.key,
      top: seen?.offsetTop ?? 0,
    };
  }, [box]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const { isAtEnd, key, top } = place.current;
    const last = messages.at(-1);
    const isJustSent = last?.state === "sending" && last.key !== lastKey.current;
    lastKey.current = last?.key;
    if (isAtEnd || isJustSent) element.scrollTop = element.scrollHeight;
    else {
      const anchor = items(element).find((item) => item.dataset.key === key);
      if (anchor) element.scrollTop += anchor.offsetTop - top;
    }
    remember();
  }, [box, messages, remember]);

  return { remember, isAtEnd: useCallback(() => place.current.isAtEnd, []) };
}

const items = (box: HTMLElement) => Array.from(box.querySelectorAll<HTMLElement>(":scope > ol > li"));
