import { useSyncExternalStore } from "react";

const EVENTS = ["focus", "blur", "visibilitychange"] as const;

function subscribe(listener: () => void): () => void {
  for (const type of EVENTS) addEventListener(type, listener);
  return () => {
    for (const type of EVENTS) removeEventListener(type, listener);
  };
}

/** Whether somebody looks at this page. */
export const useIsWatched = (): boolean =>
  useSyncExternalStore(subscribe, () => document.visibilityState === "visible" && document.hasFocus());
