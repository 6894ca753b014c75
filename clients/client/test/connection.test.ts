import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ConnectionState, StarlingError } from "../src/index.js";
import { client, connected, pass, settle, welcomed } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function states(starling: ReturnType<typeof client>["starling"]): ConnectionState[] {
  const seen: ConnectionState[] = [];
  starling.on("status", ({ state }) => seen.at(-1) !== state && seen.push(state));
  return seen;
}

describe("connect", () => {
  test("sends the token in the first frame, not in the address", async () => {
    const { script, starling } = client({ url: "https://chat.example.org/ws", token: "secret" });
    const seen = states(starling);
    const welcome = starling.connect();
    expect(starling.connect()).toBe(welcome);
    await settle();
    const { socket } = script;
    expect(socket.url).toBe("wss://chat.example.org/ws");
    expect(socket.protocols).toEqual(["starling.v1.json"]);
    socket.welcome();
    expect(socket.take("authenticate").data).toEqual({ token: "secret" });
    await welcomed(socket);
    expect(await welcome).toMatchObject({ userId: "me", sessionId: "s1" });
    expect(starling.userId).toBe("me");
    expect(seen).toEqual(["connecting", "connected"]);
    expect(script.sockets).toHaveLength(1);
  });

  test("keeps trying to connect, with full jitter over a window that doubles", async () => {
    const { script, starling } = client({ backoff: { baseMs: 1_000, capMs: 4_000 } });
    const seen = states(starling);
    void starling.connect();
    await settle();
    for (const half of [500, 1_000, 2_000, 2_000]) {
      script.socket.drop();
      await pass(half - 1);
      const before = script.sockets.length;
      await pass(1);
      expect(script.sockets).toHaveLength(before + 1);
    }
    expect(seen).toEqual(["connecting"]);
    script.socket.welcome();
    await settle();
    expect(seen).toEqual(["connecting", "connected"]);
  });

  test("gives a handshake up that does not come to a welcome", async () => {
    const { script, starling } = client();
    void starling.connect();
    await settle();
    script.socket.onopen?.();
    await pass(9_999);
    expect(script.socket.closedBy).toBeUndefined();
    await pass(1);
    expect(script.sockets[0]?.closedBy?.code).toBe(4000);
    await pass(250);
    expect(script.sockets).toHaveLength(2);
  });

  test("disconnect() ends everything, and connect() begins anew", async () => {
    const { script, starling, socket } = await connected();
    const seen = states(starling);
    starling.disconnect();
    expect(socket.closedBy).toEqual({ code: 1000, reason: "done" });
    await expect(starling.request("ping", {})).rejects.toMatchObject({ code: "disconnected" });
    await pass(120_000);
    expect(script.sockets).toHaveLength(1);
    const again = starling.connect();
    await settle();
    script.socket.welcome();
    await welcomed(script.socket);
    await again;
    expect(seen).toEqual(["disconnected", "connecting", "connected"]);
    expect(vi.getTimerCount()).toBe(1); // the heartbeat
    starling.disconnect();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("disconnect() while the token is awaited opens no socket", async () => {
    let give = (_: string) => {};
    const token = () =>
      new Promise<string>((resolve) => {
        give = resolve;
      });
    const { script, starling } = client({ token });
    const welcome = starling.connect();
    await settle();
    starling.disconnect();
    give("late");
    await pass(60_000);
    expect(script.sockets).toHaveLength(0);
    await expect(welcome).rejects.toMatchObject({ code: "disconnected" });
  });

  test("says what to do where there is no WebSocket", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => client({ WebSocket: undefined as never })).toThrow(/package "ws"/);
    vi.unstubAllGlobals();
  });
});

describe("close codes", () => {
  const RECONNECT = [1001, 1005, 1006, 1011, 1012, 4000, 4009, 4010, 4499];
  test.each(RECONNECT)("%i reconnects and resumes", async (code) => {
    const { script, starling, socket } = await connected({ general: 7 });
    const seen = states(starling);
    socket.drop(code, "why");
    expect(starling.status.getSnapshot()).toMatchObject({ state: "reconnecting", code, reason: "why" });
    await pass(249);
    expect(script.sockets).toHaveLength(1);
    await pass(1);
    expect(script.sockets).toHaveLength(2);
    script.socket.welcome({ sessionId: "s2" });
    await settle();
    const named = script.socket.take("subscribe");
    expect(named.data.rooms.map((room: { roomId: string }) => room.roomId)).toEqual(["@me", "@all"]);
    script.socket.ok(named, { rooms: [] });
    await settle();
    expect(script.socket.take("subscribe").data).toEqual({ all: true, cursors: { general: "7.aaaaaaaa" } });
    expect(seen).toEqual(["reconnecting", "connected"]);
  });

  test.each([1013, 4008])("%i waits longer from the first time on", async (code) => {
    const { script, socket } = await connected();
    socket.drop(code);
    await pass(3_999);
    expect(script.sockets).toHaveLength(1);
    await pass(1);
    expect(script.sockets).toHaveLength(2);
  });

  test("what the server asks for comes on top of the jitter", async () => {
    const { script, socket } = await connected();
    socket.say("error", { code: "unavailable", message: "full", retryAfterMs: 20_000 });
    socket.drop(1013);
    await pass(23_999);
    expect(script.sockets).toHaveLength(1);
    await pass(1);
    expect(script.sockets).toHaveLength(2);
  });

  const TERMINAL = [1000, 1002, 1007, 1009, 4500, 4501, 4502, 4503, 4504, 4505, 4999];
  test.each(TERMINAL)("%i is the end", async (code) => {
    const { script, starling, socket } = await connected();
    const waiting = starling.request("list_rooms", {});
    socket.drop(code, "because");
    expect(starling.status.getSnapshot()).toMatchObject({ state: "disconnected", code, reason: "because" });
    await expect(waiting).rejects.toMatchObject({ code: "disconnected" });
    await expect(starling.room("a").send("x")).rejects.toMatchObject({ code: "disconnected" });
    await pass(300_000);
    expect(script.sockets).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("the end says what the server said", async () => {
    const { starling, socket } = await connected();
    const errors: StarlingError[] = [];
    starling.on("error", (error) => errors.push(error));
    socket.say("error", { code: "unauthenticated", message: "the token names nobody" });
    socket.drop(4500, "invalid token");
    const { error } = starling.status.getSnapshot();
    expect(error).toMatchObject({ code: "unauthenticated", message: "the token names nobody" });
    expect(errors).toHaveLength(1);
  });

  test("a connection that lasts makes the next wait short again; one that does not, does not", async () => {
    const { script, socket } = await connected();
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await pass(1_000);
    script.socket.drop();
    await pass(499);
    expect(script.sockets).toHaveLength(2);
    await pass(1);
    script.socket.welcome();
    await pass(10_000);
    script.socket.drop();
    await pass(250);
    expect(script.sockets).toHaveLength(4);
  });
});

describe("liveness", () => {
  test("asks after a silent heartbeat, and reconnects after a second one", async () => {
    const { script, starling, socket } = await connected();
    await pass(24_999);
    expect(socket.has("ping")).toBe(false);
    await pass(1);
    expect(socket.take("ping")).toMatchObject({ id: 0 });
    await pass(24_999);
    expect(socket.closedBy).toBeUndefined();
    await pass(1);
    expect(socket.closedBy).toMatchObject({ code: 4000 });
    expect(starling.status.getSnapshot()).toMatchObject({ state: "reconnecting", code: 1006 });
    await pass(250);
    expect(script.sockets).toHaveLength(2);
  });

  test("whatever comes is a sign of life", async () => {
    const { socket } = await connected();
    await pass(20_000);
    socket.say("typing", { roomId: "a", userId: "bob", isTyping: true });
    await pass(24_999);
    expect(socket.has("ping")).toBe(false);
    await pass(1);
    socket.ok(socket.take("ping"), { serverTime: "" });
    await pass(24_999);
    expect(socket.has("ping")).toBe(false);
    await pass(1);
    expect(socket.has("ping")).toBe(true);
    await pass(1_000);
    socket.say("pong", { serverTime: "" }, 0);
    await pass(24_000);
    expect(socket.closedBy).toBeUndefined();
  });

  test("a server that says nonsense of its heartbeat is not asked all the time", async () => {
    const { script, starling } = client();
    void starling.connect();
    await settle();
    script.socket.welcome({ heartbeatMs: 0 });
    await welcomed(script.socket);
    await pass(999);
    expect(script.socket.has("ping")).toBe(false);
    await pass(1);
    expect(script.socket.has("ping")).toBe(true);
  });

  test("a late timer asks before it gives up", async () => {
    const { socket } = await connected();
    vi.setSystemTime(Date.now() + 300_000); // asleep: time passed, timers did not run
    await pass(25_000);
    expect(socket.has("ping")).toBe(true);
    expect(socket.closedBy).toBeUndefined();
  });

  test("wake() tries at once, or asks whether anybody is there", async () => {
    const { script, starling, socket } = await connected();
    starling.wake();
    expect(socket.has("ping")).toBe(true);
    await pass(5_000);
    expect(starling.status.getSnapshot().state).toBe("reconnecting");
    starling.wake();
    await settle();
    expect(script.sockets).toHaveLength(2);
    starling.wake(); // one is on its way already
    await settle();
    expect(script.sockets).toHaveLength(2);
  });

  test("a frame that cannot be read costs the connection, not an event", async () => {
    const { script, starling, socket } = await connected({ general: 1 });
    socket.onmessage?.({ data: "{" });
    expect(starling.status.getSnapshot()).toMatchObject({ state: "reconnecting" });
    await pass(250);
    expect(script.sockets).toHaveLength(2);
  });
});
