import type { Settings } from "./options.js";

/** Codes after which the same client would only be refused again. 4500–4999 besides. */
const TERMINAL = new Set([1000, 1002, 1003, 1007, 1009, 1010]);

/** Whether a close code ends the session. */
export function isTerminal(code: number): boolean {
  return TERMINAL.has(code) || code >= 4500;
}

/** Overloaded and rate limited: begin with a longer wait. */
const PATIENT = new Set([1013, 4008]);
const PATIENT_FAILURES = 4;

/**
 * How long to wait before the next connection: full jitter, so that the clients of a node that went away do not come
 * back at one moment. What the server asked for comes on top.
 */
export function delayMs(
  { backoff, random }: Settings,
  failures: number,
  code: number,
  retryAfterMs = 0,
): number {
  const doublings = PATIENT.has(code) ? Math.max(failures, PATIENT_FAILURES) : failures;
  return retryAfterMs + random() * Math.min(backoff.capMs, backoff.baseMs * 2 ** doublings);
}
