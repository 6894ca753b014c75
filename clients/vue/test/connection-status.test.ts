import { fireEvent, screen } from "@testing-library/dom";
import { expect, test } from "vitest";
import { h } from "vue";
import { connected, settle } from "../../client/test/support/script.js";
import { ConnectionStatus } from "../src/index.js";
import { mount } from "./support/mount.js";

test("says how the connection is, and offers what can be done", async () => {
  const { script, starling, socket } = await connected();
  mount(starling, ConnectionStatus, { labels: { connected: "Online" } });
  const status = screen.getByRole("status");
  expect([status.dataset.state, status.textContent]).toEqual(["connected", "Online"]);
  socket.drop();
  await settle();
  expect(status.textContent).toContain("Connection lost");
  fireEvent.click(screen.getByRole("button", { name: "Reconnect now" }));
  await settle();
  expect(script.sockets).toHaveLength(2);
  expect(screen.queryByRole("button")).toBeNull();
  starling.disconnect();
  await settle();
  expect(status.dataset.state).toBe("disconnected");
  fireEvent.click(screen.getByRole("button", { name: "Connect" }));
  await settle();
  expect(script.sockets).toHaveLength(3);
});

test("takes another inside", async () => {
  const { starling } = await connected();
  mount(starling, () =>
    h(ConnectionStatus, null, { default: ({ state }: { state: string }) => `is ${state}` }),
  );
  expect(screen.getByRole("status").textContent).toBe("is connected");
});
