import { describe, expect, test, vi } from "vitest";
import { join, joined } from "../../client/test/support/room.js";
import { connected, created, event, welcomed } from "../../client/test/support/script.js";
import { useRoom } from "../src/index.js";
import { acting, probe, show } from "./support/render.js";

describe("useRoom", () => {
  test("joins once, however many show the room, and does not leave when unmounted", async () => {
    const { starling, socket } = await connected();
    const one = probe(() => useRoom("a", { history: 20 }));
    const two = probe(() => useRoom("a", { history: 20 }));
    const shown = await show(starling, [<one.Probe key="1" />, <two.Probe key="2" />]);
    const commands = socket.sent.filter(({ type }) => type === "join_room");
    expect(commands.map(({ data }) => data)).toEqual([{ roomId: "a", history: 20 }]);
    expect(one.value).toMatchObject({ status: "idle", isJoining: true });
    await acting(() => join(socket, 3));
    expect(two.value).toMatchObject({
      status: "live",
      isJoining: false,
      info: { name: "A" },
      role: "member",
      onlineCount: 2,
    });
    await acting(() => shown.show(<one.Probe key="3" />));
    await acting(() => shown.show(null));
    expect(socket.has("join_room") || socket.has("leave_room") || socket.has("unsubscribe")).toBe(false);
  });

  test("renders again for the room, not for its messages", async () => {
    const { starling, socket } = await joined(3);
    const hook = probe(() => useRoom("a", { join: false }));
    await show(starling, <hook.Probe />);
    const { renders } = hook;
    await acting(() => socket.event(created("a", 4)));
    await acting(() => socket.say("typing", { roomId: "a", userId: "bob", isTyping: true }));
    expect(hook.renders).toBe(renders);
    await acting(() => socket.event(event("room_updated", "a", 5, { name: "New" })));
    expect(hook.value.info?.name).toBe("New");
    expect(socket.has("join_room")).toBe(false);
  });

  test("shows another room when its id changes", async () => {
    const { starling, socket } = await connected();
    const hook = probe((roomId: string) => useRoom(roomId));
    const shown = await show(starling, <hook.Probe input="a" />);
    await acting(() => shown.show(<hook.Probe input="b" />));
    expect(hook.value.room.id).toBe("b");
    expect(socket.sent.filter(({ type }) => type === "join_room").map(({ data }) => data.roomId)).toEqual([
      "a",
      "b",
    ]);
  });

  test("tells a refusal, joins when told to, and leaves", async () => {
    const { starling, socket } = await connected();
    const hook = probe(() => useRoom("a"));
    await show(starling, <hook.Probe />);
    await acting(() => socket.refuse(socket.take("join_room"), "forbidden"));
    expect(hook.value).toMatchObject({ status: "idle", isJoining: false, error: { code: "forbidden" } });
    await acting(() => void hook.value.join());
    expect(hook.value).toMatchObject({ isJoining: true, error: undefined });
    await acting(() => join(socket, 1));
    expect(hook.value.status).toBe("live");
    await acting(() => void hook.value.leave());
    await acting(() => socket.ok(socket.take("leave_room"), { roomId: "a" }));
    expect(hook.value.status).toBe("gone");
    expect(socket.has("join_room")).toBe(false);
  });

  test("goes on after a lost connection", async () => {
    const { script, starling, socket } = await connected();
    const hook = probe(() => useRoom("a"));
    await show(starling, <hook.Probe />);
    await acting(() => join(socket, 2));
    await acting(() => socket.drop());
    await acting(() => {}, 250);
    script.socket.welcome();
    await acting(() => welcomed(script.socket, { a: 2 }));
    expect(script.socket.has("join_room")).toBe(false);
    await acting(() =>
      script.socket.event(event("member_role_changed", "a", 3, { userId: "me", role: "admin" })),
    );
    expect(hook.value).toMatchObject({ status: "live", role: "admin" });
  });

  test("leaves no listener and no timer behind", async () => {
    const { starling, socket } = await connected();
    let listeners = 0;
    for (const store of [starling.status, starling.room("a")]) {
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
    const hook = probe(() => useRoom("a"));
    const { unmount } = await show(starling, <hook.Probe />);
    await acting(() => join(socket, 1));
    expect(listeners).toBeGreaterThan(0);
    unmount();
    await acting();
    expect(listeners).toBe(0);
    starling.disconnect();
    expect(vi.getTimerCount()).toBe(0);
  });
});
