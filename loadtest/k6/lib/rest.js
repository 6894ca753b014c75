import http from "k6/http";

import { base } from "./settings.js";
import { tokenOf } from "./token.js";

const AT_ONCE = 50;

export function asUser(user, name) {
  return { headers: { Authorization: `Bearer ${tokenOf(user)}`, "Content-Type": "application/json" }, tags: { name } };
}

// Membership, before any socket is open: joins that others watch would be most of the load.
export function joinAll(members) {
  for (let at = 0; at < members.length; at += AT_ONCE) {
    const requests = members.slice(at, at + AT_ONCE).map(([user, room]) => ({
      method: "PUT",
      url: `${base}/api/v1/rooms/${room}/members/me`,
      body: "{}",
      params: asUser(user, "join"),
    }));
    for (const answer of http.batch(requests)) {
      if (answer.status >= 300) {
        throw new Error(`a user cannot join: ${answer.status} ${answer.error} ${answer.body}`);
      }
    }
  }
}

export function say(user, room, length) {
  const sentAt = Date.now();
  const body = { clientId: `${user}-${sentAt}-${Math.random()}`, content: `${sentAt} `.padEnd(length, "x") };
  return http.post(`${base}/api/v1/rooms/${room}/messages`, JSON.stringify(body), asUser(user, "send"));
}
