import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const HOUR = 3_600_000;

function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part(claims)}.signature`;
}

const token = (lastsMs: number, more = {}) =>
  jwt({ sub: "ada", name: "Ada ✨", exp: Math.floor((Date.now() + lastsMs) / 1000), ...more });

/** Answers requests in turn; a number is a status without a body. */
function serve(...answers: (object | number)[]) {
  const fetch = vi.fn(async () => {
    const answer = answers.shift() ?? 500;
    return typeof answer === "number" ? new Response(null, { status: answer }) : Response.json(answer);
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

const guest = (name: string, lastsMs: number) => ({
  token: token(lastsMs, { sub: "guest-1", jti: name }),
  userId: "guest-1",
  name: "Zoe",
  expiresAt: new Date(Date.now() + lastsMs).toISOString(),
  refreshToken: `refresh-${name}`,
});

describe("accounts", () => {
  let accounts: typeof import("../src/account/accounts.js");
  beforeEach(async () => {
    localStorage.clear();
    sessionStorage.clear();
    vi.resetModules();
    accounts = await import("../src/account/accounts.js");
  });
  afterEach(() => vi.unstubAllGlobals());

  test("a token says who one is", () => {
    expect(accounts.signInByToken(` Bearer ${token(HOUR)}\n`)).toMatchObject({
      userId: "ada",
      name: "Ada ✨",
    });
    expect(accounts.knownAccounts().map(({ userId }) => userId)).toEqual(["ada"]);
  });

  test("what is no token, or is used up, is refused in words", () => {
    expect(() => accounts.signInByToken("hello")).toThrow("This is no token");
    expect(() => accounts.signInByToken(token(-HOUR))).toThrow("expired");
  });

  test("a guest's token is renewed shortly before it ends, and only then", async () => {
    const fetch = serve(guest("first", 10_000), guest("second", HOUR));
    await accounts.signInAsGuest("Zoe");
    const fresh = await accounts.freshToken("guest-1", { isExpired: false });
    expect(fetch).toHaveBeenCalledTimes(2);
    expect(await accounts.freshToken("guest-1", { isExpired: false })).toBe(fresh);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  test("a token that the server refused is renewed although it looks good", async () => {
    const fetch = serve(guest("first", HOUR), guest("second", HOUR));
    const { token: first } = await accounts.signInAsGuest("Zoe");
    expect(await accounts.freshToken("guest-1", { isExpired: true })).not.toBe(first);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  test("who cannot be renewed is forgotten; a server that is away is asked again", async () => {
    serve(guest("first", 1_000), 503, 401);
    await accounts.signInAsGuest("Zoe");
    await expect(accounts.freshToken("guest-1", { isExpired: false })).rejects.toThrow("503");
    expect(accounts.knownAccounts()).toHaveLength(1);
    expect(await accounts.freshToken("guest-1", { isExpired: false })).toBeNull();
    expect(accounts.knownAccounts()).toEqual([]);
  });

  test("a pasted token cannot be renewed", async () => {
    accounts.signInByToken(token(HOUR));
    expect(await accounts.freshToken("ada", { isExpired: false })).not.toBeNull();
    expect(await accounts.freshToken("ada", { isExpired: true })).toBeNull();
  });

  test("spoilt storage is as good as none", async () => {
    localStorage.setItem("starling.accounts", '{"x":{"token":7},"y":null}');
    expect(accounts.knownAccounts()).toEqual([]);
    localStorage.setItem("starling.accounts", "{");
    expect(accounts.knownAccounts()).toEqual([]);
  });
});
