import { hmac } from "k6/crypto";
import { b64encode } from "k6/encoding";

import { secret } from "./settings.js";

const head = b64encode(JSON.stringify({ alg: "HS256", typ: "JWT" }), "rawurl");

// What `starling token --user` prints, good for a day.
export function tokenOf(user) {
  const now = Math.floor(Date.now() / 1000);
  const claims = b64encode(JSON.stringify({ sub: user, iat: now, exp: now + 86400 }), "rawurl");
  return `${head}.${claims}.${hmac("sha256", secret, `${head}.${claims}`, "base64rawurl")}`;
}
