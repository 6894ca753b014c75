import { kept } from "../kept.js";
import { ApiError, api } from "./api.js";
import { claimsOf } from "./claims.js";

/** Somebody who has signed in from this browser. */
export interface Account {
  userId: string;
  name: string;
  token: string;
  /** Gets the next token; guests have one. */
  refreshToken?: string;
  /** When the token ends, in milliseconds since 1970. */
  expiresAt: number;
}

interface GuestReply {
  token: string;
  userId: string;
  name: string;
  expiresAt: string;
  refreshToken: string;
}

const REFRESH_AHEAD_MS = 30_000;

const accounts = kept("starling.accounts", (value): Readonly<Record<string, Account>> => {
  const found = Object.values((value ?? {}) as Record<string, Account | null>);
  const usable = found.filter((account): account is Account => claimsOf(account?.token ?? "") !== undefined);
  return Object.fromEntries(usable.map((account) => [account.userId, account]));
});

/** Who this tab is. Each tab has its own, so that two windows can be two people. */
export const activeUser = kept("starling.user", (value) => (typeof value === "string" ? value : ""), true);

/** Those who can go on without signing in again. */
export function knownAccounts(): Account[] {
  const isUsable = ({ refreshToken, expiresAt }: Account) => refreshToken || expiresAt > Date.now();
  return Object.values(accounts.get()).filter(isUsable);
}

export const accountOf = (userId: string): Account | undefined => accounts.get()[userId];

function keep(account: Account): Account {
  accounts.set({ ...accounts.get(), [account.userId]: account });
  return account;
}

function forget(userId: string): void {
  const { [userId]: _, ...others } = accounts.get();
  accounts.set(others);
}

function keepGuest({ token, userId, name, expiresAt, refreshToken }: GuestReply): Account {
  return keep({ token, userId, name, refreshToken, expiresAt: Date.parse(expiresAt) });
}

export async function signInAsGuest(name: string): Promise<Account> {
  return keepGuest(await api<GuestReply>("/api/v1/auth/guest", { method: "POST", body: { name } }));
}

export function signInByToken(text: string): Account {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  const claims = claimsOf(token);
  if (!claims) throw new Error("This is no token: it has three parts, with dots between them.");
  if (claims.expiresAt <= Date.now()) throw new Error("This token has expired. Ask for a new one.");
  const { userId, name, expiresAt } = claims;
  return keep({ token, userId, name, expiresAt });
}

/** Signs this tab out; a guest's name is free for nobody else, so the browser forgets how to be that guest. */
export function signOut(userId: string): void {
  forget(userId);
  activeUser.set("");
}

/** One tab at a time, so that two do not use up the same refresh token. */
async function alone<T>(name: string, action: () => Promise<T>): Promise<T> {
  // Only pages from https or this machine have locks.
  return navigator.locks ? await navigator.locks.request(name, action) : await action();
}

/** A token that is good for a while; `null` when nobody can sign in with what is kept. */
export function freshToken(userId: string, { isExpired }: { isExpired: boolean }): Promise<string | null> {
  const asked = accountOf(userId)?.token;
  return alone(`starling.token.${userId}`, async () => {
    const account = accountOf(userId);
    if (!account) return null;
    // Another tab, or an earlier call, may have got one in the meantime.
    const isGood = account.expiresAt - Date.now() > REFRESH_AHEAD_MS;
    if (isGood && (!isExpired || account.token !== asked)) return account.token;
    if (account.refreshToken === undefined) return isExpired ? null : account.token;
    try {
      const body = { refreshToken: account.refreshToken };
      return keepGuest(await api<GuestReply>("/api/v1/auth/refresh", { method: "POST", body })).token;
    } catch (error) {
      const isRefused = error instanceof ApiError && [400, 401, 403, 404].includes(error.status);
      if (!isRefused) throw error;
      forget(userId);
      return null;
    }
  });
}
