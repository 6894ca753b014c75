// Steady chat for hours. Look at the server's memory and descriptors meanwhile: they must not grow.

import { chat, joinRooms } from "./lib/chat.js";
import { exact } from "./lib/metrics.js";
import { number, summary } from "./lib/settings.js";

const users = number("USERS", 500);
const rooms = number("ROOMS", 25);
const minutes = number("MINUTES", 60);
// Each user stays so long and comes back, so that rooms open and close on the gateways all the time.
const stay = number("STAY", 5);

export const options = {
  summaryTrendStats: summary,
  scenarios: {
    soak: { executor: "constant-vus", vus: users, duration: `${minutes}m`, gracefulStop: `${stay + 1}m` },
  },
  thresholds: { ...exact, send_to_ack: ["p(99)<100"], send_to_deliver: ["p(99)<250"] },
};

export function setup() {
  joinRooms(users, rooms);
}

export default function () {
  return chat({ rooms, everyMs: number("EVERY", 20) * 1000, length: number("LENGTH", 100), forMs: stay * 60000 });
}
