import { expect, test, vi } from "vitest";
import { createApp, defineComponent, h } from "vue";
import { client, connected, Script, settle, welcomed } from "../../client/test/support/script.js";
import { provideStarling, useConnection, useRoom, useStarling } from "../src/index.js";
import { using } from "./support/mount.js";

test("a client made of options has one connection, which ends with the application", async () => {
  const script = new Script();
  const options = { url: "ws://localhost/ws", token: "t0", WebSocket: script.WebSocket };
  const { unmount } = using({ options }, () => useRoom("a"));
  await settle();
  expect(script.sockets).toHaveLength(1);
  script.socket.welcome();
  await welcomed(script.socket);
  script.socket.take("join_room");
  unmount();
  await settle();
  expect(script.socket.closedBy).toBeDefined();
  expect(vi.getTimerCount()).toBe(0);
});

test("a client of one's own is neither connected nor disconnected", async () => {
  const { script, starling } = client();
  const { value, unmount } = using(starling, useStarling);
  expect(value).toBe(starling);
  expect(script.sockets).toEqual([]);
  void starling.connect();
  await settle();
  unmount();
  await settle();
  expect(script.socket.closedBy).toBeUndefined();
});

test("a component can provide a client, which ends with it", async () => {
  const script = new Script();
  let seen: unknown;
  const Child = defineComponent(() => {
    seen = useStarling();
    return () => h("p");
  });
  let made: unknown;
  const app = createApp(
    defineComponent(() => {
      made = provideStarling({
        options: { url: "ws://localhost/ws", token: "t0", WebSocket: script.WebSocket },
      });
      return () => h(Child);
    }),
  );
  app.mount(document.createElement("div"));
  await settle();
  expect(seen).toBe(made);
  app.unmount();
  expect(script.socket.closedBy).toBeDefined();
});

test("without a client, says what to do", () => {
  vi.spyOn(console, "warn").mockImplementation(() => {});
  const app = createApp({ setup: useStarling });
  expect(() => app.mount(document.createElement("div"))).toThrow("app.use(createStarling(…))");
});

test("useConnection follows the connection, retries and connects again", async () => {
  const { script, starling, socket } = await connected();
  const { value } = using(starling, useConnection);
  expect(value.state.value).toBe("connected");
  socket.drop();
  await settle();
  expect(value.status.value).toMatchObject({ state: "reconnecting", retryAt: Date.now() + 250 });
  value.retry();
  await settle();
  expect(script.sockets).toHaveLength(2);
  script.socket.drop(4500);
  await settle();
  expect(value.state.value).toBe("disconnected");
  value.connect();
  await settle();
  expect(value.state.value).toBe("connecting");
  starling.disconnect();
});
