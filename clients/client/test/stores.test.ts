import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connected, event, pass, settle } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const user = (userId: string, status: string) => ({ userId, status, customStatus: null, lastSeenAt: null });

test("presence: watched by count, told by events, watched again by every session", async () => {
  const { script, starling, socket } = await connected();
  const { presence } = starling;
  const watching = presence.watch(["bob", "cat"]);
  const command = socket.take("watch_presence");
  expect(command.data).toEqual({ userIds: ["bob", "cat"] });
  socket.ok(command, { users: [user("bob", "online"), user("cat", "offline")] });
  await watching;
  await presence.watch(["bob"]);
  expect(socket.has("watch_presence")).toBe(false);
  const before = presence.getSnapshot();
  socket.say("presence_changed", { users: [user("cat", "busy")] });
  expect([before.get("cat")?.status, presence.getSnapshot().get("cat")?.status]).toEqual(["offline", "busy"]);

  const setting = presence.set("away", "at lunch");
  const set = socket.take("set_presence");
  expect(set.data).toEqual({ status: "away", customStatus: "at lunch" });
  socket.ok(set, set.data);
  await setting;

  socket.drop();
  await pass(250);
  script.socket.welcome();
  script.socket.subscribed();
  await settle();
  expect(script.socket.take("set_presence").data).toEqual({ status: "away", customStatus: "at lunch" });
  script.socket.ok({ type: "", id: 999, data: {} });

  void presence.unwatch(["bob", "cat", "nobody"]);
  await settle();
  expect(script.socket.take("unwatch_presence").data).toEqual({ userIds: ["cat"] });
  expect([...presence.getSnapshot().keys()]).toEqual(["bob"]);
});

test("presence: many users are named in several commands", async () => {
  const { script, starling, socket } = await connected();
  void starling.presence.watch(Array.from({ length: 450 }, (_, n) => `u${n}`));
  const sizes: number[] = [];
  while (socket.has("watch_presence")) {
    const command = socket.take("watch_presence");
    sizes.push(command.data.userIds.length);
    socket.ok(command, { users: [] });
    await settle();
  }
  expect(sizes).toEqual([200, 200, 50]);
  socket.drop();
  await pass(250);
  script.socket.welcome();
  script.socket.subscribed();
  await settle();
  expect(script.socket.take("watch_presence").data.userIds).toHaveLength(200);
});

test("notifications and announcements, live and loaded", async () => {
  const { starling, socket } = await connected({ "@me": 7, "@all": 1 });
  const note = (roomId: string, seq: number, at: string) => {
    const { type, data } = event("notification", roomId, seq, { topic: "t", payload: seq });
    return { type, data: { ...data, eventId: `${at}-${roomId}` } };
  };
  const topics: string[] = [];
  starling.on("notification", ({ topic, payload }) => topics.push(`${topic}${payload}`));
  socket.event(note("@me", 8, "05"), note("@all", 2, "06"));
  expect(topics).toEqual(["t8", "t2"]);
  const { notifications } = starling;
  expect(notifications.getSnapshot().map(({ seq }) => seq)).toEqual([8, 2]);
  const loading = notifications.load(5);
  await settle();
  const mine = socket.take("fetch_events");
  expect(mine.data).toEqual({ roomId: "@me", after: 3, limit: 5 });
  socket.ok(mine, {
    events: [note("@me", 4, "01"), note("@me", 7, "03"), note("@me", 8, "05")],
    hasMore: false,
  });
  await settle();
  const all = socket.take("fetch_events");
  expect(all.data).toEqual({ roomId: "@all", after: 0, limit: 5 });
  socket.ok(all, { events: [note("@all", 1, "02"), note("@all", 2, "06")], hasMore: false });
  await loading;
  expect(notifications.getSnapshot().map(({ seq }) => seq)).toEqual([4, 1, 7, 8, 2]);
  // They are no rooms to show.
  expect(starling.rooms.getSnapshot()).toEqual([]);
});

test("notifications: kept to the latest; loading follows rooms that are not followed", async () => {
  const { starling, socket } = await connected({}, { followAll: false });
  const loading = starling.notifications.load();
  const command = socket.take("subscribe");
  expect(command.data.rooms).toEqual([{ roomId: "@me" }, { roomId: "@all" }]);
  socket.sent.push(command);
  socket.subscribed({ "@me": 0 });
  await settle();
  for (let round = 0; round < 2; round++) {
    socket.ok(socket.take("fetch_events"), { events: [], hasMore: false });
    await settle();
  }
  await loading;
  for (let seq = 1; seq <= 250; seq++)
    socket.event(event("notification", "@me", seq, { topic: "t", payload: 0 }));
  expect(starling.notifications.getSnapshot()).toHaveLength(200);
  expect(starling.notifications.getSnapshot()[0]?.seq).toBe(51);
});

test("rooms: what is joined, with names and counts", async () => {
  const { starling, socket } = await connected({ a: 3, "@dm:bob,me": 1 });
  expect(starling.rooms.getSnapshot().map(({ id }) => id)).toEqual(["a"]);
  const loading = starling.loadRooms();
  const room = { name: "A", kind: "public", memberCount: 1, role: "owner", unread: 2, mentions: 0, head: 3 };
  socket.ok(socket.take("list_rooms"), { rooms: [{ ...room, roomId: "a" }], hasMore: true, next: "a" });
  await settle();
  const second = socket.take("list_rooms");
  expect(second.data).toEqual({ limit: 200, after: "a" });
  socket.ok(second, { rooms: [{ ...room, roomId: "b", name: "B" }], hasMore: false });
  const [a] = await loading;
  expect(a?.getSnapshot()).toMatchObject({ info: { name: "A" }, role: "owner", unread: 2 });
  expect(a?.getSnapshot().info).not.toHaveProperty("role");
});

test("the status is a store", async () => {
  const { starling, socket } = await connected();
  const seen: string[] = [];
  starling.status.subscribe(() => seen.push(starling.status.getSnapshot().state));
  expect(starling.status.getSnapshot()).toBe(starling.status.getSnapshot());
  socket.drop();
  await settle();
  expect(seen).toEqual(["reconnecting"]);
  expect(starling.status.getSnapshot().retryAt).toBe(Date.now() + 250);
  await pass(250);
  expect(starling.status.getSnapshot()).toMatchObject({ state: "reconnecting", code: 1006 });
  expect(starling.status.getSnapshot().retryAt).toBeUndefined();
});

test("server events reach their listeners under their own names", async () => {
  const { starling, socket } = await connected({ a: 1 });
  const seen: unknown[] = [];
  starling.on("lagging", ({ roomIds }) => seen.push(roomIds));
  starling.on("signal", ({ name }) => seen.push(name));
  starling.on("error", ({ code }) => seen.push(code));
  socket.say("lagging", { roomIds: ["a"] });
  socket.say("signal", { roomId: "a", senderId: "bob", name: "cursor", payload: 1 });
  socket.say("error", { code: "invalid_message", message: "" });
  socket.say("from_the_future", { x: 1 });
  expect(seen).toEqual([["a"], "cursor", "invalid_message"]);
});
