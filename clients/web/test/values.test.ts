import { describe, expect, test } from "vitest";
import { appended, HISTORY, ratesOf, type Sample } from "../src/admin/stats.js";
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
  const sample = (seconds: number, messages: number, nodeId = "a"): Sample => ({
    at: seconds * 1000,
    stats: {
      nodeId,
      uptimeSeconds: seconds,
      connections: { current: 0, peak: 0, total: 0 },
      users: 0,
      rooms: 0,
      messages: { in: messages, out: 2 * messages, errors: 0 },
      latencyMs: { average: 0, p95: 0, p99: 0 },
      memory: { residentBytes: null, outboxBytes: 0, ringBytes: 0 },
    },
  });

  test("rates are differences over time", () => {
    expect(ratesOf([sample(10, 100), sample(12, 150)])).toEqual([{ in: 25, out: 50, errors: 0 }]);
    expect(ratesOf([sample(10, 100)])).toEqual([]);
  });

  test("another node, or one that began anew, begins a new line", () => {
    const one = appended([], sample(10, 100));
    expect(appended(one, sample(12, 120))).toHaveLength(2);
    expect(appended(one, sample(12, 5, "b"))).toHaveLength(1);
    expect(appended(one, sample(1, 0))).toHaveLength(1);
  });

  test("only the last two minutes are kept", () => {
    let samples: readonly Sample[] = [];
    for (let i = 0; i < 2 * HISTORY; i += 1) samples = appended(samples, sample(i, i));
    expect(ratesOf(samples)).toHaveLength(HISTORY);
  });
});
