// An ordinary day: many rooms of some twenty people, each says something now and then.

import { chat, joinRooms } from "./lib/chat.js";
import { exact } from "./lib/metrics.js";
import { number, summary } from "./lib/settings.js";

const users = number("USERS", 200);
const rooms = number("ROOMS", 10);
const seconds = number("SECONDS", 60);

export const options = {
  summaryTrendStats: summary,
  scenarios: {
    chat: { executor: "per-vu-iterations", vus: users, iterations: 1, maxDuration: `${seconds + 60}s` },
  },
  thresholds: { ...exact, send_to_ack: ["p(99)<100"], send_to_deliver: ["p(99)<250"] },
};

export function setup() {
  joinRooms(users, rooms);
}

export default function () {
  return chat({ rooms, everyMs: number("EVERY", 5) * 1000, length: number("LENGTH", 100), forMs: seconds * 1000 });
}
