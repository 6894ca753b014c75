import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Starling } from "../src/index.js";
import { connected, contents, created, cursor, event, pass, settle } from "./support/script.js";

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

describe("gap", () => {
  test("a range that was left out is paged", async () => {
    const { starling, socket } = await connected({ a: 2 });
    const seen = seqs(starling);
    socket.say("gap", { roomId: "a", from: 3, to: 4, cursor: cursor(4) });
    socket.event(created("a", 5));
    socket.ok(socket.take("fetch_events"), page(3, 4));
    await settle();
    expect(seen).toEqual([3, 4, 5]);
  });

  test("a range that retention removed is passed over", async () => {
    const { starling, socket } = await connected({ a: 2 });
    const seen = seqs(starling);
    socket.say("gap", { roomId: "a", from: 3, to: 90, cursor: cursor(90) });
    socket.event(created("a", 91));
    socket.ok(socket.take("fetch_events"), page(91, 91));
    await settle();
    expect(seen).toEqual([91]);
    // Nothing at all is left: after some patience.
    socket.say("gap", { roomId: "a", from: 92, to: 95, cursor: cursor(95) });
    for (let round = 0; round < 3; round++) {
      socket.ok(socket.take("fetch_events"), { events: [], hasMore: false });
      await pass(1_000);
    }
    expect(socket.has("fetch_events")).toBe(false);
    socket.event(created("a", 96));
    expect(seen).toEqual([91, 96]);
  });

  test("rewritten history: what came after the last common point is dropped and replaced", async () => {
    const { starling, socket } = await connected({ a: 0 });
    starling.room("a");
    const resets: string[] = [];
    starling.on("room_reset", ({ roomId }) => resets.push(roomId));
    socket.event(created("a", 1), created("a", 2), created("a", 3, { content: "lost" }));
    expect(contents(starling, "a")).toEqual(["m1", "m2", "lost"]);
    socket.say("gap", { roomId: "a", from: 3, to: 4, rewindTo: 2, cursor: cursor(4, "bbbbbbbb") });
    expect(resets).toEqual(["a"]);
    // Cut before the page: the old cursor still tells the next server.
    expect(starling.positions().a).toEqual({ seq: 2, cursor: cursor(3) });
    const history = socket.take("fetch_history");
    const fetch = socket.take("fetch_events");
    expect(fetch.data.after).toBe(2);
    const rewritten = [created("a", 3, { content: "new3" }), created("a", 4, { content: "new4" })];
    socket.ok(fetch, { events: rewritten, hasMore: false });
    const messages = [created("a", 1), created("a", 2), ...rewritten].map(({ data }) => ({
      ...data,
      replyCount: 0,
    }));
    socket.ok(history, { messages, hasMore: false });
    await settle();
    expect(contents(starling, "a")).toEqual(["m1", "m2", "new3", "new4"]);
    expect(starling.positions().a?.seq).toBe(4);
  });

  test("rewritten with nothing new: live delivery goes on from the common point", async () => {
    const { starling, socket } = await connected({ a: 9 });
    const seen = seqs(starling);
    socket.say("gap", { roomId: "a", from: 8, to: 7, rewindTo: 7, cursor: cursor(7, "bbbbbbbb") });
    expect(starling.positions().a).toEqual({ seq: 7, cursor: cursor(7, "bbbbbbbb") });
    socket.event(created("a", 8));
    expect(seen).toEqual([8]);
    expect(socket.has("fetch_events")).toBe(false);
  });

  test("a page of the old history is not taken after a rewind", async () => {
    const { starling, socket } = await connected({ a: 5 });
    const seen = seqs(starling);
    socket.say("gap", { roomId: "a", from: 6, to: 8, cursor: cursor(8) });
    const old = socket.take("fetch_events");
    socket.say("gap", { roomId: "a", from: 4, to: 6, rewindTo: 3, cursor: cursor(6, "bbbbbbbb") });
    socket.ok(old, page(6, 8));
    await settle();
    expect(seen).toEqual([]);
    socket.ok(socket.take("fetch_events"), page(4, 6));
    await settle();
    expect(seen).toEqual([4, 5, 6]);
  });

  test("too much is loaded anew instead of replayed", async () => {
    const { script, starling, socket } = await connected({ a: 2 }, { catchUpLimit: 100 });
    starling.room("a");
    const seen = seqs(starling);
    const resets: string[] = [];
    starling.on("room_reset", ({ roomId }) => resets.push(roomId));
    socket.event(created("a", 3));
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await settle();
    script.socket.inboxes();
    script.socket.subscribed({ a: 5_000 }, { limited: true });
    script.socket.event(created("a", 5_001));
    const messages = [4_999, 5_000].map((seq) => ({ ...created("a", seq).data, replyCount: 0 }));
    script.socket.ok(script.socket.take("fetch_history"), { messages, hasMore: true });
    await settle();
    expect(resets).toEqual(["a"]);
    expect(seen).toEqual([3, 5_001]);
    expect(contents(starling, "a")).toEqual(["m4999", "m5000", "m5001"]);
    expect(script.socket.has("fetch_events")).toBe(false);
  });

  test("what does not fit among the waiting events is paged later", async () => {
    const { starling, socket } = await connected({ a: 0 });
    const seen = seqs(starling);
    for (const seq of range(2, 1_300)) socket.event(created("a", seq));
    expect(seen).toEqual([]);
    socket.ok(socket.take("fetch_events"), page(1, 500));
    await settle();
    // 2 to 1,001 were held: with 1 they are all there.
    expect(seen).toEqual(range(1, 1_001));
    socket.ok(socket.take("fetch_events"), page(1_002, 1_300));
    await settle();
    expect(seen).toEqual(range(1, 1_300));
  });

  test("membership: what comes after leaving is not applied, what comes after returning is", async () => {
    const { starling, socket } = await connected({ a: 4 });
    const seen = seqs(starling);
    socket.event(event("member_kicked", "a", 5, { userId: "me" }));
    expect(starling.room("a").getSnapshot().status).toBe("gone");
    socket.event(created("a", 6));
    expect(seen).toEqual([5]);
    const joining = starling.join("a");
    const join = socket.take("join_room");
    expect(join.data).toEqual({ roomId: "a", history: 50 });
    socket.ok(join, {
      room: { roomId: "a", head: 9, memberCount: 2 },
      role: "member",
      head: 9,
      cursor: cursor(9),
      messages: [],
      onlineCount: 1,
      unread: 0,
      mentions: 0,
    });
    socket.event(created("a", 10));
    await joining;
    expect(seen).toEqual([5, 10]);
    expect(starling.room("a").getSnapshot().status).toBe("live");
  });
});
