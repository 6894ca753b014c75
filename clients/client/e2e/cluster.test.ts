// Gateways die, are drained, and lose what they had stored; the clients' users are not to notice.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Cluster, PROGRAMS } from "../../testing/cluster.js";
import type { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { token } from "../../testing/tokens.js";
import type { Gap, Starling } from "../src/index.js";
import { Traffic } from "./support/traffic.js";
import { client, contents, fresh, leave, until } from "./support/users.js";

/** Missed events that a gateway replays: the others are left to the client, by `gap`. */
const REPLAYED = 20;

describe.skipIf(missing(...PROGRAMS))("two gateways behind nginx", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start(2, { STARLING_LIMITS__REPLAY_EVENTS_PER_ROOM: `${REPLAYED}` });
  });
  beforeEach(() => cluster.runAll());
  afterEach(leave);
  afterAll(() => cluster?.stop());

  async function pair() {
    const roomId = fresh("room");
    const [ann, bob] = [client(cluster.socketUrl, fresh("ann")), client(cluster.socketUrl, fresh("bob"))];
    await Promise.all([ann.connect(), bob.connect()]);
    return { roomId, ann, bob, mine: await ann.join(roomId), theirs: await bob.join(roomId) };
  }

  test("a gateway is killed: its clients go on at the other, and nothing is lost or repeated", async () => {
    const traffic = await Traffic.start(cluster);
    await traffic.flow(20);
    const nodeId = traffic.users[0]?.nodeId;
    const moved = traffic.at(nodeId);
    await cluster.node(nodeId).kill();
    await until(() => expect(traffic.at(nodeId)).toEqual([]));
    await traffic.flow(20);
    await traffic.stop();
    for (const user of traffic.users) {
      expect([...user.states]).toEqual(moved.includes(user) ? ["connected", "reconnecting"] : ["connected"]);
    }
  });

  const drains: [string, (gateway: Gateway) => unknown][] = [
    ["SIGTERM", (gateway) => gateway.signal("SIGTERM")],
    ["the admin API", (gateway) => gateway.api("POST", "/admin/drain", token("admin", { roles: ["admin"] }))],
  ];
  test.each(drains)("a gateway is drained by %s: its clients move before it goes", async (_, drain) => {
    const traffic = await Traffic.start(cluster);
    await traffic.flow(20);
    const nodeId = traffic.users[0]?.nodeId;
    const gateway = cluster.node(nodeId);
    await drain(gateway);
    expect(await gateway.ended()).toBe(0);
    expect(traffic.at(nodeId)).toEqual([]);
    await traffic.flow(20);
    await traffic.stop();
    // The new socket was there before the old one was closed: for the application nothing has happened.
    for (const { states } of traffic.users) expect([...states]).toEqual(["connected"]);
  });

  test("what was missed beyond what a gateway replays comes as a gap, and is paged", async () => {
    const { roomId, ann, mine, theirs } = await pair();
    await theirs.send("before");
    await until(() => expect(contents(mine)).toEqual(["before"]));
    const positions = ann.positions();
    const from = positions[roomId]?.seq ?? 0;
    ann.disconnect();
    const missed = Array.from({ length: 5 * REPLAYED }, (_, n) => `missed ${n}`);
    await Promise.all(missed.map((content) => theirs.send(content)));

    const again = client(cluster.socketUrl, ann.userId ?? "", { positions });
    const [gaps, seen] = [gapsOf(again), messagesOf(again)];
    await again.connect();
    await theirs.send("after");
    await until(() => expect(seen.at(-1)?.content).toBe("after"));
    expect(gaps).toMatchObject([{ roomId, from: from + 1, to: from + missed.length }]);
    expect(seen.map(({ content }) => content)).toEqual([...missed, "after"]);
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, n) => from + 1 + n));
  });

  test("a database that lost its last messages: the clients drop them too, and go on from there", async () => {
    const { roomId, ann, bob, mine, theirs } = await pair();
    await mine.send("kept 1");
    await theirs.send("kept 2");
    await cluster.saveDatabase();
    for (const content of ["lost 1", "lost 2", "lost 3"]) await mine.send(content);
    await until(() => expect(contents(theirs).at(-1)).toBe("lost 3"));

    const gaps = [gapsOf(ann), gapsOf(bob)];
    await cluster.restoreDatabase();
    await until(() => expect(gaps).toMatchObject([[{ roomId }], [{ roomId }]]));
    await theirs.send("new");
    const kept = ["kept 1", "kept 2", "new"];
    for (const room of [mine, theirs]) await until(() => expect(contents(room)).toEqual(kept));
    const { messages } = await ann.request("fetch_history", { roomId });
    expect(messages.map(({ content }) => content)).toEqual(kept);
    await until(() => expect(ann.positions()[roomId]).toEqual(bob.positions()[roomId]));
  });
});

/** What a client is told of ranges that it has to page. */
function gapsOf(starling: Starling): Gap[] {
  const gaps: Gap[] = [];
  starling.on("gap", (gap) => gaps.push(gap));
  return gaps;
}

/** The messages that a client is told. */
function messagesOf(starling: Starling) {
  const messages: { seq: number; content: string }[] = [];
  starling.on("message_created", (message) => messages.push(message));
  return messages;
}
