// What an application does with the client: against one gateway, and against two behind nginx.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Cluster, PROGRAMS } from "../../testing/cluster.js";
import { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { token } from "../../testing/tokens.js";
import { type CodecName, guest, type StarlingOptions } from "../src/index.js";
import { client as clientAt, contents, fresh, leave, until } from "./support/users.js";

const DEPLOYMENTS = [
  { name: "one gateway", start: () => Gateway.start(), needs: [], hasGuests: true },
  { name: "two gateways", start: () => Cluster.start(), needs: PROGRAMS, hasGuests: false },
];

/** Sockets that a test can cut. */
function cuttable() {
  const sockets: WebSocket[] = [];
  class Cuttable extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols);
      sockets.push(this);
    }
  }
  return { WebSocket: Cuttable, cut: () => sockets.at(-1)?.terminate() };
}

for (const { name, start, needs, hasGuests } of DEPLOYMENTS)
  describe.skipIf(missing(...needs))(name, () => {
    let deployment: Gateway | Cluster;
    beforeAll(async () => {
      deployment = await start();
    });
    afterEach(leave);
    afterAll(() => deployment?.stop());

    const client = (user: string, options?: Partial<StarlingOptions>) =>
      clientAt(deployment.socketUrl, user, options);

    async function pair(codec: CodecName = "json", options: Partial<StarlingOptions> = {}) {
      const [ann, bob] = [fresh("ann"), fresh("bob")];
      const [a, b] = [client(ann, { codec, ...options }), client(bob, { codec })];
      await Promise.all([a.connect(), b.connect()]);
      const roomId = fresh("room");
      const [mine, theirs] = [await a.join(roomId), await b.join(roomId)];
      return { ann, bob, a, b, roomId, mine, theirs };
    }

    describe.each(["json", "msgpack"] as const)("in %s", (codec) => {
      test("messages, edits, reactions, deletes, replies", async () => {
        const { ann, bob, mine, theirs } = await pair(codec);
        expect(mine.getSnapshot()).toMatchObject({ role: "owner", status: "live" });
        const sent = await mine.send({ content: "hé 👋", metadata: { n: 1.5, deep: [null, { x: -1 }] } });
        await until(() => expect(contents(theirs)).toEqual(["hé 👋"]));
        expect(theirs.getSnapshot().messages[0]).toMatchObject({
          senderId: ann,
          senderName: ann.toUpperCase(),
          metadata: { n: 1.5, deep: [null, { x: -1 }] },
          contentType: "text/plain",
        });
        await theirs.react(sent.seq, "👍");
        await mine.edit(sent.seq, "edited");
        await theirs.send({ content: "reply", replyTo: sent.seq, thread: sent.seq });
        await until(() => {
          for (const room of [mine, theirs]) {
            const [first, reply] = room.getSnapshot().messages;
            expect(first).toMatchObject({
              content: "edited",
              reactions: { "👍": { count: 1, users: [bob] } },
              replyCount: 1,
            });
            expect(reply).toMatchObject({ content: "reply", replyTo: sent.seq, thread: sent.seq });
          }
        });
        await theirs.unreact(sent.seq, "👍");
        await mine.delete(sent.seq);
        await until(() =>
          expect(theirs.getSnapshot().messages[0]).toMatchObject({ content: "", replyCount: 1 }),
        );
        expect(theirs.getSnapshot().messages[0]?.deletedAt).toBeDefined();
      });

      test("what events make of messages is what history says of them", async () => {
        const { a, mine, theirs, roomId } = await pair(codec);
        const { seq } = await mine.send("one");
        await theirs.send({ content: "two", thread: seq });
        await theirs.react(seq, "+1");
        await mine.react(seq, "+1");
        await mine.edit(seq, "one!");
        const third = await mine.send({
          content: "three",
          mentions: ["x"],
          attachments: [{ url: "https://x/y" }],
        });
        await mine.delete(third.seq);
        const last = a.positions()[roomId]?.seq ?? 0;
        await until(() => expect(a.positions()[roomId]?.seq).toBeGreaterThanOrEqual(last));
        await until(() => expect(mine.getSnapshot().messages.at(-1)?.deletedAt).toBeDefined());
        const { messages } = await a.request("fetch_history", { roomId });
        const shown = mine.getSnapshot().messages.map(({ key: _, state: __, ...message }) => message);
        expect(shown).toEqual(messages);
      });
    });

    test("a cut socket resumes; a message on its way arrives once", async () => {
      const { WebSocket: Cut, cut } = cuttable();
      const { a, b, mine, theirs, roomId } = await pair("json", { WebSocket: Cut });
      const seqs: number[] = [];
      a.on("event", ({ data }) => data.roomId === roomId && seqs.push(data.seq));
      const sending: Promise<unknown>[] = [];
      for (let n = 0; n < 10; n++) {
        sending.push(mine.send(`a${n}`), theirs.send(`b${n}`));
        if (n % 3 === 1) cut();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await Promise.all(sending);
      await until(() => expect(contents(mine)).toHaveLength(20));
      await until(() => expect(contents(theirs)).toEqual(contents(mine)));
      const own = contents(mine).filter((content) => content.startsWith("a"));
      expect(own).toEqual(Array.from({ length: 10 }, (_, n) => `a${n}`));
      expect(seqs).toEqual(seqs.map((_, n) => (seqs[0] ?? 0) + n));
      expect(b.positions()[roomId]?.seq).toBe(a.positions()[roomId]?.seq);
    });

    test("positions outlive the client", async () => {
      const { ann, a, theirs, roomId } = await pair();
      const positions = a.positions();
      a.disconnect();
      for (const content of ["1", "2", "3"]) await theirs.send(content);
      const later = client(ann, { positions });
      const seen: string[] = [];
      later.on("message_created", ({ content }) => seen.push(content));
      await later.connect();
      await until(() => expect(seen).toEqual(["1", "2", "3"]));
      expect(later.positions()[roomId]?.seq).toBe((positions[roomId]?.seq ?? 0) + 3);
    });

    test("a cursor that no server gave: the room begins anew", async () => {
      const { ann, a, theirs, roomId } = await pair();
      await theirs.send("1");
      const { seq = 0 } = a.positions()[roomId] ?? {};
      a.disconnect();
      const forged = client(ann, {
        positions: { [roomId]: { seq: seq + 50, cursor: `${seq + 50}.deadbeef` } },
      });
      const resets: string[] = [];
      forged.on("room_reset", (reset) => resets.push(reset.roomId));
      await forged.connect();
      await until(() => expect(resets).toEqual([roomId]));
      await theirs.send("2");
      await until(() => expect(forged.positions()[roomId]?.seq).toBeGreaterThan(seq));
    });

    test("history is paged upwards", async () => {
      const { ann, a, mine, roomId } = await pair();
      for (let n = 1; n <= 12; n++) await mine.send(String(n));
      a.disconnect();
      const again = client(ann);
      await again.connect();
      const room = await again.join(roomId, { history: 5 });
      expect(contents(room)).toEqual(["8", "9", "10", "11", "12"]);
      expect(room.getSnapshot().hasMore).toBe(true);
      expect(await room.loadOlder(5)).toBe(5);
      expect(await room.loadOlder(5)).toBe(2);
      expect(contents(room)).toEqual(Array.from({ length: 12 }, (_, n) => String(n + 1)));
      expect(room.getSnapshot().hasMore).toBe(false);
    });

    test("direct messages come without being asked for", async () => {
      const [ann, bob] = [fresh("ann"), fresh("bob")];
      const [a, b] = [client(ann), client(bob)];
      await Promise.all([a.connect(), b.connect()]);
      const room = a.direct(bob);
      await room.send("psst");
      await until(() => expect(b.rooms.getSnapshot().map(({ id }) => id)).toEqual([room.id]));
      await b.direct(ann).send("what?");
      await until(() => expect(contents(room)).toEqual(["psst", "what?"]));
      await until(() => expect(room.getSnapshot().unread).toBe(1));
    });

    test("rooms that are shown are joined or loaded, a direct one before its first message, too", async () => {
      const [ann, bob] = [fresh("ann"), fresh("bob")];
      const [a, b] = [client(ann), client(bob)];
      const roomId = fresh("room");
      a.room(roomId).follow();
      await Promise.all([a.connect(), b.connect()]);
      await until(() =>
        expect(a.room(roomId).getSnapshot()).toMatchObject({ status: "live", role: "owner" }),
      );
      expect(a.room(roomId).getSnapshot()).toMatchObject({ messages: [], hasMore: false });
      const errors: string[] = [];
      a.on("error", ({ message }) => errors.push(message));
      const direct = a.direct(bob);
      direct.follow();
      a.notifications.follow();
      await until(() => expect(direct.getSnapshot().hasMore).toBe(false));
      await b.direct(ann).send("psst");
      await until(() => expect(contents(direct)).toEqual(["psst"]));
      expect(a.unread.getSnapshot()).toEqual({ unread: 1, mentions: 0 });
      expect(errors).toEqual([]);
    });

    test("members, roles, kicks", async () => {
      const { a, b, bob, mine, theirs, roomId } = await pair();
      await mine.loadMembers();
      expect(
        mine
          .getSnapshot()
          .members.map(({ role }) => role)
          .sort(),
      ).toEqual(["member", "owner"]);
      await a.request("set_role", { roomId, userId: bob, role: "moderator" });
      await until(() => expect(theirs.getSnapshot().role).toBe("moderator"));
      await a.request("kick", { roomId, userId: bob, reason: "enough" });
      await until(() => expect(theirs.getSnapshot().status).toBe("gone"));
      await until(() => expect(mine.getSnapshot().members).toHaveLength(1));
      await mine.send("they do not see this");
      await b.join(roomId);
      await until(() => expect(theirs.getSnapshot()).toMatchObject({ status: "live", role: "member" }));
      await expect(b.request("kick", { roomId, userId: bob })).rejects.toMatchObject({ code: "forbidden" });
    });

    test("unread counts follow messages and read marks", async () => {
      const { ann, bob, mine, theirs } = await pair();
      const device = client(bob);
      await device.connect();
      await mine.send("1");
      await mine.send({ content: "2", mentions: [bob] });
      await until(() => expect(theirs.getSnapshot()).toMatchObject({ unread: 2, mentions: 1 }));
      theirs.markRead();
      await until(() => expect(theirs.getSnapshot()).toMatchObject({ unread: 0, mentions: 0 }));
      await until(() =>
        expect(device.room(theirs.id).getSnapshot()).toMatchObject({ unread: 0, mentions: 0 }),
      );
      await until(() => expect(mine.getSnapshot().receipts[bob]).toBeGreaterThan(0));
      expect(mine.getSnapshot().receipts[ann]).toBeUndefined();
    });

    test("typing and signals", async () => {
      const { a, b, bob, ann, mine, theirs, roomId } = await pair();
      theirs.type();
      await until(() => expect(mine.getSnapshot().typing).toEqual([bob]));
      theirs.stopTyping();
      await until(() => expect(mine.getSnapshot().typing).toEqual([]));
      const signals: unknown[] = [];
      b.on("signal", (signal) => signals.push(signal));
      a.room(roomId).signal("cursor", { x: 1 });
      await until(() =>
        expect(signals).toEqual([{ roomId, senderId: ann, name: "cursor", payload: { x: 1 } }]),
      );
    });

    test("presence", async () => {
      const { a, b, bob } = await pair();
      await a.presence.watch([bob]);
      await until(() => expect(a.presence.get(bob)?.status).toBe("online"));
      await b.presence.set("busy", "thinking");
      await until(() =>
        expect(a.presence.get(bob)).toMatchObject({ status: "busy", customStatus: "thinking" }),
      );
    });

    test("tokens: refreshed while the session lives, renewed when refused", async () => {
      const user = fresh("ann");
      const given: boolean[] = [];
      const a = client(user, {
        token: ({ isExpired }) => {
          given.push(isExpired);
          return token(user);
        },
      });
      await a.connect();
      await a.refreshToken();
      expect(given).toEqual([false, true]);
      expect(a.status.getSnapshot().state).toBe("connected");
      const refused = client(user, { token: `${token(user)}x` });
      await expect(refused.connect()).rejects.toBeDefined();
      expect(refused.status.getSnapshot()).toMatchObject({ state: "disconnected", code: 4500 });
    });

    test("guests come in by a name, where they are let in, and stay who they are when the token is renewed", async () => {
      const ada = client("", { token: guest(deployment.url, "Ada") });
      if (!hasGuests) {
        const message = expect.stringContaining("guest sign-in");
        await expect(ada.connect()).rejects.toMatchObject({ code: "unauthenticated", message });
        return;
      }
      const { userId } = await ada.connect();
      const room = await ada.join(fresh("room"));
      await room.send("hello");
      await until(() =>
        expect(room.getSnapshot().messages).toMatchObject([{ senderId: userId, senderName: "Ada" }]),
      );
      await ada.refreshToken();
      const { members } = await ada.request("list_members", { roomId: room.id });
      expect(members).toMatchObject([{ userId }]);
    });

    test("the names of commands and refusals are the server's", async () => {
      const { a, roomId } = await pair();
      await expect(a.request("ping", {})).resolves.toHaveProperty("serverTime");
      await expect(a.request("no_such_command" as "ping", {})).rejects.toMatchObject({
        code: "unknown_type",
      });
      await expect(a.request("edit_message", { roomId, seq: 999, content: "x" })).rejects.toMatchObject({
        code: "not_found",
      });
      const { rooms } = await a.request("list_rooms", {});
      expect(rooms).toMatchObject([{ roomId, role: "owner", unread: 0 }]);
      await expect(a.request("create_room", { roomId, name: "taken" })).rejects.toMatchObject({
        code: "room_exists",
      });
      const room = await a.createRoom({
        name: "private",
        kind: "private",
        settings: { slowModeSeconds: 1, theme: "x" },
      });
      expect(room.getSnapshot()).toMatchObject({
        role: "owner",
        info: { kind: "private", settings: { slowModeSeconds: 1, theme: "x" } },
      });
      await a.request("update_room", { roomId: room.id, name: "renamed" });
      await until(() => expect(room.getSnapshot().info?.name).toBe("renamed"));
      await a.request("delete_room", { roomId: room.id });
      await until(() => expect(room.getSnapshot().status).toBe("gone"));
    });
  });
