import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connected, created, cursor, pass, settle, welcomed } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function migrating(heads: Record<string, number> = { a: 1 }) {
  const made = await connected(heads);
  const seen: number[] = [];
  const states: string[] = [];
  made.starling.on("event", ({ data }) => seen.push(data.seq));
  made.starling.on("status", ({ state }) => states.push(state));
  made.socket.say("migrate", { afterMs: 3_000 });
  await pass(2_999);
  expect(made.script.sockets).toHaveLength(1);
  await pass(1);
  return { ...made, old: made.socket, next: made.script.socket, seen, states };
}

test("the new link resumes before the old one goes; no event is lost or comes twice", async () => {
  const { starling, old, next, seen, states } = await migrating();
  old.event(created("a", 2));
  next.welcome({ sessionId: "s2", nodeId: "n2" });
  await settle();
  next.inboxes();
  const all = next.take("subscribe");
  expect(all.data.cursors).toEqual({ a: cursor(2) });
  old.event(created("a", 3), created("a", 4));
  expect(old.closedBy).toBeUndefined();
  next.ok(all, { rooms: [{ roomId: "a", head: 4, cursor: cursor(4), unread: 0, mentions: 0 }] });
  next.event(created("a", 3), created("a", 4), created("a", 5));
  old.event(created("a", 5), created("a", 6));
  await settle();
  expect(old.closedBy).toMatchObject({ code: 1000 });
  next.event(created("a", 6), created("a", 7));
  expect(seen).toEqual([2, 3, 4, 5, 6, 7]);
  expect(states).toEqual(["connected"]);
  expect(starling.status.getSnapshot().welcome).toMatchObject({ sessionId: "s2", nodeId: "n2" });
});

test("what takes no seq comes from one link only", async () => {
  const { starling, old, next } = await migrating();
  const signals: unknown[] = [];
  starling.on("signal", ({ payload }) => signals.push(payload));
  const say = (socket: typeof old, payload: number) =>
    socket.say("signal", { roomId: "a", senderId: "bob", name: "n", payload });
  next.welcome();
  say(old, 1);
  say(next, 1);
  await welcomed(next, { a: 1 });
  say(next, 2);
  expect(signals).toEqual([1, 2]);
});

test("answers on the old link are awaited, for a while", async () => {
  const { starling, old, next } = await migrating();
  const message = starling.room("a").send("x");
  const list = starling.request("list_rooms", {});
  const [send, ask] = [old.take("send_message"), old.take("list_rooms")];
  next.welcome();
  await welcomed(next, { a: 1 });
  await pass(1_000);
  expect(old.closedBy).toBeUndefined();
  old.ok(send, { roomId: "a", seq: 2, messageId: "e2", createdAt: "", duplicate: false });
  await expect(message).resolves.toMatchObject({ seq: 2 });
  // The other is not answered: it goes again, on the new link.
  await pass(4_100);
  expect(old.closedBy).toBeDefined();
  const again = next.take("list_rooms");
  expect(again.id).toBe(ask.id);
  next.ok(again, { rooms: [], hasMore: false });
  await expect(list).resolves.toEqual({ rooms: [], hasMore: false });
});

test("new commands go to the new link", async () => {
  const { starling, old, next } = await migrating();
  next.welcome();
  await welcomed(next, { a: 1 });
  void starling.room("a").send("x");
  expect(next.has("send_message")).toBe(true);
  expect(old.has("send_message")).toBe(false);
});

test("the old link ends before the new one is welcome: the new one is all there is", async () => {
  const { script, starling, old, next, seen, states } = await migrating();
  void starling.room("a").send("x");
  old.take("send_message");
  old.drop(1012);
  expect(starling.status.getSnapshot().state).toBe("reconnecting");
  await pass(2_000);
  expect(script.sockets).toHaveLength(2);
  next.welcome();
  expect(next.has("send_message")).toBe(true);
  await welcomed(next, { a: 1 });
  next.event(created("a", 2));
  expect(seen).toEqual([2]);
  expect(states).toEqual(["reconnecting", "connected"]);
});

test("the old link ends while the new one resumes: the new one takes over at once", async () => {
  const { script, starling, old, next, states } = await migrating();
  next.welcome();
  await settle();
  old.drop(4504, "replaced"); // terminal, were it not for the new link
  expect(starling.status.getSnapshot().state).toBe("connected");
  await welcomed(next, { a: 1 });
  expect(script.sockets).toHaveLength(2);
  expect(states).toEqual(["reconnecting", "connected"]);
});

test("a new link that fails is tried again while the old one serves", async () => {
  const { script, starling, old, next, states } = await migrating();
  next.drop(1006);
  expect(starling.status.getSnapshot().state).toBe("connected");
  await pass(250);
  expect(script.sockets).toHaveLength(3);
  script.socket.drop(4503);
  await pass(20_000);
  expect(script.sockets).toHaveLength(3);
  expect(old.closedBy).toBeUndefined();
  expect(states).toEqual([]);
});

test("a new link that is refused for good leaves the old one alone", async () => {
  const { script, starling, old, next } = await migrating();
  next.drop(4503);
  expect(starling.status.getSnapshot().state).toBe("connected");
  old.event(created("a", 2));
  old.drop(1012);
  await pass(1_000);
  expect(script.sockets).toHaveLength(3);
});

test("both links gone: one reconnect", async () => {
  const { script, old, next } = await migrating();
  next.drop(1006);
  old.drop(1006);
  await pass(1_000);
  expect(script.sockets).toHaveLength(3);
});

test("disconnect() in the middle closes both", async () => {
  const { script, starling, old, next } = await migrating();
  next.welcome();
  await settle();
  starling.disconnect();
  expect([old.closedBy?.code, next.closedBy?.code]).toEqual([1000, 1000]);
  await pass(60_000);
  expect(script.sockets).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("a second `migrate` while one is under way opens no third socket", async () => {
  const { script, old } = await migrating();
  old.say("migrate", { afterMs: 0 });
  await pass(1_000);
  expect(script.sockets).toHaveLength(2);
});
