import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TokenProvider } from "../src/index.js";
import { client, connected, pass, settle, welcomed } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function provider(): { token: TokenProvider; asked: boolean[] } {
  const asked: boolean[] = [];
  return {
    asked,
    token: async ({ isExpired }) => {
      asked.push(isExpired);
      return `t${asked.length}`;
    },
  };
}

const tokenOf = (socket: { take(type: string): { data: { token: string } } }) =>
  socket.take("authenticate").data.token;

test("a provider is asked once, and its token kept over reconnects", async () => {
  const { token, asked } = provider();
  const { script, socket } = await connected({}, { token });
  expect(tokenOf(socket)).toBe("t1");
  socket.drop(1012);
  await pass(250);
  script.socket.welcome();
  expect(tokenOf(script.socket)).toBe("t1");
  expect(asked).toEqual([false]);
});

test("4005 asks for a new one before it reconnects", async () => {
  const { token, asked } = provider();
  const { script, socket } = await connected({}, { token });
  socket.drop(4005);
  await pass(250);
  script.socket.welcome();
  expect(tokenOf(script.socket)).toBe("t2");
  expect(asked).toEqual([false, true]);
});

test("4005 with a fixed token is the end, until there is a new one", async () => {
  const { script, starling, socket } = await connected({}, { token: "fixed" });
  socket.drop(4005);
  expect(starling.status.getSnapshot()).toMatchObject({ state: "disconnected", code: 4005 });
  await pass(60_000);
  expect(script.sockets).toHaveLength(1);
  await starling.refreshToken("newer");
  void starling.connect();
  await settle();
  script.socket.welcome();
  expect(tokenOf(script.socket)).toBe("newer");
});

test("a refused token that was kept may only be too old: one new one is tried", async () => {
  const { token, asked } = provider();
  const { script, starling, socket } = await connected({}, { token });
  socket.drop(1006);
  await pass(250);
  script.socket.onopen?.();
  script.socket.drop(4500);
  expect(starling.status.getSnapshot().state).toBe("reconnecting");
  await pass(500);
  expect(asked).toEqual([false, true]);
  script.socket.onopen?.();
  expect(tokenOf(script.socket)).toBe("t2");
  script.socket.drop(4500);
  expect(starling.status.getSnapshot()).toMatchObject({ state: "disconnected", code: 4500 });
});

test("a fresh token that is refused is the end", async () => {
  const { token } = provider();
  const { script, starling } = client({ token });
  const welcome = starling.connect();
  await settle();
  script.socket.onopen?.();
  script.socket.say("error", { code: "unauthenticated", message: "bad signature" });
  script.socket.drop(4500);
  await expect(welcome).rejects.toMatchObject({ code: "unauthenticated", message: "bad signature" });
});

test("a provider that fails is tried again; one that has no token ends it", async () => {
  const answers: (() => string | null)[] = [
    () => {
      throw new Error("offline");
    },
    () => "t1",
    () => null,
  ];
  const { script, starling } = client({ token: () => (answers.shift() ?? (() => "x"))() });
  const errors: string[] = [];
  starling.on("error", ({ message }) => errors.push(message));
  const welcome = starling.connect();
  await settle();
  expect(errors).toEqual(["offline"]);
  await pass(250);
  script.socket.welcome();
  await welcomed(script.socket);
  await welcome;
  script.socket.drop(4005);
  await pass(500);
  expect(starling.status.getSnapshot()).toMatchObject({
    state: "disconnected",
    error: { code: "unauthenticated" },
  });
});

test("token_expiring refreshes the live session", async () => {
  const { token, asked } = provider();
  const { script, starling, socket } = await connected({}, { token });
  socket.say("token_expiring", { expiresAt: "2026-11-20T12:01:00.000Z" });
  await settle();
  const refresh = socket.take("refresh_token");
  expect(refresh.data).toEqual({ token: "t2" });
  socket.ok(refresh, { expiresAt: "" });
  await pass(10_000);
  expect(asked).toEqual([false, true]);
  expect(script.sockets).toHaveLength(1);
  expect(starling.status.getSnapshot().state).toBe("connected");
  // The new one is the one that the next connection uses.
  socket.drop(1012);
  await pass(250);
  script.socket.welcome();
  expect(tokenOf(script.socket)).toBe("t2");
});

test("a refresh that fails is tried again while the session lives", async () => {
  let tries = 0;
  const token = () => {
    if (++tries === 2) throw new Error("offline");
    return `t${tries}`;
  };
  const { starling, socket } = await connected({}, { token });
  const errors: string[] = [];
  starling.on("error", ({ message }) => errors.push(message));
  socket.say("token_expiring", { expiresAt: "" });
  await settle();
  expect(errors).toEqual(["offline"]);
  await pass(5_000);
  socket.refuse(socket.take("refresh_token"), "internal");
  await pass(5_000);
  expect(socket.take("refresh_token").data.token).toBe("t4");
  starling.disconnect();
  await pass(60_000);
  expect(tries).toBe(4);
});

test("a fixed token: the application refreshes it", async () => {
  const { starling, socket } = await connected({}, { token: "fixed" });
  const seen: string[] = [];
  starling.on("token_expiring", ({ expiresAt }) => seen.push(expiresAt));
  socket.say("token_expiring", { expiresAt: "soon" });
  expect(seen).toEqual(["soon"]);
  expect(socket.has("refresh_token")).toBe(false);
  const refreshing = starling.refreshToken("newer");
  await settle();
  const command = socket.take("refresh_token");
  expect(command.data.token).toBe("newer");
  socket.ok(command, { expiresAt: "" });
  await refreshing;
});
