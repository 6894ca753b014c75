import { render } from "@testing-library/react";
import { StrictMode, useEffect } from "react";
import { expect, test, vi } from "vitest";
import { client, connected, Script, welcomed } from "../../client/test/support/script.js";
import { StarlingProvider, useConnection, useRoom, useStarling } from "../src/index.js";
import { acting, probe, show } from "./support/render.js";

test("a client made of options has one connection, which ends with the provider", async () => {
  const script = new Script();
  const token = vi.fn(async () => "t0");
  const failures: unknown[] = [];
  const { Probe } = probe(() => {
    const { room } = useRoom("a");
    useEffect(() => {
      room.send("from an effect").catch((error: unknown) => failures.push(error));
    }, [room]);
  });
  const { unmount } = render(
    <StrictMode>
      <StarlingProvider options={{ url: "ws://localhost/ws", token, WebSocket: script.WebSocket }}>
        <Probe />
      </StarlingProvider>
    </StrictMode>,
  );
  await acting();
  expect(script.sockets).toHaveLength(1);
  expect(token).toHaveBeenCalledTimes(1);
  await acting(() => script.socket.welcome());
  await acting(() => welcomed(script.socket));
  script.socket.take("join_room");
  expect(script.socket.has("join_room")).toBe(false);
  expect(script.socket.has("send_message")).toBe(true);
  expect(failures).toEqual([]);

  unmount();
  await acting();
  expect(script.socket.closedBy).toBeDefined();
  expect(vi.getTimerCount()).toBe(0);
  expect(script.sockets).toHaveLength(1);
});

test("a client of one's own is neither connected nor disconnected", async () => {
  const { script, starling } = client();
  const hook = probe(useStarling);
  const { unmount } = await show(starling, <hook.Probe />);
  expect(hook.value).toBe(starling);
  expect(script.sockets).toEqual([]);
  void starling.connect();
  await acting();
  unmount();
  await acting();
  expect(script.sockets).toHaveLength(1);
  expect(script.socket.closedBy).toBeUndefined();
});

test("without a provider, says what to do", () => {
  const { Probe } = probe(useStarling);
  vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => render(<Probe />)).toThrow("render this inside <StarlingProvider>");
});

test("useConnection follows the connection, retries and connects again", async () => {
  const { script, starling, socket } = await connected();
  const hook = probe(useConnection);
  await show(starling, <hook.Probe />);
  expect(hook.value).toMatchObject({ state: "connected", welcome: { userId: "me" } });
  await acting(() => socket.drop());
  expect(hook.value).toMatchObject({ state: "reconnecting", code: 1006, retryAt: Date.now() + 250 });
  await acting(() => hook.value.retry());
  expect(script.sockets).toHaveLength(2);
  await acting(() => script.socket.drop(4500, "banned"));
  expect(hook.value).toMatchObject({ state: "disconnected", code: 4500, error: { code: "disconnected" } });
  await acting(() => hook.value.connect());
  expect(hook.value.state).toBe("connecting");
  await acting(() => starling.disconnect());
});
