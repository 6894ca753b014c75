import { rethrowLater } from "./emitter.js";

/**
 * Something that can be watched: `subscribe` and `getSnapshot` are what React's `useSyncExternalStore` takes, and are
 * bound. A snapshot is immutable, and the same object until something changes.
 */
export abstract class Store<Snapshot> {
  readonly #listeners = new Set<() => void>();
  #snapshot: Snapshot | undefined;
  #isTelling = false;

  /** Calls the listener after changes; changes of one turn are told once. Returns what ends it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  /** The present state. */
  readonly getSnapshot = (): Snapshot => {
    this.#snapshot ??= this.build();
    return this.#snapshot;
  };

  protected abstract build(): Snapshot;

  /** Snapshots are built when somebody looks, so a thousand events replayed cost one copy. */
  protected changed(): void {
    this.#snapshot = undefined;
    if (this.#isTelling || !this.#listeners.size) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of [...this.#listeners]) {
        try {
          listener();
        } catch (error) {
          rethrowLater(error);
        }
      }
    });
  }
}

/** A store of one value that is replaced. */
export class Value<T> extends Store<T> {
  #value: T;

  constructor(value: T) {
    super();
    this.#value = value;
  }

  /** Replaces the value. */
  set(value: T): void {
    this.#value = value;
    this.changed();
  }

  protected override build(): T {
    return this.#value;
  }
}
