import { type MaybeRefOrGetter, type ShallowRef, shallowReadonly, shallowRef, toValue, watch } from "vue";

/** What all stores of `@starling/client` have. */
export interface Readable<Snapshot> {
  subscribe(this: void, listener: () => void): () => void;
  getSnapshot(this: void): Snapshot;
}

/** The present state of a store, until the scope ends. */
export function useStore<Snapshot>(
  store: MaybeRefOrGetter<Readable<Snapshot>>,
): Readonly<ShallowRef<Snapshot>> {
  const state = shallowRef(toValue(store).getSnapshot());
  watchNow(
    () => toValue(store),
    (present) => {
      const update = () => {
        state.value = present.getSnapshot();
      };
      update();
      return present.subscribe(update);
    },
  );
  return shallowReadonly(state) as Readonly<ShallowRef<Snapshot>>;
}

/** Begins something for a value, and ends it when the value changes or the scope ends. */
export function watchNow<T>(source: () => T, begin: (value: T) => (() => void) | undefined): void {
  watch(
    source,
    (value, _, onCleanup) => {
      const end = begin(value);
      if (end) onCleanup(end);
    },
    // At once, so that nothing is seen of one value together with another's.
    { immediate: true, flush: "sync" },
  );
}
