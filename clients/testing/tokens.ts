import { createHmac } from "node:crypto";

/** Signs the tokens of tests; every gateway of theirs has it. */
export const SECRET = "0123456789abcdef0123456789abcdef";
/** Longer than any test. */
const LIFETIME_S = 3_600;

export interface Claims {
  name?: string;
  roles?: readonly string[];
}

/** A token of this user. */
export function token(user: string, claims: Claims = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = { sub: user, exp: Math.floor(Date.now() / 1_000) + LIFETIME_S, ...claims };
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part(body)}`;
  return `${head}.${createHmac("sha256", SECRET).update(head).digest("base64url")}`;
}
