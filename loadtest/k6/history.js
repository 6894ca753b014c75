// Pages of history by REST, from anywhere in the room: a page must cost the same at its beginning and at its end.

import { check } from "k6";
import http from "k6/http";

import { asUser, joinAll, say } from "./lib/rest.js";
import { base, number, roomOf, summary, text, userOf } from "./lib/settings.js";

const messages = number("MESSAGES", 2000);
const limit = number("LIMIT", 50);
const readers = 50;
const room = roomOf("history");

export const options = {
  summaryTrendStats: summary,
  setupTimeout: "10m",
  scenarios: {
    pages: {
      executor: "constant-arrival-rate",
      rate: number("RATE", 200),
      duration: text("DURATION", "20s"),
      preAllocatedVUs: 100,
    },
  },
  thresholds: {
    "http_req_duration{name:page}": ["p(95)<50", "p(99)<100"],
    "http_req_failed{name:page}": ["rate==0"],
    checks: ["rate==1"],
    dropped_iterations: ["count==0"],
  },
};

export function setup() {
  joinAll(Array.from({ length: readers }, (_, n) => [userOf(n), room]));
  let head = 0;
  for (let n = 0; n < messages; n += 1) {
    const answer = say(userOf(0), room, 200);
    if (answer.status !== 201) {
      throw new Error(`the room cannot be filled: ${answer.status} ${answer.body}`);
    }
    head = answer.json("seq");
  }
  return { head };
}

export default function ({ head }) {
  const before = limit + readers + 1 + Math.floor(Math.random() * (head - limit - readers));
  const url = `${base}/api/v1/rooms/${room}/messages?before=${before}&limit=${limit}`;
  const answer = http.get(url, asUser(userOf(__VU % readers), "page"));
  check(answer, {
    "a full page": () => answer.json("messages.#") === Math.min(limit, before - 1 - readers),
    "in order, next to where it was asked for": () => answer.json(`messages.${limit - 1}.seq`) === Math.min(before, head + 1) - 1,
  });
}
