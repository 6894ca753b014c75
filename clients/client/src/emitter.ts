/** Called with an event's data. */
export type Listener<T> = (data: T) => void;

/** Says an error where it is noticed, and lets everything else go on. */
export function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Typed events. A listener that throws disturbs neither the others nor the connection. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Calls the listener at every such event; returns what ends it. */
  on<K extends keyof Events>(type: K, listener: Listener<Events[K]>): () => void {
    const set = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, set.add(listener));
    return () => this.off(type, listener);
  }

  /** Ends what {@link on} began. */
  off<K extends keyof Events>(type: K, listener: Listener<Events[K]>): void {
    this.#listeners.get(type)?.delete(listener);
  }

  /** Calls the listener at the next such event only. */
  once<K extends keyof Events>(type: K, listener: Listener<Events[K]>): () => void {
    const end = this.on(type, (data) => {
      end();
      listener(data);
    });
    return end;
  }

  protected emit<K extends keyof Events>(type: K, data: Events[K]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])] as Listener<Events[K]>[]) {
      try {
        listener(data);
      } catch (error) {
        rethrowLater(error);
      }
    }
  }
}
