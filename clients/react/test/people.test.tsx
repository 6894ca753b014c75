import { expect, test } from "vitest";
import { joined } from "../../client/test/support/room.js";
import { connected, created, event } from "../../client/test/support/script.js";
import { useMembers, useNotifications, usePresence, useTyping, useUnread } from "../src/index.js";
import { acting, probe, show } from "./support/render.js";

const user = (userId: string, status: string) => ({ userId, status, customStatus: null, lastSeenAt: null });
const of = (socket: { sent: { type: string }[] }, word: string) =>
  socket.sent.filter(({ type }) => type.includes(word));

test("usePresence watches while it is mounted, once", async () => {
  const { starling, socket } = await connected();
  // A new array at every render.
  const hook = probe(() => usePresence(["cat", "bob", "bob"]));
  const view = await show(starling, <hook.Probe />);
  expect(of(socket, "presence")).toMatchObject([
    { type: "watch_presence", data: { userIds: ["bob", "cat"] } },
  ]);
  expect(hook.value).toEqual({ bob: undefined, cat: undefined });
  await acting(() => socket.ok(socket.take("watch_presence"), { users: [user("bob", "online")] }));
  expect(hook.value.bob?.status).toBe("online");
  const { renders } = hook;
  await acting(() => socket.say("presence_changed", { users: [user("dan", "busy")] }));
  expect(hook.renders).toBe(renders);
  await acting(() => socket.say("presence_changed", { users: [user("cat", "busy")] }));
  expect(hook.value.cat?.status).toBe("busy");
  await acting(() => view.show(null));
  expect(of(socket, "presence")).toMatchObject([
    { type: "unwatch_presence", data: { userIds: ["bob", "cat"] } },
  ]);
});

test("useTyping tells both ways", async () => {
  const { starling, socket } = await joined(1);
  const hook = probe(() => useTyping("a"));
  await show(starling, <hook.Probe />);
  await acting(() => socket.say("typing", { roomId: "a", userId: "bob", isTyping: true }));
  expect(hook.value.typing).toEqual(["bob"]);
  hook.value.type();
  hook.value.stopTyping();
  expect(of(socket, "typing").map(({ type }) => type)).toEqual(["typing_start", "typing_stop"]);
});

test("useMembers loads the first page by itself, more when told to, and says what goes wrong", async () => {
  const { starling, socket } = await joined(1);
  const hook = probe(() => useMembers("a"));
  await show(starling, <hook.Probe />);
  expect(hook.value.isLoading).toBe(true);
  expect(of(socket, "list_members")).toHaveLength(1);
  await acting(() => socket.refuse(socket.take("list_members"), "internal"));
  expect(hook.value).toMatchObject({ isLoading: false, error: { code: "internal" } });
  expect(socket.has("list_members")).toBe(false);
  await acting(() => void hook.value.loadMore());
  const members = [{ userId: "bob", role: "member", joinedAt: "T", status: "away" }];
  await acting(() => socket.ok(socket.take("list_members"), { members, hasMore: true, next: "bob" }));
  expect(hook.value).toMatchObject({ members, hasMore: true, isLoading: false, error: undefined });
  // The history was rewritten: the room begins anew.
  await acting(() => socket.say("gap", { roomId: "a", from: 1, to: 1, rewindTo: 0, cursor: "1.bbbbbbbb" }));
  expect(socket.has("list_members")).toBe(true);
});

test("useUnread counts one room, and all", async () => {
  const { starling, socket } = await connected({ a: 1, b: 1 });
  const one = probe(() => useUnread("a"));
  const all = probe(() => useUnread());
  await show(starling, [<one.Probe key="1" />, <all.Probe key="2" />]);
  await acting(() => socket.event(created("a", 2, { mentions: ["me"] }), created("b", 2)));
  expect(one.value).toEqual({ unread: 1, mentions: 1 });
  expect(all.value).toEqual({ unread: 2, mentions: 1 });
});

test("useNotifications loads once, and hears of new ones", async () => {
  const { starling, socket } = await connected({ "@me": 0, "@all": 0 });
  const hook = probe(useNotifications);
  await show(starling, <hook.Probe />);
  await acting();
  expect(of(socket, "fetch_events")).toHaveLength(1);
  await acting(() => socket.event(event("notification", "@me", 1, { topic: "build", payload: "done" })));
  expect(hook.value).toMatchObject([{ topic: "build", payload: "done" }]);
});
