import { StarlingError } from "./error.js";

/**
 * Gets a token. `isExpired` says that the last one is used up or was refused, so that a cached one is no help. `null`
 * says that there is none: nobody is signed in, and the client disconnects for good. A rejection is tried again.
 */
export type TokenProvider = (why: { isExpired: boolean }) => string | null | Promise<string | null>;

/** Keeps the token from one connection to the next, so that a restarted gateway is no storm on whoever issues tokens. */
export class Tokens {
  readonly #source: string | TokenProvider;
  #token: string | undefined;
  #asked: Promise<string> | undefined;
  /** The token was kept from an earlier connection: a refusal may mean only that it is too old. */
  isKept = false;
  #isStale = false;

  constructor(source: string | TokenProvider) {
    this.#source = source;
    if (typeof source === "string") this.#token = source;
  }

  /** Whether a new one can be had. */
  get isRenewable(): boolean {
    return typeof this.#source === "function";
  }

  /** Uses this one from now on. */
  use(token: string): void {
    this.#token = token;
    this.#isStale = false;
  }

  /** The kept token will not do any more. */
  expire(): void {
    this.#isStale = true;
  }

  /** The kept token, or a new one. Asks once, however many wait. */
  get(): Promise<string> {
    if (this.#token !== undefined && (!this.#isStale || !this.isRenewable)) {
      this.isKept = this.isRenewable;
      return Promise.resolve(this.#token);
    }
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = undefined;
    });
    return this.#asked;
  }

  async #ask(): Promise<string> {
    const isExpired = this.#isStale;
    const token = await (this.#source as TokenProvider)({ isExpired });
    if (token === null) throw new StarlingError("unauthenticated", "there is no token: nobody is signed in");
    this.#token = token;
    this.#isStale = false;
    this.isKept = false;
    return token;
  }
}
