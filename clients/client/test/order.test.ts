import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Starling } from "../src/index.js";
import { client, connected, created, cursor, pass, settle, welcomed } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function seqs(starling: Starling, roomId = "a"): number[] {
  const seen: number[] = [];
  starling.on("event", ({ data }) => data.roomId === roomId && seen.push(data.seq));
  return seen;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const page = (from: number, to: number) => ({
  events: range(from, to).map((seq) => created("a", seq)),
  hasMore: false,
});

describe("order", () => {
  test("each event once, whatever comes twice", async () => {
    const { starling, socket } = await connected({ a: 2 });
    const seen = seqs(starling);
    socket.event(created("a", 1), created("a", 2), created("a", 3), created("a", 3), created("a", 4));
    socket.event(created("a", 2), created("a", 4));
    expect(seen).toEqual([3, 4]);
    expect(starling.positions()).toMatchObject({ a: { seq: 4, cursor: "4.aaaaaaaa" } });
  });

  test("a batch is its events, in order", async () => {
    const { starling, socket } = await connected({ a: 0, b: 0 });
    const order: string[] = [];
    starling.on("event", ({ data }) => order.push(`${data.roomId}${data.seq}`));
    starling.on("typing", ({ userId }) => order.push(userId));
    const typing = { type: "typing", data: { roomId: "a", userId: "bob", isTyping: true } };
    socket.say("batch", { events: [created("a", 1), created("b", 1), typing, created("a", 2)] });
    expect(order).toEqual(["a1", "b1", "bob", "a2"]);
  });

  test("a hole is paged, and what came meanwhile waits", async () => {
    const { starling, socket } = await connected({ a: 2 });
    const seen = seqs(starling);
    socket.event(created("a", 6), created("a", 7));
    expect(seen).toEqual([]);
    expect(starling.room("a").getSnapshot().isCatchingUp).toBe(true);
    const fetch = socket.take("fetch_events");
    expect(fetch.data).toEqual({ roomId: "a", after: 2, limit: 200 });
    socket.event(created("a", 8));
    socket.ok(fetch, page(3, 5));
    await settle();
    expect(seen).toEqual(range(3, 8));
    expect(starling.room("a").getSnapshot().isCatchingUp).toBe(false);
    expect(socket.has("fetch_events")).toBe(false);
  });

  test("a hole in one room does not hold another", async () => {
    const { starling, socket } = await connected({ a: 0, b: 0 });
    const seen = seqs(starling, "b");
    socket.event(created("a", 5), created("b", 1));
    expect(seen).toEqual([1]);
  });

  test("what fills the hole by itself is taken", async () => {
    const { starling, socket } = await connected({ a: 0 });
    const seen = seqs(starling);
    socket.event(created("a", 3), created("a", 1), created("a", 2));
    expect(seen).toEqual([1, 2, 3]);
    socket.ok(socket.take("fetch_events"), page(1, 3));
    await settle();
    expect(seen).toEqual([1, 2, 3]);
  });

  test("a room that the server adds begins with its first event", async () => {
    const { starling, socket } = await connected();
    const seen = seqs(starling, "@dm:bob,me");
    socket.event(created("@dm:bob,me", 1));
    expect(seen).toEqual([1]);
    expect(starling.rooms.getSnapshot().map(({ id }) => id)).toEqual(["@dm:bob,me"]);
  });

  test("a listener that throws disturbs nobody", async () => {
    const { starling, socket } = await connected({ a: 0 });
    const thrown: unknown[] = [];
    const caught = (error: unknown) => thrown.push(error);
    process.on("uncaughtException", caught);
    const listeners = process.listeners("uncaughtException").filter((one) => one !== caught);
    for (const one of listeners) process.off("uncaughtException", one);
    starling.on("event", () => {
      throw new Error("mine");
    });
    const seen = seqs(starling);
    socket.event(created("a", 1), created("a", 2));
    vi.useRealTimers();
    await new Promise((resolve) => setTimeout(resolve, 0));
    process.off("uncaughtException", caught);
    for (const one of listeners) process.on("uncaughtException", one);
    expect(seen).toEqual([1, 2]);
    expect(thrown).toHaveLength(2);
  });

  test("an unknown kind of durable event takes its place", async () => {
    const { starling, socket } = await connected({ a: 0 });
    const seen = seqs(starling);
    const future = created("a", 1);
    socket.event({ type: "poll_opened", data: future.data }, created("a", 2));
    expect(seen).toEqual([1, 2]);
  });

  test("on, off, once", async () => {
    const { starling, socket } = await connected({ a: 0 });
    const seen: string[] = [];
    const listener = () => seen.push("on");
    const end = starling.on("message_created", listener);
    starling.once("message_created", ({ content }) => seen.push(content));
    socket.event(created("a", 1), created("a", 2));
    end();
    starling.on("message_created", listener);
    starling.off("message_created", listener);
    socket.event(created("a", 3));
    expect(seen).toEqual(["on", "m1", "on"]);
  });
});

describe("resume", () => {
  test("what was missed follows the answer, and nothing comes twice", async () => {
    const { script, starling, socket } = await connected({ a: 2 });
    const seen = seqs(starling);
    socket.event(created("a", 3));
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.inboxes();
    const all = script.socket.take("subscribe");
    expect(all.data.cursors).toEqual({ a: cursor(3) });
    // In one burst, before any promise settles.
    const answer = { roomId: "a", head: 5, cursor: cursor(5), unread: 0, mentions: 0 };
    script.socket.ok(all, { rooms: [answer] });
    script.socket.event(created("a", 4), created("a", 5), created("a", 6));
    await settle();
    expect(seen).toEqual([3, 4, 5, 6]);
    expect(script.socket.has("fetch_events")).toBe(false);
  });

  test("`limited` is paged up to the head, live events wait", async () => {
    const { script, starling, socket } = await connected({ a: 2 });
    const seen = seqs(starling);
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.inboxes();
    script.socket.subscribed({ a: 420 }, { limited: true });
    script.socket.say("gap", { roomId: "a", from: 3, to: 420, cursor: cursor(420) });
    script.socket.event(created("a", 421));
    for (const [from, to] of [
      [3, 202],
      [203, 402],
      [403, 420],
    ] as const) {
      const fetch = script.socket.take("fetch_events");
      expect(fetch.data.after).toBe(from - 1);
      script.socket.ok(fetch, page(from, to));
      await settle();
    }
    expect(seen).toEqual(range(3, 421));
  });

  test("a page that is refused for a while is asked for again; a lost connection too", async () => {
    const { script, starling, socket } = await connected({ a: 0 });
    const seen = seqs(starling);
    socket.say("gap", { roomId: "a", from: 1, to: 3, cursor: cursor(3) });
    socket.refuse(socket.take("fetch_events"), "unavailable", { retryAfterMs: 1_000 });
    await pass(1_099);
    expect(socket.has("fetch_events")).toBe(false);
    await pass(1);
    socket.take("fetch_events");
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.ok(script.socket.take("fetch_events"), page(1, 3));
    await settle();
    expect(seen).toEqual([1, 2, 3]);
  });

  test("a room that may not be read any more is gone", async () => {
    const { script, starling, socket } = await connected({ a: 4, b: 4 });
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.inboxes();
    const error = { code: "not_member", message: "join first" };
    const there = { roomId: "b", head: 4, cursor: cursor(4), unread: 0, mentions: 0 };
    script.socket.ok(script.socket.take("subscribe"), { rooms: [{ roomId: "a", error }, there] });
    await settle();
    expect(starling.room("a").getSnapshot()).toMatchObject({ status: "gone", error: { code: "not_member" } });
    expect(starling.room("b").getSnapshot().status).toBe("live");
    expect(Object.keys(starling.positions())).toEqual(expect.arrayContaining(["b"]));
    expect(starling.positions().a).toBeUndefined();
    const seen = seqs(starling);
    script.socket.event(created("a", 5));
    expect(seen).toEqual([]);
  });

  test("a room that the server cannot look at now is tried again; a bad cursor is left out", async () => {
    const { script, socket } = await connected({ a: 4, b: 4 });
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.inboxes();
    const errors = {
      a: { code: "unavailable", message: "", retryAfterMs: 700 },
      b: { code: "invalid_message", message: "the cursor is not one that this server gave" },
    };
    const rooms = Object.entries(errors).map(([roomId, error]) => ({ roomId, error }));
    script.socket.ok(script.socket.take("subscribe"), { rooms });
    await pass(700);
    expect(script.socket.take("subscribe").data.rooms).toEqual([
      { roomId: "a", cursor: cursor(4) },
      { roomId: "b" },
    ]);
  });

  test("many rooms are named in several commands", async () => {
    const heads = Object.fromEntries(range(1, 450).map((n) => [`r${n}`, n]));
    const { script, socket } = await connected(heads);
    socket.drop();
    await pass(250);
    script.socket.welcome();
    const sizes: number[] = [];
    for (let round = 0; round < 4; round++) {
      await settle();
      if (!script.socket.has("subscribe")) break;
      const command = script.socket.take("subscribe");
      sizes.push(command.data.all ? Object.keys(command.data.cursors).length : command.data.rooms.length);
      script.socket.ok(command, { rooms: [] });
    }
    expect(sizes).toEqual([200, 200, 52]); // 2 inboxes and 250 by name, in two; 200 beside `all`
  });

  test("a failing subscribe is repeated until the link is gone", async () => {
    const { script, starling, socket } = await connected({ a: 1 });
    const errors: string[] = [];
    starling.on("error", ({ code }) => errors.push(code));
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.refuse(script.socket.take("subscribe"), "internal");
    await pass(1_000);
    expect(script.socket.has("subscribe")).toBe(true);
    expect(errors).toEqual(["internal"]);
  });

  test("positions go from one client to another", async () => {
    const { script, starling } = client({
      positions: { a: { seq: 41, cursor: cursor(41) } },
      followAll: false,
    });
    const seen = seqs(starling);
    void starling.connect();
    await settle();
    script.socket.welcome();
    await settle();
    const command = script.socket.take("subscribe");
    expect(command.data).toEqual({ rooms: [{ roomId: "a", cursor: cursor(41) }] });
    script.socket.ok(command, {
      rooms: [{ roomId: "a", head: 42, cursor: cursor(42), unread: 1, mentions: 0 }],
    });
    script.socket.event(created("a", 42));
    expect(seen).toEqual([42]);
    expect(script.socket.has("subscribe")).toBe(false);
  });

  test("subscribe() follows by name and says a refusal; unsubscribe() ends it", async () => {
    const { starling, socket } = await connected();
    const following = starling.subscribe(["x", "y"]);
    const error = { code: "forbidden", message: "private" };
    const x = { roomId: "x", head: 3, cursor: cursor(3), unread: 2, mentions: 1 };
    socket.ok(socket.take("subscribe"), { rooms: [x, { roomId: "y", error }] });
    await expect(following).rejects.toMatchObject({ code: "forbidden" });
    expect(starling.room("x").getSnapshot()).toMatchObject({ status: "live", unread: 2, mentions: 1 });
    const ending = starling.unsubscribe(["x"]);
    socket.ok(socket.take("unsubscribe"));
    await ending;
    expect(starling.room("x").getSnapshot().status).toBe("gone");
  });
});

test("a new session begins with what the client follows", async () => {
  const { script, starling, socket } = await connected({ a: 1 });
  const resumed: string[] = [];
  starling.on("resumed", ({ sessionId }) => resumed.push(sessionId));
  socket.drop();
  await pass(250);
  script.socket.welcome({ sessionId: "s2" });
  expect(resumed).toEqual([]);
  await welcomed(script.socket, { a: 1 });
  expect(resumed).toEqual(["s2"]);
});
