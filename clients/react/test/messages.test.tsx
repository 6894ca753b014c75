import { expect, test } from "vitest";
import { joined, range, stored } from "../../client/test/support/room.js";
import { connected, created } from "../../client/test/support/script.js";
import { useMessages } from "../src/index.js";
import { acting, probe, show } from "./support/render.js";

const shown = (messages: readonly { content: string }[]) => messages.map(({ content }) => content);

test("pages upwards, and says what goes wrong with it", async () => {
  const { starling, socket } = await joined(60);
  const hook = probe(() => useMessages("a"));
  await show(starling, <hook.Probe />);
  expect(hook.value).toMatchObject({ hasMore: true, isLoadingOlder: false, loadError: undefined });
  expect(hook.value.messages).toHaveLength(50);
  const { loadOlder } = hook.value;
  await acting(() => void loadOlder(10));
  expect(hook.value.isLoadingOlder).toBe(true);
  await acting(() => socket.refuse(socket.take("fetch_history"), "internal"));
  expect(hook.value).toMatchObject({ isLoadingOlder: false, loadError: { code: "internal" } });
  await acting(() => void hook.value.loadOlder(10));
  const command = socket.take("fetch_history");
  expect(command.data).toEqual({ roomId: "a", limit: 10, before: 11 });
  await acting(() =>
    socket.ok(command, { messages: range(1, 10).map((seq) => stored(seq)), hasMore: false }),
  );
  expect(hook.value).toMatchObject({ hasMore: false, loadError: undefined });
  expect(shown(hook.value.messages).slice(0, 2)).toEqual(["m1", "m2"]);
  expect(hook.value.loadOlder).toBe(loadOlder);
});

test("a message is sending, sent or failed, goes again or away", async () => {
  const { starling, socket } = await joined(1);
  const hook = probe(() => useMessages("a"));
  await show(starling, <hook.Probe />);
  const last = () => hook.value.messages.at(-1);
  await acting(() => void hook.value.send("one"));
  expect(last()).toMatchObject({ content: "one", state: "sending" });
  await acting(() => socket.refuse(socket.take("send_message"), "muted"));
  expect(last()).toMatchObject({ state: "failed", error: { code: "muted" } });
  await acting(() => void hook.value.retry("c1"));
  const again = socket.take("send_message");
  expect(again.data.clientId).toBe("c1");
  await acting(() =>
    socket.ok(again, { roomId: "a", seq: 2, messageId: "x", createdAt: "T", duplicate: false }),
  );
  expect(last()).toMatchObject({ content: "one", state: "sent", seq: 2 });
  await acting(() => void hook.value.send("two"));
  await acting(() => socket.refuse(socket.take("send_message"), "muted"));
  await acting(() => hook.value.discard("c2"));
  expect(shown(hook.value.messages)).toEqual(["m1", "one"]);
});

test("a room's error is not another's", async () => {
  const { starling, socket } = await connected({ a: 5, b: 5 });
  const hook = probe(useMessages);
  const view = await show(starling, <hook.Probe input="a" />);
  await acting(() => void hook.value.loadOlder());
  await acting(() => view.show(<hook.Probe input="b" />));
  await acting(() => socket.refuse(socket.take("fetch_history"), "internal"));
  expect(hook.value.loadError).toBeUndefined();
  await acting(() => view.show(<hook.Probe input="a" />));
  expect(hook.value.loadError?.code).toBe("internal");
  await acting(() => view.show(<hook.Probe input="b" />));
  await acting(() => socket.event(created("b", 6)));
  expect(hook.value.messages).toHaveLength(1);
});
