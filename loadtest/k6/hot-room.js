// One room that everybody is in, and a few who talk without a break: what fan-out costs.

import { Client, pause } from "./lib/client.js";
import { exact } from "./lib/metrics.js";
import { joinAll } from "./lib/rest.js";
import { number, roomOf, summary, userOf } from "./lib/settings.js";

const members = number("MEMBERS", 300);
const senders = Math.min(number("SENDERS", 5), members);
const everyMs = 1000 / number("RATE", 4); // messages a second of each sender
const seconds = number("SECONDS", 30);
const room = roomOf("hot");

export const options = {
  summaryTrendStats: summary,
  scenarios: {
    room: { executor: "per-vu-iterations", vus: members, iterations: 1, maxDuration: `${seconds + 60}s` },
  },
  thresholds: { ...exact, send_to_ack: ["p(99)<100"], send_to_deliver: ["p(99)<250"] },
};

export function setup() {
  joinAll(Array.from({ length: members }, (_, n) => [userOf(n), room]));
  // All are there before the first word.
  return { from: Date.now() + 5000 };
}

export default async function ({ from }) {
  const client = new Client(userOf(__VU - 1));
  await pause(Math.random() * 3000);
  if ((await client.connect()) && (await client.follow(room))) {
    await pause(from - Date.now());
    const until = from + seconds * 1000;
    while (__VU <= senders && Date.now() < until) {
      await pause(everyMs * (0.5 + Math.random()));
      await client.say(room, number("LENGTH", 100));
    }
    await pause(until + 1000 - Date.now());
  }
  client.close();
}
