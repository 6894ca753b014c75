// Rooms of users who talk: the body of steady-chat.js and soak.js.

import { Client, pause } from "./client.js";
import { joinAll } from "./rest.js";
import { roomOf, userOf } from "./settings.js";

export function joinRooms(users, rooms) {
  joinAll(Array.from({ length: users }, (_, n) => [userOf(n), roomOf(n % rooms)]));
}

// One user: connects at a moment of its own in the first tenth, says something every `everyMs` on average, leaves.
export async function chat({ rooms, everyMs, length, forMs }) {
  const until = Date.now() + forMs;
  const room = roomOf((__VU - 1) % rooms);
  const client = new Client(userOf(__VU - 1));
  await pause(Math.random() * Math.min(forMs / 10, 10000));
  if (!(await client.connect()) || !(await client.follow(room))) {
    client.close();
    return;
  }
  while (Date.now() < until) {
    await pause(everyMs * (0.5 + Math.random()));
    await client.say(room, length);
  }
  // What others said last is still on its way.
  await pause(1000);
  client.close();
}
