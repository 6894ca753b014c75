// The gateways are replaced one after the other while people talk: does nobody miss anything? Every second user does what
// `migrate` asks for and should lose no socket; the others are closed and come back. Start it, then restart the gateways.

import { joinRooms } from "./lib/chat.js";
import { Client, pause } from "./lib/client.js";
import { exact } from "./lib/metrics.js";
import * as metrics from "./lib/metrics.js";
import { number, roomOf, summary, userOf } from "./lib/settings.js";

const users = number("USERS", 200);
const rooms = number("ROOMS", 10);
const seconds = number("SECONDS", 60);
const everyMs = number("EVERY", 5) * 1000;

export const options = {
  summaryTrendStats: summary,
  scenarios: {
    chat: { executor: "per-vu-iterations", vus: users, iterations: 1, maxDuration: `${seconds + 60}s` },
  },
  thresholds: { ...exact, moved_too_late: ["count==0"], end_to_resumed: ["p(99)<2000"] },
};

export function setup() {
  joinRooms(users, rooms);
}

// Half a second by chance, doubled with each failure, as Starling's own client waits.
async function comeBack(client, room) {
  for (let failed = 0; ; failed += 1) {
    await pause(Math.random() * Math.min(500 * 2 ** failed, 30000));
    if ((await client.connect()) && (await client.follow(room))) {
      return;
    }
  }
}

async function move(client, room, afterMs) {
  await pause(afterMs);
  const old = client.socket;
  if ((await client.connect()) && (await client.follow(room))) {
    metrics.moved.add(1);
    old.close();
  } else {
    await comeBack(client, room);
  }
}

export default async function () {
  const until = Date.now() + seconds * 1000;
  const room = roomOf((__VU - 1) % rooms);
  const client = new Client(userOf(__VU - 1));
  const migrates = __VU % 2 === 0;
  await pause(Math.random() * 3000);
  if (!(await client.connect()) || !(await client.follow(room))) {
    client.close();
    return;
  }
  // What is said waits while the client changes its socket.
  let settled = Promise.resolve();
  client.onEnd = () => {
    const endedAt = Date.now();
    if (migrates) {
      metrics.movedTooLate.add(1);
    }
    settled = comeBack(client, room).then(() => metrics.endToResumed.add(Date.now() - endedAt));
  };
  if (migrates) {
    client.onMigrate = (afterMs) => {
      settled = move(client, room, afterMs);
    };
  }
  while (Date.now() < until) {
    await pause(everyMs * (0.5 + Math.random()));
    await settled;
    await client.say(room, number("LENGTH", 100), () => settled);
  }
  await settled;
  // What others said last is still on its way.
  await pause(1000);
  client.close();
}
