/** A value in the browser's storage, that can be watched. Where there is no storage it lives as long as the page. */
export interface Kept<T> {
  get(): T;
  set(value: T): void;
  subscribe(listener: () => void): () => void;
}

/** Storage may be forbidden, or full: then reading gives nothing, and writing is void. */
function tried<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** Keeps a value under `key` for all tabs, or, with `isOfTab`, for this one. */
export function kept<T>(key: string, parse: (value: unknown) => T, isOfTab = false): Kept<T> {
  const storage = () => tried(() => (isOfTab ? sessionStorage : localStorage));
  const listeners = new Set<() => void>();
  let text: string | null = null;
  let value = parse(undefined);
  // The same text is the same object, as `useSyncExternalStore` wants it.
  const read = (): T => {
    const now = tried(() => storage()?.getItem(key)) ?? null;
    if (now !== null && now !== text) {
      text = now;
      value = parse(tried(() => JSON.parse(now)));
    }
    return value;
  };
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  const otherTab = (event: StorageEvent) => {
    if (event.key === key) tell();
  };
  return {
    get: read,
    set(next) {
      text = JSON.stringify(next);
      value = next;
      tried(() => storage()?.setItem(key, text ?? ""));
      tell();
    },
    subscribe(listener) {
      if (!listeners.size) addEventListener("storage", otherTab);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (!listeners.size) removeEventListener("storage", otherTab);
      };
    },
  };
}
