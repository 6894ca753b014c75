import { expect, test, vi } from "vitest";
import { ref } from "vue";
import { join, joined, range, stored } from "../../client/test/support/room.js";
import { connected, created, event, pass, settle, welcomed } from "../../client/test/support/script.js";
import { useMembers, useMessages, useRoom, useTyping, useUnread } from "../src/index.js";
import { using } from "./support/mount.js";

test("useRoom joins once, goes on after a lost connection, and does not leave by itself", async () => {
  const { script, starling, socket } = await connected();
  const one = using(starling, () => useRoom("a", { history: 20 }));
  const two = using(starling, () => useRoom("a", { history: 20 }));
  await settle();
  expect(one.value.isJoining.value).toBe(true);
  join(socket, 3);
  await settle();
  expect(two.value.info.value?.name).toBe("A");
  expect([two.value.status.value, two.value.role.value, two.value.onlineCount.value]).toEqual([
    "live",
    "member",
    2,
  ]);
  socket.drop();
  await pass(250);
  script.socket.welcome();
  await welcomed(script.socket, { a: 3 });
  script.socket.event(event("member_role_changed", "a", 4, { userId: "me", role: "admin" }));
  await settle();
  expect(one.value.role.value).toBe("admin");
  one.unmount();
  two.unmount();
  await settle();
  const types = [...socket.sent, ...script.socket.sent].map(({ type }) => type);
  expect(types.filter((type) => /join|leave|unsubscribe/.test(type))).toEqual([]);
});

test("useRoom tells a refusal, joins when told to, and leaves", async () => {
  const { starling, socket } = await connected();
  const { value } = using(starling, () => useRoom("a"));
  socket.refuse(socket.take("join_room"), "forbidden");
  await settle();
  expect(value.error.value?.code).toBe("forbidden");
  void value.join();
  join(socket, 1);
  await settle();
  expect([value.status.value, value.error.value]).toEqual(["live", undefined]);
  void value.leave();
  socket.ok(socket.take("leave_room"), { roomId: "a" });
  await settle();
  expect(value.status.value).toBe("gone");
});

test("everything follows a room id that changes, at once", async () => {
  const { starling, socket } = await connected({ a: 5, b: 5 });
  const roomId = ref("a");
  const { value } = using(starling, () => ({
    room: useRoom(roomId),
    list: useMessages(roomId),
    unread: useUnread(roomId),
  }));
  socket.event(created("b", 6), created("b", 7));
  await settle();
  expect([value.list.messages.value.length, value.unread.unread.value]).toEqual([0, 0]);
  roomId.value = "b";
  expect(value.room.room.value.id).toBe("b");
  expect([value.list.messages.value.at(-1)?.seq, value.unread.unread.value]).toEqual([7, 2]);
  expect(socket.sent.filter(({ type }) => type === "join_room").map(({ data }) => data.roomId)).toEqual([
    "a",
    "b",
  ]);
});

test("useMessages pages upwards, says what goes wrong with it, sends and retries", async () => {
  const { starling, socket } = await joined(60);
  const { value } = using(starling, () => useMessages("a"));
  void value.loadOlder(10);
  await settle();
  expect([value.hasMore.value, value.isLoadingOlder.value]).toEqual([true, true]);
  socket.refuse(socket.take("fetch_history"), "internal");
  await settle();
  expect([value.isLoadingOlder.value, value.loadError.value?.code]).toEqual([false, "internal"]);
  void value.loadOlder(10);
  socket.ok(socket.take("fetch_history"), { messages: range(1, 10).map((n) => stored(n)), hasMore: false });
  await settle();
  expect([value.hasMore.value, value.loadError.value, value.messages.value[0]?.content]).toEqual([
    false,
    undefined,
    "m1",
  ]);

  void value.send("one");
  await settle();
  expect(value.messages.value.at(-1)).toMatchObject({ content: "one", state: "sending" });
  socket.refuse(socket.take("send_message"), "muted");
  await settle();
  expect(value.messages.value.at(-1)).toMatchObject({ state: "failed", error: { code: "muted" } });
  void value.retry("c1");
  expect(socket.take("send_message").data.clientId).toBe("c1");
  await settle();
  expect(value.messages.value.at(-1)?.state).toBe("sending");
});

test("useTyping tells both ways", async () => {
  const { starling, socket } = await joined(1);
  const { value } = using(starling, () => useTyping("a"));
  socket.say("typing", { roomId: "a", userId: "bob", isTyping: true });
  await settle();
  expect(value.typing.value).toEqual(["bob"]);
  value.type();
  value.stopTyping();
  expect(socket.sent.slice(-2).map(({ type }) => type)).toEqual(["typing_start", "typing_stop"]);
});

test("useMembers loads the first page by itself, and says what goes wrong", async () => {
  const { starling, socket } = await joined(1);
  const { value } = using(starling, () => useMembers("a"));
  expect(value.isLoading.value).toBe(true);
  socket.refuse(socket.take("list_members"), "internal");
  await settle();
  expect([value.isLoading.value, value.error.value?.code]).toEqual([false, "internal"]);
  expect(socket.has("list_members")).toBe(false);
  void value.loadMore();
  const members = [{ userId: "bob", role: "member", joinedAt: "T" }];
  socket.ok(socket.take("list_members"), { members, hasMore: false });
  await settle();
  expect([value.members.value, value.hasMore.value, value.error.value]).toEqual([members, false, undefined]);
});

test("leaves no listener and no timer behind", async () => {
  const { starling, socket } = await connected();
  let listeners = 0;
  for (const store of [starling.status, starling.unread, starling.room("a")]) {
    const { subscribe } = store;
    vi.spyOn(store, "subscribe").mockImplementation((listener) => {
      const end = subscribe(listener);
      listeners += 1;
      return () => {
        listeners -= 1;
        end();
      };
    });
  }
  const { unmount } = using(starling, () => [useRoom("a"), useMessages("a"), useTyping("a"), useUnread()]);
  join(socket, 1);
  await settle();
  expect(listeners).toBe(5);
  unmount();
  await settle();
  expect(listeners).toBe(0);
  starling.disconnect();
  expect(vi.getTimerCount()).toBe(0);
});
