import { useMemo, useSyncExternalStore } from "react";

/** What all stores of `@starling/client` have. */
export interface Readable<Snapshot> {
  subscribe(this: void, listener: () => void): () => void;
  getSnapshot(this: void): Snapshot;
}

/** The present state of a store. */
export function useStore<Snapshot>(store: Readable<Snapshot>): Snapshot {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}

/** A part of a store's state: renders again only when a field of that part changes. `select` must not change. */
export function useSelected<Snapshot, Part extends object>(
  store: Readable<Snapshot>,
  select: (snapshot: Snapshot) => Part,
): Part {
  const getPart = useMemo(() => {
    let part: Part | undefined;
    return () => {
      const fresh = select(store.getSnapshot());
      if (!part || !isSame(part, fresh)) part = fresh;
      return part;
    };
  }, [store, select]);
  return useSyncExternalStore(store.subscribe, getPart, getPart);
}

function isSame<Part extends object>(a: Part, b: Part): boolean {
  const keys = Object.keys(a) as (keyof Part)[];
  return keys.length === Object.keys(b).length && keys.every((key) => Object.is(a[key], b[key]));
}
