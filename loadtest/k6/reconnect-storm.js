// Everybody loses the socket in the same moment while the rooms go on, and comes back within SPREAD seconds: how long until all have
// what they missed, and is nothing left out or seen twice?

import { Client, pause } from "./lib/client.js";
import { exact } from "./lib/metrics.js";
import * as metrics from "./lib/metrics.js";
import { joinAll, say } from "./lib/rest.js";
import { number, roomOf, summary, userOf } from "./lib/settings.js";

const users = number("USERS", 300);
const rooms = number("ROOMS", 15);
const cuts = number("CUTS", 3);
const spreadMs = number("SPREAD", 2) * 1000;
const everyMs = number("EVERY", 10) * 1000; // from cut to cut
const seconds = ((cuts + 1) * everyMs) / 1000;
const speaker = userOf("speaker");

export const options = {
  summaryTrendStats: summary,
  scenarios: {
    listen: { executor: "per-vu-iterations", vus: users, iterations: 1, maxDuration: `${seconds + 60}s`, exec: "listen" },
    speak: {
      executor: "constant-arrival-rate",
      rate: number("RATE", 30), // messages a second, over all rooms
      duration: `${seconds}s`,
      preAllocatedVUs: 20,
      exec: "speak",
    },
  },
  thresholds: { ...exact, cut_to_resumed: [`p(99)<${spreadMs + 1000}`], "http_req_failed{name:send}": ["rate==0"] },
};

export function setup() {
  const all = Array.from({ length: users }, (_, n) => [userOf(n), roomOf(n % rooms)]);
  for (let room = 0; room < rooms; room += 1) {
    all.push([speaker, roomOf(room)]);
  }
  joinAll(all);
  return { from: Date.now() };
}

export async function listen({ from }) {
  const n = __VU % users;
  const room = roomOf(n % rooms);
  const client = new Client(userOf(n));
  await pause(Math.random() * 3000);
  if (!(await client.connect()) || !(await client.follow(room))) {
    return;
  }
  for (let cut = 1; cut <= cuts; cut += 1) {
    await pause(from + cut * everyMs - Date.now());
    const cutAt = Date.now();
    client.cut();
    await pause(Math.random() * spreadMs);
    if (!(await client.connect()) || !(await client.follow(room))) {
      return;
    }
    metrics.cutToResumed.add(Date.now() - cutAt);
  }
  await pause(from + seconds * 1000 - Date.now());
  client.close();
}

export function speak() {
  say(speaker, roomOf(Math.floor(Math.random() * rooms)), 100);
}
