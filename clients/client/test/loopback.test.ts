import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type CodecName, Starling, type WebSocketConstructor } from "../src/index.js";
import { type Faults, Gateway, Log } from "./support/gateway.js";

const open: { close?(): unknown; disconnect?(): void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    one.disconnect?.();
    await one.close?.();
  }
});

async function gateway(log?: Log, faults?: Faults) {
  const node = new Gateway(log, faults);
  open.push(node);
  return { node, url: await node.listen() };
}

function client(url: string, user: string, codec: CodecName = "json", random: () => number = Math.random) {
  const backoff = { baseMs: 1, capMs: 8 };
  // `ws` as it is, so that its types are checked too.
  const starling = new Starling({ url, token: user, WebSocket, codec, backoff, random });
  open.push(starling);
  return starling;
}

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 20_000, interval: 2 });
const contents = (starling: Starling, roomId: string) =>
  starling
    .room(roomId)
    .getSnapshot()
    .messages.map(({ content }) => content);

/** Numbers that look random and are the same every time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.each(["json", "msgpack"] as const)("over a real socket, in %s", (codec) => {
  test("two users talk", async () => {
    const { url } = await gateway();
    const [ann, bob] = [client(url, "ann", codec), client(url, "bob", codec)];
    await Promise.all([ann.connect(), bob.connect()]);
    const [room] = await Promise.all([ann.join("a"), bob.join("a")]);
    const sent = await room.send({ content: "hé 👋", metadata: { n: 1.5, deep: [null, { x: -1 }] } });
    expect(sent).toMatchObject({ roomId: "a", seq: 1, duplicate: false });
    await until(() => expect(contents(bob, "a")).toEqual(["hé 👋"]));
    const [message] = bob.room("a").getSnapshot().messages;
    expect(message).toMatchObject({ senderId: "ann", metadata: { n: 1.5, deep: [null, { x: -1 }] } });
    expect(await ann.request("ping", {})).toEqual({});
  });

  test("a cut socket resumes", async () => {
    const { node, url } = await gateway();
    const ann = client(url, "ann", codec);
    await ann.connect();
    await ann.join("a");
    for (const socket of node.sockets) socket.terminate();
    for (let n = 1; n <= 20; n++) node.log.append("a", "bob", { content: `${n}` });
    await until(() => expect(contents(ann, "a")).toHaveLength(20));
  });
});

test("a token that is refused ends it: 4500", async () => {
  const { node, url } = await gateway();
  const ann = client(url, "ann");
  await ann.connect();
  for (const socket of node.sockets) socket.close(4500, "invalid token");
  await until(() => expect(ann.status.getSnapshot()).toMatchObject({ state: "disconnected", code: 4500 }));
});

test("nobody listens: it goes on trying, quietly, until it is stopped", async () => {
  const { node, url } = await gateway();
  await node.close();
  const ann = client(url, "ann");
  void ann.connect();
  await until(() => expect(ann.status.getSnapshot().code).toBe(1006));
  ann.disconnect();
  expect(ann.status.getSnapshot().state).toBe("disconnected");
});

test("stopped in the middle of a handshake, `ws` throws nothing", async () => {
  const { node, url } = await gateway();
  const ann = client(url, "ann");
  void ann.connect();
  await vi.waitFor(() => expect(ann.status.getSnapshot().state).toBe("connecting"));
  ann.disconnect();
  await until(() => expect(node.sockets.size).toBe(0));
});

test("migrate: every message arrives once, in order, while nodes are left", async () => {
  const log = new Log();
  // One address in front of nodes that share a log: here, one server whose sockets are told to go.
  const { node, url } = await gateway(log);
  const [ann, bob] = [client(url, "ann"), client(url, "bob")];
  await Promise.all([ann.connect(), bob.connect()]);
  const [room] = await Promise.all([ann.join("a"), bob.join("a")]);
  const states = new Set<string>();
  for (const one of [ann, bob]) one.on("status", ({ state }) => states.add(state));
  const sessions: string[] = [];
  ann.on("resumed", () => sessions.push("x"));
  const sending = Array.from({ length: 100 }, (_, n) => {
    if (n % 25 === 10) node.say("migrate", { afterMs: 0 });
    return room.send(String(n));
  });
  await Promise.all(sending);
  const expected = Array.from({ length: 100 }, (_, n) => String(n));
  await until(() => expect(contents(bob, "a")).toEqual(expected));
  expect(contents(ann, "a")).toEqual(expected);
  expect(log.events("a")).toHaveLength(100);
  expect([...states]).toEqual(["connected"]);
  expect(sessions.length).toBeGreaterThan(0);
  await until(() => expect(node.sockets.size).toBe(2));
});

describe("faults at random", { timeout: 60_000 }, () => {
  test.each([1, 2, 3, 4])("seed %i: every message once, in order, for everybody", async (seed) => {
    const random = seeded(seed);
    const log = new Log();
    const faults = { cutBefore: 0.06, cutAfter: 0.06, refuse: 0.08, limited: 0.3, random };
    const { node, url } = await gateway(log, faults);
    const users = ["ann", "bob", "cat"].map((name) =>
      client(url, name, seed % 2 ? "json" : "msgpack", random),
    );
    const seen = users.map((user) => {
      const order = new Map<string, number[]>();
      user.on("event", ({ data }) => order.set(data.roomId, [...(order.get(data.roomId) ?? []), data.seq]));
      return order;
    });
    await Promise.all(users.map((user) => user.connect()));
    for (const user of users) for (const roomId of ["a", "b"]) await user.join(roomId, { history: 0 });
    const sent = new Map<string, string[]>();
    const results: Promise<unknown>[] = [];
    for (let n = 0; n < 120; n++) {
      const at = n % 3;
      const roomId = random() < 0.5 ? "a" : "b";
      const content = `${at}-${n}`;
      sent.set(`${at}${roomId}`, [...(sent.get(`${at}${roomId}`) ?? []), content]);
      results.push((users[at] as Starling).room(roomId).send(content));
      if (n % 40 === 20) node.say("migrate", { afterMs: 0 });
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(results);
    faults.cutBefore = faults.cutAfter = faults.refuse = 0;
    for (const roomId of ["a", "b"]) {
      const all = log.events(roomId);
      // P3 and P5: once, and each sender's in their order.
      for (const at of [0, 1, 2]) {
        const mine = all.map(({ data }) => (data as { content: string }).content);
        expect(mine.filter((one) => one.startsWith(`${at}-`))).toEqual(sent.get(`${at}${roomId}`) ?? []);
      }
      for (const [at, user] of users.entries()) {
        await until(() => expect(user.positions()[roomId]?.seq).toBe(all.length));
        const order = (seen[at] as Map<string, number[]>).get(roomId) ?? [];
        const first = order[0] ?? 1;
        // P2 and P4: from the first on, dense and in order.
        expect(order).toEqual(order.map((_, n) => first + n));
        const shown = user.room(roomId).getSnapshot().messages;
        expect(shown.map(({ seq, state }) => [seq, state])).toEqual(order.map((seq) => [seq, "sent"]));
      }
    }
  });
});

test("the class of `ws` fits without a cast", () => {
  const fits: WebSocketConstructor = WebSocket;
  expect(fits).toBe(WebSocket);
});
