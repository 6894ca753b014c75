import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { INFO, join, joined, message, range, snapshot, stored } from "./support/room.js";
import { connected, contents, created, cursor, event, pass, settle } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("join", () => {
  test("fills the store", async () => {
    const { starling, room } = await joined(3, { unread: 2, mentions: 1 });
    expect(room.getSnapshot()).toMatchObject({
      roomId: "a",
      status: "live",
      info: { name: "A", memberCount: 2 },
      role: "member",
      hasMore: false,
      unread: 2,
      mentions: 1,
      onlineCount: 2,
    });
    expect(contents(starling, "a")).toEqual(["m1", "m2", "m3"]);
    expect(starling.rooms.getSnapshot()).toEqual([room]);
    expect(starling.room("a")).toBe(room);
  });

  test("of a room that is followed already says where the client stands, and keeps what is there", async () => {
    const { starling, socket } = await connected({ a: 2 });
    socket.event(created("a", 3), created("a", 4));
    const joining = starling.join("a");
    const command = socket.take("join_room");
    expect(command.data).toEqual({ roomId: "a", history: 50, cursor: cursor(4) });
    socket.sent.push(command);
    join(socket, 4);
    await joining;
    expect(contents(starling, "a")).toEqual(["m1", "m2", "m3", "m4"]);
  });

  test("of a room without messages says that there are no older ones", async () => {
    const { room } = await joined(0);
    expect(room.getSnapshot()).toMatchObject({ messages: [], hasMore: false });
  });

  test("says a refusal", async () => {
    const { starling, socket } = await connected();
    const joining = starling.join("a");
    socket.refuse(socket.take("join_room"), "forbidden");
    await expect(joining).rejects.toMatchObject({ code: "forbidden" });
    expect(snapshot(starling).status).toBe("idle");
  });

  test("after leaving begins anew", async () => {
    const { starling, socket, room } = await joined(3);
    const leaving = room.leave();
    socket.ok(socket.take("leave_room"), { roomId: "a", seq: 4 });
    await leaving;
    expect(room.getSnapshot().status).toBe("gone");
    expect(starling.rooms.getSnapshot()).toEqual([]);
    const joining = starling.join("a", { history: 2 });
    expect(socket.sent.at(-1)?.data).toEqual({ roomId: "a", history: 2 });
    join(socket, 90, { messages: [stored(89), stored(90)] });
    await joining;
    expect(contents(starling, "a")).toEqual(["m89", "m90"]);
    expect(room.getSnapshot().hasMore).toBe(true);
  });

  test("create_room, then join", async () => {
    const { starling, socket } = await connected();
    const creating = starling.createRoom({ name: "A", kind: "private" });
    const command = socket.take("create_room");
    expect(command.data).toEqual({ name: "A", kind: "private" });
    socket.ok(command, { ...INFO, head: 1 });
    await settle();
    join(socket, 1, { messages: [], role: "owner" });
    expect((await creating).getSnapshot()).toMatchObject({ role: "owner", messages: [] });
  });
});

describe("store", () => {
  test("snapshots are the same until something changes, and what did not change is the same in the next", async () => {
    const { socket, room } = await joined(3);
    const one = room.getSnapshot();
    expect(room.getSnapshot()).toBe(one);
    socket.say("typing", { roomId: "a", userId: "bob", isTyping: true });
    const two = room.getSnapshot();
    expect(two).not.toBe(one);
    expect(two.messages).toBe(one.messages);
    socket.event(created("a", 4));
    const three = room.getSnapshot();
    expect(one.messages).toHaveLength(3);
    expect(three.messages[0]).toBe(one.messages[0]);
    expect(three.messages).toHaveLength(4);
  });

  test("changes of one turn are told once; ended listeners are not told", async () => {
    const { socket, room } = await joined(0);
    let told = 0;
    const end = room.subscribe(() => {
      told += 1;
    });
    socket.event(created("a", 1), created("a", 2), created("a", 3));
    expect(told).toBe(0);
    await settle();
    expect(told).toBe(1);
    end();
    socket.event(created("a", 4));
    await settle();
    expect(told).toBe(1);
  });
});

describe("messages", () => {
  test("edits, deletes and reactions are applied; twice is once", async () => {
    const { starling, socket } = await joined(2);
    const before = message(starling, 1);
    socket.event(
      event("message_updated", "a", 3, { refSeq: 1, content: "edited" }),
      event("reaction_added", "a", 4, { refSeq: 1, emoji: "+1", senderId: "eve" }),
      event("reaction_added", "a", 5, { refSeq: 1, emoji: "+1" }),
      event("reaction_removed", "a", 6, { refSeq: 1, emoji: "+1", senderId: "eve" }),
    );
    expect(before?.content).toBe("m1");
    expect(message(starling, 1)).toMatchObject({
      content: "edited",
      editedAt: "2026-11-20T12:00:00.003Z",
      reactions: { "+1": { count: 1, users: ["bob"] } },
    });
    socket.event(event("reaction_removed", "a", 7, { refSeq: 1, emoji: "+1" }));
    expect(message(starling, 1)?.reactions).toEqual({});
    socket.event(event("message_deleted", "a", 8, { refSeq: 1 }));
    expect(message(starling, 1)).toMatchObject({ content: "", deletedAt: "2026-11-20T12:00:00.008Z" });
    expect(message(starling, 1)?.reactions).toBeUndefined();
    // About messages that are not loaded: nothing to show.
    socket.event(event("message_updated", "a", 9, { refSeq: 900, content: "?" }));
  });

  test("counts beyond the users named", async () => {
    const users = range(1, 50).map((n) => `u${n}`);
    const { starling, socket } = await joined(1, {
      messages: [stored(1, { reactions: { "+1": { count: 60, users } } })],
    });
    socket.event(
      event("reaction_added", "a", 2, { refSeq: 1, emoji: "+1", senderId: "u1" }),
      event("reaction_added", "a", 3, { refSeq: 1, emoji: "+1", senderId: "new" }),
      event("reaction_removed", "a", 4, { refSeq: 1, emoji: "+1", senderId: "unnamed" }),
    );
    expect(message(starling, 1)?.reactions?.["+1"]?.count).toBe(60);
  });

  test("replies are counted at the head of their thread", async () => {
    const { starling, socket } = await joined(1);
    socket.event(created("a", 2, { thread: 1 }), created("a", 3, { thread: 1 }));
    expect(message(starling, 1)?.replyCount).toBe(2);
    socket.event(event("message_deleted", "a", 4, { refSeq: 2 }));
    expect(message(starling, 1)?.replyCount).toBe(1);
  });

  test("an own message is shown at once, and keeps its place in lists", async () => {
    const { starling, socket, room } = await joined(1);
    void room.send("mine");
    const [, sending] = snapshot(starling).messages;
    expect(sending).toMatchObject({
      content: "mine",
      state: "sending",
      senderId: "me",
      contentType: "text/plain",
    });
    expect(sending?.seq).toBeUndefined();
    // The answer comes before events that are before the message.
    const command = socket.take("send_message");
    socket.ok(command, { roomId: "a", seq: 3, messageId: "e3", createdAt: "T", duplicate: false });
    await settle();
    expect(snapshot(starling).messages.map(({ seq, state }) => [seq, state])).toEqual([
      [1, "sent"],
      [3, "sent"],
    ]);
    socket.event(created("a", 2));
    socket.event(created("a", 3, { senderId: "me", senderName: "Me", clientId: "c1", content: "mine" }));
    const all = snapshot(starling).messages;
    expect(all.map(({ content }) => content)).toEqual(["m1", "m2", "mine"]);
    expect(all[2]).toMatchObject({ senderName: "Me", key: sending?.key });
  });

  test("the echo comes first", async () => {
    const { starling, socket, room } = await joined(1);
    const sent = room.send("mine");
    socket.event(created("a", 2, { senderId: "me", clientId: "c1", content: "mine" }));
    expect(contents(starling, "a")).toEqual(["m1", "mine"]);
    await sent;
    await settle();
    expect(contents(starling, "a")).toEqual(["m1", "mine"]);
  });

  test("the message was stored before the connection was cut: history and echo are matched", async () => {
    const { script, starling, socket, room } = await joined(1);
    const sent = room.send("mine");
    socket.take("send_message");
    socket.drop();
    await pass(250);
    script.socket.welcome();
    script.socket.inboxes();
    script.socket.subscribed({ a: 2 });
    script.socket.event(created("a", 2, { senderId: "me", clientId: "c1", content: "mine" }));
    await expect(sent).resolves.toMatchObject({ seq: 2 });
    expect(contents(starling, "a")).toEqual(["m1", "mine"]);
  });

  test("a room that nobody looks at keeps its last message only; an opened one is bounded", async () => {
    const { starling, socket } = await connected({ a: 0, b: 0 }, { keepMessages: 5 });
    starling.room("b");
    for (const seq of range(1, 8)) socket.event(created("a", seq), created("b", seq));
    const [a, b] = starling.rooms.getSnapshot();
    expect(a?.getSnapshot().messages.map(({ seq }) => seq)).toEqual([8]);
    expect(b?.getSnapshot().messages.map(({ seq }) => seq)).toEqual(range(4, 8));
    expect(b?.getSnapshot().hasMore).toBe(true);
  });
});

describe("history", () => {
  test("is paged upwards without repeats; calls meanwhile share the page", async () => {
    const { starling, socket, room } = await joined(100);
    expect(room.getSnapshot().hasMore).toBe(true);
    const loading = [room.loadOlder(), room.loadOlder()];
    const command = socket.take("fetch_history");
    expect(command.data).toEqual({ roomId: "a", limit: 50, before: 51 });
    expect(socket.has("fetch_history")).toBe(false);
    socket.event(created("a", 101));
    socket.ok(command, { messages: range(1, 51).map((seq) => stored(seq)), hasMore: false });
    expect(await Promise.all(loading)).toEqual([50, 50]);
    expect(snapshot(starling).messages.map(({ seq }) => seq)).toEqual(range(1, 101));
    expect(room.getSnapshot().hasMore).toBe(false);
  });

  test("what happens to messages of a page on its way is applied to it", async () => {
    const { starling, socket, room } = await joined(100);
    const loading = room.loadOlder();
    const command = socket.take("fetch_history");
    socket.event(
      event("message_updated", "a", 101, { refSeq: 20, content: "edited" }),
      event("message_deleted", "a", 102, { refSeq: 21 }),
    );
    // The server read the page before that.
    socket.ok(command, { messages: range(1, 50).map((seq) => stored(seq)), hasMore: false });
    await loading;
    expect([message(starling, 20)?.content, message(starling, 21)?.content]).toEqual(["edited", ""]);
  });

  test("a page that does not join the list any more is left out", async () => {
    const { starling, socket, room } = await joined(100);
    const loading = room.loadOlder();
    const command = socket.take("fetch_history");
    socket.say("gap", { roomId: "a", from: 41, to: 40, rewindTo: 40, cursor: cursor(40, "bbbbbbbb") });
    socket.ok(command, { messages: range(1, 50).map((seq) => stored(seq)), hasMore: false });
    expect(await loading).toBe(0);
    expect(contents(starling, "a")).toEqual([]);
  });

  test("of a room without messages loaded begins at the present; a failure is told", async () => {
    const { starling, socket } = await connected({ a: 9 });
    const room = starling.room("a");
    const loading = room.loadOlder(10);
    const command = socket.take("fetch_history");
    expect(command.data).toEqual({ roomId: "a", limit: 10 });
    socket.refuse(command, "not_member");
    await expect(loading).rejects.toMatchObject({ code: "not_member" });
    const again = room.loadOlder(2);
    socket.ok(socket.take("fetch_history"), { messages: [stored(8), stored(9)], hasMore: true });
    expect(await again).toBe(2);
  });
});
