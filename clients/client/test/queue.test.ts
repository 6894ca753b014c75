import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Sent } from "../src/index.js";
import {
  type Command,
  client,
  connected,
  created,
  pass,
  type Socket,
  settle,
  welcomed,
} from "./support/script.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const sent = (command: Command, seq: number, more: Partial<Sent> = {}): Sent => ({
  roomId: command.data.roomId,
  seq,
  messageId: `e${seq}`,
  createdAt: "2026-11-20T12:00:00.000Z",
  duplicate: false,
  ...more,
});

async function reconnect(script: { socket: Socket }): Promise<Socket> {
  await pass(250);
  script.socket.welcome();
  await welcomed(script.socket);
  return script.socket;
}

describe("messages", () => {
  test("go one after the other in a room, and side by side in several", async () => {
    const { starling, socket } = await connected();
    const [a, b] = [starling.room("a"), starling.room("b")];
    const first = a.send("1");
    void a.send("2");
    void b.send("3");
    const one = socket.take("send_message");
    expect(one.data).toEqual({ roomId: "a", clientId: "c1", content: "1" });
    expect(socket.take("send_message").data).toMatchObject({ roomId: "b", content: "3" });
    expect(socket.has("send_message")).toBe(false);
    socket.ok(one, sent(one, 1));
    expect(await first).toMatchObject({ seq: 1, messageId: "e1", duplicate: false });
    expect(socket.take("send_message").data).toMatchObject({ clientId: "c2", content: "2" });
  });

  test("no more are under way than the server takes", async () => {
    const { script, starling } = client();
    void starling.connect();
    await settle();
    script.socket.welcome({ limits: { maxUnacked: 2, maxFrameBytes: 65_536 } as never });
    await welcomed(script.socket);
    for (const roomId of ["a", "b", "c"]) void starling.room(roomId).send("x");
    const one = script.socket.take("send_message");
    script.socket.take("send_message");
    expect(script.socket.has("send_message")).toBe(false);
    script.socket.ok(one, sent(one, 1));
    expect(script.socket.take("send_message").data.roomId).toBe("c");
  });

  test("survive a lost connection: what was not answered goes again, in order, under the same client ids", async () => {
    const { script, starling, socket } = await connected();
    const room = starling.room("a");
    const all = [room.send("1"), room.send("2")];
    const lost = socket.take("send_message");
    socket.drop();
    all.push(room.send("3"));
    const again = await reconnect(script);
    const seen: unknown[] = [];
    for (const seq of [1, 2, 3]) {
      const command = again.take("send_message");
      seen.push([command.data.clientId, command.data.content]);
      again.ok(command, sent(command, seq, { duplicate: seq === 1 }));
      await settle();
    }
    expect(seen).toEqual([
      ["c1", "1"],
      ["c2", "2"],
      ["c3", "3"],
    ]);
    expect(lost.data.clientId).toBe("c1");
    expect((await Promise.all(all)).map(({ duplicate }) => duplicate)).toEqual([true, false, false]);
  });

  test("an echo is as good as its answer", async () => {
    const { starling, socket } = await connected({ a: 0 });
    const first = starling.room("a").send("1");
    void starling.room("a").send("2");
    const command = socket.take("send_message");
    socket.event(created("a", 1, { senderId: "me", clientId: "c1", content: "1" }));
    expect(await first).toMatchObject({ roomId: "a", seq: 1, duplicate: false });
    expect(socket.take("send_message").data.content).toBe("2");
    socket.ok(command, sent(command, 1)); // late, and harmless
    await settle();
  });

  test("another user's client id is not ours", async () => {
    const { starling, socket } = await connected({ a: 0 });
    let isDone = false;
    void starling
      .room("a")
      .send("1")
      .then(() => {
        isDone = true;
      });
    socket.event(created("a", 1, { senderId: "mallory", clientId: "c1" }));
    await settle();
    expect(isDone).toBe(false);
    expect(starling.room("a").getSnapshot().messages).toHaveLength(2);
  });

  test("the queue is bounded, and says so", async () => {
    const { starling } = client({ queueLimit: 3 });
    const room = starling.room("a");
    const results = [1, 2, 3, 4].map((n) => room.send(String(n)));
    await expect(results[3]).rejects.toMatchObject({ code: "queue_full" });
    expect(room.getSnapshot().messages.map(({ state }) => state)).toEqual([
      "sending",
      "sending",
      "sending",
      "failed",
    ]);
  });

  test("a message that waited too long fails, and the next one goes on", async () => {
    const { script, starling, socket } = await connected({}, { messageTtlMs: 30_000 });
    socket.drop();
    const room = starling.room("a");
    const old = room.send("old");
    await pass(29_999);
    const young = room.send("young");
    await pass(1);
    await expect(old).rejects.toMatchObject({ code: "expired" });
    script.socket.welcome();
    await welcomed(script.socket);
    const command = script.socket.take("send_message");
    expect(command.data.content).toBe("young");
    script.socket.ok(command, sent(command, 1));
    await expect(young).resolves.toMatchObject({ seq: 1 });
  });

  test.each(["rate_limited", "unavailable"])("%s: waits as told, then goes on in order", async (code) => {
    const { starling, socket } = await connected();
    const room = starling.room("a");
    void room.send("1");
    void room.send("2");
    void starling.room("b").send("3");
    const [a, b] = [socket.take("send_message"), socket.take("send_message")];
    socket.ok(b, sent(b, 1));
    socket.refuse(a, code, { retryAfterMs: 2_000 });
    void starling.room("b").send("4");
    await pass(2_199); // and a tenth of jitter
    expect(socket.has("send_message")).toBe(false);
    await pass(1);
    const [one, four] = [socket.take("send_message"), socket.take("send_message")];
    expect([one.data.content, four.data.content]).toEqual(["1", "4"]);
    expect(one.data.clientId).toBe("c1");
    socket.ok(one, sent(one, 1));
    expect(socket.take("send_message").data.content).toBe("2");
  });

  test.each([0.1, 0.2, 0.3, 0.5, 0.7, 1.1])(
    "a pause ends though timers are early, and each look takes %f ms",
    async (step) => {
      let looks = 0;
      const { starling, socket } = await connected(
        {},
        {
          clock: {
            now: () => Date.now() + looks++ * step,
            setTimeout: (callback, ms) => setTimeout(callback, Math.max(0, ms - 1)),
            clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
          },
        },
      );
      for (let n = 1; n <= 20; n++) {
        void starling.room("a").send(String(n));
        socket.refuse(socket.take("send_message"), "unavailable", { retryAfterMs: 100 });
        await pass(200);
        const command = socket.take("send_message");
        socket.ok(command, sent(command, n));
      }
    },
  );

  test("a pause for messages holds no other command, a pause for commands holds all", async () => {
    const { starling, socket } = await connected();
    socket.take("authenticate");
    void starling.room("a").send("1");
    socket.refuse(socket.take("send_message"), "rate_limited", { retryAfterMs: 5_000 });
    void starling.request("list_rooms", {});
    const list = socket.take("list_rooms");
    socket.refuse(list, "rate_limited", { retryAfterMs: 1_000 });
    void starling.request("list_members", { roomId: "a" });
    starling.room("a").signal("cursor", 1);
    expect(socket.sent).toEqual([]);
    await pass(1_100);
    expect([socket.take("list_rooms").id, socket.has("list_members")]).toEqual([list.id, true]);
    expect(socket.has("send_message")).toBe(false);
    await pass(4_400);
    expect(socket.has("send_message")).toBe(true);
  });

  test("a refusal that waiting does not change fails the message; retry() uses the same client id", async () => {
    const { starling, socket } = await connected();
    const room = starling.room("a");
    const first = room.send({ content: "hi", replyTo: 4, metadata: { a: 1 } });
    void room.send("next");
    socket.refuse(socket.take("send_message"), "muted", { retryAfterMs: 60_000 });
    await expect(first).rejects.toMatchObject({ code: "muted", retryAfterMs: 60_000 });
    const [failed] = room.getSnapshot().messages;
    expect(failed).toMatchObject({ state: "failed", content: "hi", error: { code: "muted" } });
    const next = socket.take("send_message");
    expect(next.data.content).toBe("next");
    socket.ok(next, sent(next, 5));
    const again = room.retry("c1");
    const command = socket.take("send_message");
    expect(command.data).toEqual({
      roomId: "a",
      clientId: "c1",
      content: "hi",
      replyTo: 4,
      metadata: { a: 1 },
    });
    socket.ok(command, sent(command, 6));
    await expect(again).resolves.toMatchObject({ seq: 6 });
    expect(room.getSnapshot().messages.map(({ state }) => state)).toEqual(["sent", "sent"]);
    expect(room.retry("c1")).toBeUndefined();
  });

  test("a failed message can be given up", async () => {
    const { starling, socket } = await connected();
    const room = starling.room("a");
    void room.send("x");
    room.discard("c1"); // still on its way
    expect(room.getSnapshot().messages).toHaveLength(1);
    socket.refuse(socket.take("send_message"), "forbidden");
    await settle();
    room.discard("c1");
    expect(room.getSnapshot().messages).toEqual([]);
  });

  test("one that is too big is refused here: the server would close the socket", async () => {
    const { starling, socket } = await connected();
    const big = starling.room("a").send("é".repeat(33_000));
    void starling.room("a").send("small");
    await expect(big).rejects.toMatchObject({ code: "message_too_long" });
    expect(socket.take("send_message").data.content).toBe("small");
  });

  test("nobody has to wait for the outcome", async () => {
    const { starling, socket } = await connected();
    void starling.room("a").send("x");
    void starling.request("list_rooms", {});
    starling.disconnect();
    expect(socket.closedBy).toBeDefined();
    await pass(1_000); // an unhandled rejection would fail the run
  });

  test("direct messages are addressed to the other user", async () => {
    const { starling, socket } = await connected();
    const room = starling.direct("bob");
    expect(room.id).toBe("@dm:bob,me");
    expect(starling.direct("zoe").id).toBe("@dm:me,zoe");
    expect(starling.direct("me").id).toBe("@dm:me,me");
    expect(starling.direct("\u{1F600}").id).toBe("@dm:me,\u{1F600}");
    void room.send("hi");
    const command = socket.take("send_message");
    expect(command.data).toEqual({ recipientId: "bob", clientId: "c1", content: "hi" });
    const data = { senderId: "me", clientId: "c1", content: "hi" };
    socket.event(created("@dm:bob,me", 1, data));
    expect(room.getSnapshot().messages).toMatchObject([{ content: "hi", state: "sent", seq: 1 }]);
    void starling.direct("me").send("note");
    expect(socket.take("send_message").data.recipientId).toBe("me");
    expect(() => client().starling.direct("bob")).toThrow(/connect/);
  });
});

describe("commands", () => {
  test("wait for the connection, and go in the order they were given", async () => {
    const { script, starling } = client();
    const first = starling.request("list_rooms", { scope: "public" });
    void starling.request("list_members", { roomId: "a" });
    void starling.connect();
    await settle();
    const { socket } = script;
    socket.welcome();
    // The session's own subscriptions come first.
    expect(socket.sent.map(({ type }) => type)).toEqual([
      "authenticate",
      "subscribe",
      "subscribe",
      "list_rooms",
      "list_members",
    ]);
    socket.ok(socket.take("list_rooms"), { rooms: [], hasMore: false });
    expect(await first).toEqual({ rooms: [], hasMore: false });
  });

  test("are sent again when the connection is cut before the answer", async () => {
    const { script, starling, socket } = await connected();
    const marking = starling.request("mark_read", { roomId: "a", seq: 4 });
    socket.take("mark_read");
    socket.drop();
    await pass(250);
    script.socket.welcome();
    script.socket.ok(script.socket.take("mark_read"), { roomId: "a", seq: 4, unread: 0, mentions: 0 });
    await expect(marking).resolves.toMatchObject({ seq: 4 });
  });

  test("all but create_room, whose outcome would be told wrong", async () => {
    const { script, starling, socket } = await connected();
    const creating = starling.createRoom({ name: "A" });
    socket.take("create_room");
    socket.drop();
    await expect(creating).rejects.toMatchObject({ code: "disconnected" });
    await pass(250);
    script.socket.welcome();
    await settle();
    expect(script.socket.has("create_room")).toBe(false);
  });

  test("time out, also while they wait for a pause to end", async () => {
    const { starling, socket } = await connected({}, { requestTimeoutMs: 5_000 });
    const silent = starling.request("list_rooms", {});
    await pass(5_000);
    await expect(silent).rejects.toMatchObject({ code: "timeout" });
    socket.take("list_rooms");
    const long = starling.request("list_rooms", {});
    socket.refuse(socket.take("list_rooms"), "unavailable", { retryAfterMs: 60_000 });
    await expect(long).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 60_000 });
  });

  test("are bounded", async () => {
    const { starling } = client();
    const all = Array.from({ length: 501 }, () => starling.request("list_rooms", {}));
    await expect(all[500]).rejects.toMatchObject({ code: "queue_full" });
  });

  test("say the refusal; one that comes too late is nobody's", async () => {
    const { starling, socket } = await connected();
    const errors: unknown[] = [];
    starling.on("error", (error) => errors.push(error));
    socket.say("error", { code: "internal", message: "late" }, 4_711);
    expect(errors).toEqual([]);
    const kicking = starling.request("kick", { roomId: "a", userId: "bob" });
    socket.refuse(socket.take("kick"), "forbidden", { details: { role: "member" } });
    await expect(kicking).rejects.toMatchObject({ code: "forbidden", details: { role: "member" } });
  });

  test("`pong` answers a ping", async () => {
    const { starling, socket } = await connected();
    const ping = starling.request("ping", {});
    socket.say("pong", { serverTime: "now" }, socket.take("ping").id);
    expect(await ping).toEqual({ serverTime: "now" });
  });

  test("what is worth nothing later is not kept", async () => {
    const { starling, socket } = await connected();
    starling.room("a").signal("cursor", { x: 1 });
    expect(socket.take("signal")).toEqual({
      type: "signal",
      data: { roomId: "a", name: "cursor", payload: { x: 1 } },
    });
    socket.drop();
    starling.room("a").signal("cursor");
    starling.room("a").type();
    await settle();
  });
});
