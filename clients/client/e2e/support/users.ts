import { randomUUID } from "node:crypto";
import { vi } from "vitest";
import { WebSocket } from "ws";
import { token } from "../../../testing/tokens.js";
import { type Room, Starling, type StarlingOptions } from "../../src/index.js";

const open: Starling[] = [];

/** A client of this user; {@link leave} ends it. */
export function client(url: string, user: string, options: Partial<StarlingOptions> = {}): Starling {
  const starling = new Starling({
    url,
    token: token(user, { name: user.toUpperCase() }),
    WebSocket,
    backoff: { baseMs: 20, capMs: 200 },
    ...options,
  });
  open.push(starling);
  return starling;
}

/** Ends all clients. */
export function leave(): void {
  for (const starling of open.splice(0)) starling.disconnect();
}

/** A name of this test alone: the gateway keeps what earlier ones left. */
export const fresh = (name: string) => `${name}-${randomUUID().slice(0, 8)}`;

export const until = <T>(condition: () => T | Promise<T>) =>
  vi.waitFor(condition, { timeout: 30_000, interval: 10 });

export const contents = (room: Room) => room.getSnapshot().messages.map(({ content }) => content);
