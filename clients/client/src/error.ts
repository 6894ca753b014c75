import type { ErrorBody } from "./protocol/commands.js";
import type { Json } from "./protocol/model.js";

/** Codes of the protocol, and four of this client: see {@link StarlingError}. */
export type ErrorCode =
  | "invalid_message"
  | "unknown_type"
  | "unauthenticated"
  | "token_expired"
  | "forbidden"
  | "not_found"
  | "not_member"
  | "room_full"
  | "room_exists"
  | "banned"
  | "muted"
  | "slow_mode"
  | "rate_limited"
  | "message_too_long"
  | "too_many_rooms"
  | "conflict"
  | "unavailable"
  | "internal"
  | "disconnected"
  | "timeout"
  | "queue_full"
  | "expired";

/**
 * Why something did not happen: a refusal of the server, or one of the client's own.
 *
 * - `disconnected`: the connection ended for good, or was cut while the outcome of a command was open.
 * - `timeout`: no answer in time.
 * - `queue_full`: too much waits to be sent already.
 * - `expired`: a message waited longer than `messageTtlMs`.
 */
export class StarlingError extends Error {
  override readonly name = "StarlingError";
  /** When to try again, where waiting helps. */
  readonly retryAfterMs: number | undefined;
  readonly details: Json | undefined;

  constructor(
    readonly code: ErrorCode | (string & {}),
    message: string,
    more: { retryAfterMs?: number | undefined; details?: Json | undefined; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.retryAfterMs = more.retryAfterMs;
    this.details = more.details;
  }

  /** From the data of an `error`. */
  static from(body: ErrorBody): StarlingError {
    return new StarlingError(body.code, body.message, body);
  }
}
