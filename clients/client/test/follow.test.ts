import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { join, snapshot } from "./support/room.js";
import { client, connected, contents, created, event, pass, settle, welcomed } from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a room that is shown", () => {
  test("is joined once there is a connection, however many show it, and not again", async () => {
    const { script, starling } = client();
    const room = starling.room("a");
    const ends = [room.follow(), room.follow()];
    ends[0]?.();
    ends[0]?.();
    await settle();
    expect(snapshot(starling).isJoining).toBe(false);
    void starling.connect();
    await settle();
    script.socket.welcome();
    await welcomed(script.socket);
    expect(snapshot(starling).isJoining).toBe(true);
    join(script.socket, 3);
    await settle();
    expect(snapshot(starling)).toMatchObject({ status: "live", isJoining: false, error: undefined });
    ends[1]?.();
    await settle();
    room.follow();
    script.socket.drop();
    await pass(250);
    script.socket.welcome();
    await welcomed(script.socket, { a: 3 });
    expect(script.sockets.flatMap(({ sent }) => sent).filter(({ type }) => type === "join_room")).toEqual([]);
    expect(contents(starling, "a")).toEqual(["m1", "m2", "m3"]);
  });

  test("is joined with the next connection when the join was not answered in time", async () => {
    const { script, starling, socket } = await connected();
    starling.room("a").follow({ history: 10 });
    expect(socket.take("join_room").data.history).toBe(10);
    await pass(15_000);
    expect(snapshot(starling)).toMatchObject({ isJoining: false, error: { code: "timeout" } });
    socket.drop();
    await pass(30_000);
    script.socket.welcome();
    await welcomed(script.socket);
    join(script.socket, 2);
    await settle();
    expect(snapshot(starling)).toMatchObject({ status: "live", error: undefined });
  });

  test("and is refused is not asked for again by itself", async () => {
    const { script, starling, socket } = await connected();
    const room = starling.room("a");
    room.follow();
    socket.refuse(socket.take("join_room"), "banned");
    await settle();
    expect(snapshot(starling)).toMatchObject({ status: "idle", isJoining: false, error: { code: "banned" } });
    socket.drop();
    await pass(250);
    script.socket.welcome();
    await welcomed(script.socket);
    expect(script.socket.has("join_room")).toBe(false);
    const joining = room.join();
    expect(snapshot(starling)).toMatchObject({ isJoining: true, error: undefined });
    join(script.socket, 1);
    await joining;
    expect(snapshot(starling).status).toBe("live");
  });

  test("is joined anew when it is shown again after it was left", async () => {
    const { starling, socket } = await connected();
    const room = starling.room("a");
    const end = room.follow();
    join(socket, 1);
    await settle();
    end();
    socket.event(event("member_kicked", "a", 2, { userId: "me" }));
    await settle();
    expect(snapshot(starling).status).toBe("gone");
    room.follow();
    expect(socket.has("join_room")).toBe(true);
  });

  test("stays followed when it is not shown any more, but without `followAll`", async () => {
    const all = await connected();
    const end = all.starling.room("a").follow();
    join(all.socket, 1);
    await settle();
    end();
    await settle();
    expect(all.socket.has("unsubscribe")).toBe(false);

    const some = await connected({}, { followAll: false });
    const endOne = some.starling.room("a").follow();
    join(some.socket, 1);
    await settle();
    endOne();
    some.starling.room("a").follow()();
    await settle();
    const command = some.socket.take("unsubscribe");
    expect(command.data).toEqual({ roomIds: ["a"] });
    some.socket.ok(command);
    await settle();
    some.starling.room("a").follow();
    expect(some.socket.has("join_room")).toBe(true);
  });

  test("of direct messages is loaded, not joined", async () => {
    const { starling, socket } = await connected();
    const room = starling.direct("bob");
    room.follow();
    const command = socket.take("fetch_history");
    expect(command.data).toEqual({ roomId: "@dm:bob,me", limit: 50 });
    socket.ok(command, { messages: [], hasMore: false });
    await settle();
    expect(socket.has("join_room")).toBe(false);
    expect(room.getSnapshot()).toMatchObject({ hasMore: false, isLoadingOlder: false });
  });
});

test("pages under way are told, and asked for once", async () => {
  const { starling, socket } = await connected({ a: 9 });
  const room = starling.room("a");
  const both = [room.loadOlder(), room.loadOlder()];
  expect(snapshot(starling).isLoadingOlder).toBe(true);
  socket.refuse(socket.take("fetch_history"), "internal");
  for (const one of both) await expect(one).rejects.toMatchObject({ code: "internal" });
  expect(snapshot(starling).isLoadingOlder).toBe(false);
  expect(socket.has("fetch_history")).toBe(false);

  void room.loadMembers();
  void room.loadMembers();
  socket.ok(socket.take("list_members"), { members: [], hasMore: false });
  expect(socket.has("list_members")).toBe(false);
});

test("users that are shown are watched; a list that ends and begins in one turn is nothing to the server", async () => {
  const { starling, socket } = await connected();
  const end = starling.presence.follow(["bob"]);
  const command = socket.take("watch_presence");
  socket.ok(command, { users: [] });
  end();
  end();
  const endAgain = starling.presence.follow(["bob"]);
  await settle();
  expect(socket.has("watch_presence") || socket.has("unwatch_presence")).toBe(false);
  endAgain();
  await settle();
  socket.refuse(socket.take("unwatch_presence"), "internal");
  const errors: string[] = [];
  starling.on("error", ({ code }) => errors.push(code));
  await settle();
  expect(errors).toEqual(["internal"]);
});

test("notifications that are shown are loaded once; a refusal is told", async () => {
  const { starling, socket } = await connected({ "@me": 0, "@all": 0 });
  const errors: string[] = [];
  starling.on("error", ({ code }) => errors.push(code));
  starling.notifications.follow();
  starling.notifications.follow();
  await settle();
  socket.refuse(socket.take("fetch_events"), "forbidden");
  await settle();
  expect(errors).toEqual(["forbidden"]);
  starling.notifications.follow();
  await settle();
  expect(socket.has("fetch_events")).toBe(false);
});

test("what is unread in all rooms is a store", async () => {
  const { starling, socket } = await connected({ a: 1, b: 1 });
  const seen: unknown[] = [];
  starling.unread.subscribe(() => seen.push(starling.unread.getSnapshot()));
  expect(starling.unread.getSnapshot()).toEqual({ unread: 0, mentions: 0 });
  socket.event(created("a", 2), created("b", 2, { mentions: ["me"] }));
  socket.event(event("notification", "@me", 1, { topic: "t", payload: null }));
  await settle();
  expect(seen).toEqual([{ unread: 2, mentions: 1 }]);
  socket.event(event("room_deleted", "b", 3));
  expect(starling.unread.getSnapshot()).toEqual({ unread: 1, mentions: 0 });
});
