import type { ConnectionStatus } from "./connection.js";
import { StarlingError } from "./error.js";
import type { Store } from "./store.js";

/** Failures that the next connection may end. */
const PASSING = new Set(["disconnected", "timeout", "unavailable", "rate_limited"]);

/**
 * Work that is wanted while something is shown: done once, however many want it, as soon as there is a connection, and
 * with the next one if that was cut.
 */
export class Wanted {
  readonly #status: Store<ConnectionStatus>;
  readonly #work: () => Promise<unknown>;
  readonly #over: () => void;
  #holders = 0;
  #isDone = false;
  #isBusy = false;
  #unsubscribe: (() => void) | undefined;

  /** `work` tells its failures by itself; `over` is called when nobody wants it any more. */
  constructor(status: Store<ConnectionStatus>, work: () => Promise<unknown>, over: () => void = () => {}) {
    this.#status = status;
    this.#work = work;
    this.#over = over;
  }

  /** It is to be done again when it is wanted again. */
  undo(): void {
    this.#isDone = false;
  }

  /** Wants it. Returns what ends it. */
  hold(): () => void {
    this.#holders += 1;
    this.#unsubscribe ??= this.#status.subscribe(() => void this.#try());
    void this.#try();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders -= 1;
      // User interfaces end and begin in one turn: React's StrictMode, a list that moves to another parent.
      queueMicrotask(() => this.#settle());
    };
  }

  #settle(): void {
    if (this.#holders || !this.#unsubscribe) return;
    this.#unsubscribe();
    this.#unsubscribe = undefined;
    this.#over();
  }

  async #try(): Promise<void> {
    if (this.#isDone || this.#isBusy || this.#status.getSnapshot().state !== "connected") return;
    this.#isBusy = true;
    try {
      await this.#work();
      this.#isDone = true;
    } catch (error) {
      this.#isDone = !(error instanceof StarlingError && PASSING.has(error.code));
    } finally {
      this.#isBusy = false;
    }
  }
}
