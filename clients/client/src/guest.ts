import { StarlingError } from "./error.js";
import type { ErrorBody } from "./protocol/commands.js";
import type { TokenProvider } from "./token.js";

interface Guest {
  token: string;
  refreshToken: string;
}

/** A server that does not answer is asked again. */
const TIMEOUT_MS = 15_000;

/**
 * Signs in as a guest, where the server lets guests in (`auth.guests`): the first token is of a new user of this name,
 * and the further ones of the same user. `server` is the gateway's address, such as `https://chat.example.org`, or `""`
 * for the one that served the page.
 *
 * A refusal (guests are not let in, the name is too long) ends the connection with `unauthenticated`.
 */
export function guest(server: string, name: string): TokenProvider {
  let refreshToken: string | undefined;
  return async () => {
    const given = refreshToken
      ? await post<Guest>(`${server}/api/v1/auth/refresh`, { refreshToken })
      : await post<Guest>(`${server}/api/v1/auth/guest`, { name });
    refreshToken = given.refreshToken;
    return given.token;
  };
}

async function post<T>(url: string, body: object): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.ok) return response.json();
  const text = await response.text();
  const why = `${url} answered ${response.status}: ${detailOf(text)}`;
  // What waiting changes is tried again by whoever asked for a token.
  const isForNow = response.status >= 500 || response.status === 429;
  throw new StarlingError(isForNow ? "unavailable" : "unauthenticated", why);
}

/** What the server says, or what somebody in front of it does. */
function detailOf(text: string): string {
  try {
    return (JSON.parse(text) as ErrorBody).message;
  } catch {
    return text.slice(0, 200);
  }
}
