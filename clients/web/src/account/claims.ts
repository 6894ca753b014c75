/** What a token says of its bearer. Only the server can tell whether it is true. */
export interface Claims {
  userId: string;
  name: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
  isAdmin: boolean;
}

function payloadOf(token: string): Record<string, unknown> {
  const base64 = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
}

/** Reads a JWT; `undefined` where it is none. */
export function claimsOf(token: string): Claims | undefined {
  try {
    const { sub, userId, name, exp, roles } = payloadOf(token);
    const id = sub ?? userId;
    if ((typeof id !== "string" && typeof id !== "number") || typeof exp !== "number") return undefined;
    return {
      userId: String(id),
      name: typeof name === "string" && name ? name : String(id),
      expiresAt: exp * 1000,
      isAdmin: Array.isArray(roles) && roles.includes("admin"),
    };
  } catch {
    return undefined;
  }
}
