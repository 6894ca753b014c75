import { describe, expect, test } from "vitest";
import { type LiveNode, latencyOf, sampleOf, withRates } from "../src/admin/stats.js";
import { Drafts } from "../src/chat/drafts.js";
import { Names } from "../src/people/names.js";
import { idFrom, partnerOf, titleOf } from "../src/rooms/titles.js";
import { hrefOf, parseRoute, type Route } from "../src/route.js";
import { isEmojiOnly } from "../src/text/emoji.js";
import { dayOf, durationOf } from "../src/text/time.js";

describe("addresses", () => {
  test.each<Route>([
    { page: "home" },
    { page: "admin" },
    { page: "room", roomId: "team:a.b-c_1" },
    { page: "direct", userId: "ada@example.org/é%" },
  ])("$page goes there and back", (route) => {
    expect(parseRoute(hrefOf(route))).toEqual(route);
  });

  test("what nobody wrote is home", () => {
    for (const hash of ["", "#", "#/r/", "#/nothing/here"])
      expect(parseRoute(hash)).toEqual({ page: "home" });
    expect(parseRoute("#/r/%")).toEqual({ page: "room", roomId: "%" });
  });
});

describe("rooms", () => {
  test("a direct room is called like the other user", () => {
    const names = new Names();
    names.learn([{ userId: "bob", name: "Bob" }, { userId: "eve" }]);
    const title = (roomId: string) => titleOf({ roomId, info: undefined }, "ada", names);
    expect(title("@dm:ada,bob")).toBe("Bob");
    expect(title("@dm:ada,eve")).toBe("eve");
    expect(title("@dm:ada,ada")).toBe("Notes to myself");
    expect(title("general")).toBe("general");
    expect(partnerOf("general", "ada")).toBeUndefined();
  });

  test("an id is made from a name", () => {
    expect(idFrom("  Café & Bar, 2nd floor! ")).toBe("cafe-bar-2nd-floor");
    expect(idFrom("日本")).toBe("");
  });

  test("the drafts of the rooms written in last are kept", () => {
    const drafts = new Drafts();
    for (let i = 0; i < 60; i += 1) drafts.set(`room ${i}`, "text");
    expect(drafts.get("room 0")).toBe("");
    expect(drafts.get("room 59")).toBe("text");
    drafts.set("room 59", "");
    expect(drafts.get("room 59")).toBe("");
  });
});

describe("texts", () => {
  test("days have names", () => {
    const now = new Date(2026, 4, 4, 0, 5);
    expect(dayOf(new Date(2026, 4, 4, 0, 1).toISOString(), now)).toBe("Today");
    expect(dayOf(new Date(2026, 4, 3, 23, 59).toISOString(), now)).toBe("Yesterday");
    expect(dayOf(new Date(2025, 11, 31).toISOString(), now)).toContain("2025");
  });

  test("durations are short", () => {
    expect([59, 61, 3_700, 200_000].map(durationOf)).toEqual(["59 s", "1 min", "1 h 1 min", "2 d 7 h"]);
  });

  test("a few emoji alone are shown large", () => {
    for (const text of ["🎉", "👍🏽 ❤️", "👩‍💻"]) expect(isEmojiOnly(text)).toBe(true);
    for (const text of ["", "ok 🎉", "1", "🎉".repeat(9)]) expect(isEmojiOnly(text)).toBe(false);
  });
});

describe("statistics", () => {
  const node = (seconds: number, messages: number, more: Partial<LiveNode> = {}): LiveNode => ({
    nodeId: "a",
    address: "10.0.0.1:8080",
    version: "0.1.0",
    startedAt: "2026-11-20T12:00:00.000Z",
    reportedAt: new Date(Date.UTC(2026, 10, 21) + seconds * 1000).toISOString(),
    connections: 7,
    users: 3,
    rooms: 2,
    messagesIn: messages,
    messagesOut: 2 * messages,
    latencyMs: { average: 1, p95: 2, p99: 4 },
    memoryBytes: null,
    draining: false,
    ...more,
  });

  test("rates are from one report of a node to its next", () => {
    const first = withRates([node(0, 100)], []);
    expect(first[0]?.rates).toBeUndefined();
    const second = withRates([node(2, 150)], first);
    expect(second[0]?.rates).toEqual({ in: 25, out: 50 });
    // It has not reported since: what was known stays.
    expect(withRates([node(2, 150)], second)).toEqual(second);
    expect(withRates([node(5, 180)], second)[0]?.rates).toEqual({ in: 10, out: 20 });
  });

  test("a node that was started again, or is new, has no rate yet", () => {
    const before = withRates([node(2, 150)], [node(0, 100)]);
    const again = node(4, 3, { startedAt: "2026-11-21T00:00:03.000Z" });
    const other = node(4, 900, { nodeId: "b" });
    expect(withRates([again, other], before).map(({ rates }) => rates)).toEqual([undefined, undefined]);
  });

  test("a cluster is the sum of its nodes, and as slow as the slowest", () => {
    const nodes = [
      node(2, 30, { rates: { in: 3, out: 6 } }),
      node(2, 10, { nodeId: "b", rates: { in: 1, out: 2 }, latencyMs: { average: 5, p95: 9, p99: 10 } }),
      node(2, 0, { nodeId: "c" }),
    ];
    expect(sampleOf(nodes)).toEqual({ in: 4, out: 8, connections: 21 });
    expect(latencyOf(nodes)).toEqual({ average: 2, p95: 9, p99: 10 });
    expect(latencyOf([])).toEqual({ average: 0, p95: 0, p99: 0 });
  });
});
