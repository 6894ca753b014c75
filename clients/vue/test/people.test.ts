import { expect, test } from "vitest";
import { ref } from "vue";
import { connected, created, event, settle } from "../../client/test/support/script.js";
import { useNotifications, usePresence, useUnread } from "../src/index.js";
import { using } from "./support/mount.js";

const user = (userId: string, status: string) => ({ userId, status, customStatus: null, lastSeenAt: null });

test("usePresence watches the users that it is given, until the scope ends", async () => {
  const { starling, socket } = await connected();
  const userIds = ref(["cat", "bob"]);
  const { value, unmount } = using(starling, () => usePresence(userIds));
  const command = socket.take("watch_presence");
  expect(command.data).toEqual({ userIds: ["bob", "cat"] });
  socket.ok(command, { users: [user("bob", "online")] });
  await settle();
  expect(value.value.bob?.status).toBe("online");
  userIds.value = ["bob", "cat"];
  await settle();
  expect(socket.has("watch_presence") || socket.has("unwatch_presence")).toBe(false);
  userIds.value = ["bob"];
  await settle();
  expect(socket.take("unwatch_presence").data).toEqual({ userIds: ["cat"] });
  expect(Object.keys(value.value)).toEqual(["bob"]);
  unmount();
  await settle();
  expect(socket.take("unwatch_presence").data).toEqual({ userIds: ["bob"] });
});

test("useUnread counts all rooms", async () => {
  const { starling, socket } = await connected({ a: 1, b: 1 });
  const { value } = using(starling, () => useUnread());
  socket.event(created("a", 2, { mentions: ["me"] }), created("b", 2));
  await settle();
  expect([value.unread.value, value.mentions.value]).toEqual([2, 1]);
});

test("useNotifications loads once, and hears of new ones", async () => {
  const { starling, socket } = await connected({ "@me": 0, "@all": 0 });
  const { value } = using(starling, useNotifications);
  using(starling, useNotifications);
  await settle();
  expect(socket.sent.filter(({ type }) => type === "fetch_events")).toHaveLength(1);
  socket.event(event("notification", "@me", 1, { topic: "build", payload: "done" }));
  await settle();
  expect(value.value).toMatchObject([{ topic: "build", payload: "done" }]);
});
