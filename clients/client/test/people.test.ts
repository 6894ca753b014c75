import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { joined, snapshot } from "./support/room.js";
import { created, event, pass } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("members", () => {
  test("are loaded by the page and kept up to date", async () => {
    const { starling, socket, room } = await joined(3);
    socket.event(event("member_joined", "a", 4, { userId: "early", role: "member" }));
    expect(snapshot(starling)).toMatchObject({ members: [], hasMoreMembers: true, info: { memberCount: 3 } });
    const loading = room.loadMembers(2);
    const command = socket.take("list_members");
    expect(command.data).toEqual({ roomId: "a", limit: 2 });
    // Leaves while the page, read before, is on its way.
    socket.event(event("member_left", "a", 5, { userId: "cat" }));
    const member = (userId: string, more = {}) => ({ userId, role: "member", joinedAt: "T", ...more });
    const members = [member("bob", { status: "away" }), member("cat")];
    socket.ok(command, { members, hasMore: true, next: "cat" });
    await loading;
    expect(starling.presence.get("bob")?.status).toBe("away");
    const more = room.loadMembers(2);
    const next = socket.take("list_members");
    expect(next.data.after).toBe("cat");
    socket.ok(next, { members: [member("me")], hasMore: false });
    await more;
    socket.event(
      event("member_joined", "a", 6, { userId: "dan", role: "guest", name: "Dan" }),
      event("member_role_changed", "a", 7, { userId: "dan", role: "moderator" }),
      event("member_muted", "a", 8, { userId: "bob" }),
      event("member_role_changed", "a", 9, { userId: "me", role: "admin" }),
      event("member_invited", "a", 10, { userId: "fay", role: "member" }),
    );
    socket.say("presence_changed", {
      users: [{ userId: "bob", status: "online", customStatus: null, lastSeenAt: null }],
    });
    expect(snapshot(starling)).toMatchObject({
      role: "admin",
      hasMoreMembers: false,
      members: [
        { userId: "bob", muted: true, status: "online" },
        { userId: "me", role: "admin" },
        { userId: "dan", name: "Dan", role: "moderator" },
      ],
    });
    socket.event(event("member_unmuted", "a", 11, { userId: "bob" }));
    socket.event(event("member_banned", "a", 12, { userId: "dan" }));
    expect(snapshot(starling).members).toMatchObject([{ userId: "bob", muted: false }, { userId: "me" }]);
  });

  test("the room's own changes", async () => {
    const { starling, socket } = await joined(1);
    socket.event(event("room_updated", "a", 2, { name: "New", settings: { slowModeSeconds: 5 } }));
    expect(snapshot(starling).info).toMatchObject({
      name: "New",
      maxMembers: 100,
      settings: { slowModeSeconds: 5 },
    });
    socket.event(event("room_deleted", "a", 3));
    expect(snapshot(starling).status).toBe("gone");
    expect(starling.rooms.getSnapshot()).toEqual([]);
    // Opened anew by somebody, and joined on another device.
    socket.event(event("member_joined", "a", 4, { userId: "me", role: "member", senderId: "me" }));
    expect(snapshot(starling).status).toBe("live");
  });
});

describe("typing", () => {
  test("others' typing comes and goes, and ends with their message", async () => {
    const { starling, socket } = await joined(1);
    const typing = (userId: string, isTyping: boolean) =>
      socket.say("typing", { roomId: "a", userId, isTyping });
    typing("bob", true);
    typing("cat", true);
    typing("me", true); // on another device
    expect(snapshot(starling).typing).toEqual(["bob", "cat"]);
    typing("cat", false);
    socket.event(created("a", 2));
    expect(snapshot(starling).typing).toEqual([]);
    typing("cat", true);
    await pass(30_000); // the word that it ended was lost
    expect(snapshot(starling).typing).toEqual([]);
    typing("cat", true);
    socket.drop();
    expect(snapshot(starling).typing).toEqual([]);
  });

  test("one's own is renewed every two seconds, and stops with the message", async () => {
    const { socket, room } = await joined(1);
    room.type();
    room.type();
    expect(socket.take("typing_start").data).toEqual({ roomId: "a" });
    expect(socket.has("typing_start")).toBe(false);
    await pass(2_000);
    room.type();
    socket.take("typing_start");
    void room.send("x");
    expect(socket.sent.slice(-2).map(({ type }) => type)).toEqual(["typing_stop", "send_message"]);
    room.stopTyping();
    expect(socket.sent.filter(({ type }) => type === "typing_stop")).toHaveLength(1);
  });
});

describe("unread", () => {
  test("others' new messages count, one's own and replayed ones do not", async () => {
    const { starling, socket } = await joined(10, { unread: 4, mentions: 1 });
    socket.event(
      created("a", 11),
      created("a", 12, { senderId: "me" }),
      created("a", 13, { mentions: ["me"] }),
      event("message_deleted", "a", 14, { refSeq: 11 }),
    );
    expect(snapshot(starling)).toMatchObject({ unread: 5, mentions: 2 });
    // 8 is the last but two of the unread ones, 3 was read long ago.
    socket.event(
      event("message_deleted", "a", 15, { refSeq: 8 }),
      event("message_deleted", "a", 16, { refSeq: 3 }),
    );
    expect(snapshot(starling)).toMatchObject({ unread: 4, mentions: 2 });
    socket.event(event("message_deleted", "a", 17, { refSeq: 13 }));
    expect(snapshot(starling)).toMatchObject({ unread: 3, mentions: 1 });
  });

  test("the answer to a subscription has counted what follows it", async () => {
    const { script, starling, socket } = await joined(1);
    socket.drop();
    await pass(250);
    script.socket.welcome();
    script.socket.inboxes();
    script.socket.subscribed({ a: 3 }, { unread: 2 });
    script.socket.event(created("a", 2), created("a", 3), created("a", 4));
    expect(snapshot(starling).unread).toBe(3);
  });

  test("markRead is sent at most once a second, and only forward", async () => {
    const { starling, socket, room } = await joined(10, { unread: 5, mentions: 2 });
    room.markRead(7);
    room.markRead(8);
    room.markRead(9);
    const first = socket.take("mark_read");
    expect(first.data.seq).toBe(7);
    socket.ok(first, { roomId: "a", seq: 7, unread: 3, mentions: 1 });
    await pass(1_000);
    expect(snapshot(starling)).toMatchObject({ unread: 3, mentions: 1 });
    expect(socket.take("mark_read").data.seq).toBe(9);
    await pass(1_000);
    room.markRead(4);
    expect(socket.has("mark_read")).toBe(false);
    room.markRead();
    const last = socket.take("mark_read");
    expect(last.data.seq).toBe(10);
    const errors: string[] = [];
    starling.on("error", ({ code }) => errors.push(code));
    socket.refuse(last, "internal");
    await pass(1_000);
    expect(errors).toEqual(["internal"]);
    room.markRead();
    expect(socket.take("mark_read").data.seq).toBe(10);
  });

  test("another device read; others read", async () => {
    const { starling, socket } = await joined(10, { unread: 5, mentions: 2 });
    socket.say("read_updated", { roomId: "a", userId: "me", seq: 9, unread: 1, mentions: 0 });
    socket.say("read_updated", { roomId: "a", userId: "bob", seq: 8 });
    expect(snapshot(starling)).toMatchObject({ unread: 1, mentions: 0, receipts: { bob: 8 } });
  });
});

test("what can be done to messages", async () => {
  const { socket, room } = await joined(1);
  const all = [room.edit(1, "x"), room.delete(1), room.react(1, "+1"), room.unreact(1, "+1")];
  const types = ["edit_message", "delete_message", "add_reaction", "remove_reaction"];
  const sent = types.map((type) => socket.take(type));
  expect(sent.map(({ data }) => data)).toEqual([
    { roomId: "a", seq: 1, content: "x" },
    { roomId: "a", seq: 1 },
    { roomId: "a", seq: 1, emoji: "+1" },
    { roomId: "a", seq: 1, emoji: "+1" },
  ]);
  for (const command of sent) socket.ok(command, { roomId: "a", seq: 2 });
  expect(await Promise.all(all)).toHaveLength(4);
});
