import { fireEvent, screen, within } from "@testing-library/react";
import axe from "axe-core";
import { describe, expect, test, vi } from "vitest";
import { join, joined, range, stored } from "../../client/test/support/room.js";
import { connected, created, event } from "../../client/test/support/script.js";
import {
  ChatRoom,
  ConnectionStatus,
  MessageInput,
  MessageList,
  NotificationCenter,
  PresenceIndicator,
  UserList,
} from "../src/index.js";
import { acting, show } from "./support/render.js";

const items = () => within(screen.getByRole("log")).getAllByRole("article");

describe("ChatRoom", () => {
  test("joins, shows, sends", async () => {
    const { starling, socket } = await connected();
    await show(starling, <ChatRoom roomId="a" />);
    expect(screen.getByText("Joining…")).toBeDefined();
    await acting(() => join(socket, 2));
    expect(screen.getByRole("region", { name: "A" }).dataset.status).toBe("live");
    expect(screen.queryByText("Joining…")).toBeNull();
    expect(items().map((item) => item.querySelector("p")?.textContent)).toEqual(["m1", "m2"]);

    const input = screen.getByLabelText("Message");
    const send = screen.getByRole<HTMLButtonElement>("button", { name: "Send" });
    fireEvent.change(input, { target: { value: "  " } });
    expect(send.disabled).toBe(true);
    fireEvent.change(input, { target: { value: "hello" } });
    socket.take("typing_start");
    await acting(() => fireEvent.click(send));
    expect(socket.take("send_message").data).toMatchObject({ roomId: "a", content: "hello" });
    expect(items().at(-1)?.dataset).toMatchObject({ state: "sending", own: "true" });
    expect((input as HTMLTextAreaElement).value).toBe("");
  });

  test("tells a refusal, and tries again", async () => {
    const { starling, socket } = await connected();
    await show(starling, <ChatRoom roomId="a" />);
    await acting(() => socket.refuse(socket.take("join_room"), "banned", { message: "you are banned" }));
    expect(screen.getByRole("alert").textContent).toContain("you are banned");
    await acting(() => fireEvent.click(screen.getByRole("button", { name: "Join" })));
    await acting(() => join(socket, 1));
    expect(screen.queryByRole("alert")).toBeNull();
    await acting(() => socket.event(event("member_kicked", "a", 2, { userId: "me" })));
    expect(screen.getByRole("alert").textContent).toContain("not in this room any more");
    expect(screen.getByLabelText<HTMLTextAreaElement>("Message").disabled).toBe(true);
  });

  test("says who is typing", async () => {
    const { starling, socket } = await joined(1);
    await show(starling, <ChatRoom roomId="a" />);
    const typing = (userId: string) => socket.say("typing", { roomId: "a", userId, isTyping: true });
    await acting(() => typing("bob"));
    expect(screen.getByText("bob is typing…").getAttribute("aria-live")).toBe("polite");
    await acting(() => typing("cat"));
    expect(screen.getByText("bob, cat are typing…")).toBeDefined();
    await acting(() => ["dan", "eve"].forEach(typing));
    expect(screen.getByText("Several people are typing…")).toBeDefined();
  });

  test("takes another inside", async () => {
    const { starling } = await joined(1);
    await show(starling, <ChatRoom roomId="a">{({ info }) => <b>{info?.memberCount} members</b>}</ChatRoom>);
    expect(screen.getByText("2 members")).toBeDefined();
    expect(screen.queryByRole("log")).toBeNull();
  });

  test("has no accessibility faults that axe finds", async () => {
    const { starling, socket } = await joined(3);
    const { container } = await show(
      starling,
      <main>
        <ChatRoom roomId="a" />
        <UserList roomId="a" />
        <NotificationCenter />
      </main>,
    );
    await acting(() => {
      const members = [{ userId: "bob", role: "owner", joinedAt: "T", status: "away" }];
      socket.ok(socket.take("list_members"), { members, hasMore: true, next: "bob" });
      socket.event(event("reaction_added", "a", 4, { refSeq: 1, emoji: "+1" }));
      void starling.room("a").send("x");
    });
    await acting(() => socket.refuse(socket.take("send_message"), "muted"));
    vi.useRealTimers();
    // Colours need a layout.
    const { violations } = await axe.run(container, { rules: { "color-contrast": { enabled: false } } });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  });
});

describe("MessageList", () => {
  test("shows text as text, and only web links as links", async () => {
    const content = '<img src=x onerror="alert(1)"> <b>bold</b>';
    const attachments = [
      { url: "javascript:alert(1)", name: "bad" },
      { url: "data:text/html,x", name: "data" },
      { url: "https://example.org/a.png", name: "good" },
    ];
    const { starling } = await joined(1, { messages: [stored(1, { content, attachments })] });
    await show(starling, <MessageList roomId="a" />);
    expect(screen.getByText(content)).toBeDefined();
    expect(screen.getByRole("log").querySelector("img, b")).toBeNull();
    expect(screen.getAllByRole("link").map((link) => link.getAttribute("href"))).toEqual([
      "https://example.org/a.png",
    ]);
    expect(screen.getByRole("link").getAttribute("rel")).toContain("noopener");
    expect(screen.getByText("bad").getAttribute("href")).toBeNull();
  });

  test("a failed message goes again or away", async () => {
    const { starling, socket } = await joined(0);
    await show(starling, <MessageList roomId="a" />);
    expect(screen.getByText("No messages yet")).toBeDefined();
    await acting(() => void starling.room("a").send("one"));
    expect(screen.getByText("Sending…")).toBeDefined();
    await acting(() => socket.refuse(socket.take("send_message"), "muted", { message: "you are muted" }));
    expect(screen.getByRole("alert").textContent).toBe("Not sent: you are muted");
    await acting(() => fireEvent.click(screen.getByRole("button", { name: "Try again" })));
    expect(screen.queryByRole("alert")).toBeNull();
    await acting(() => socket.refuse(socket.take("send_message"), "muted"));
    await acting(() => fireEvent.click(screen.getByRole("button", { name: "Discard" })));
    expect(screen.queryByRole("article")).toBeNull();
  });

  test("edits, deletions and reactions are shown; a reaction is toggled", async () => {
    const { starling, socket } = await joined(2);
    await show(starling, <MessageList roomId="a" />);
    await acting(() =>
      socket.event(
        event("message_updated", "a", 3, { refSeq: 1, content: "better" }),
        event("reaction_added", "a", 4, { refSeq: 1, emoji: "+1" }),
        event("message_deleted", "a", 5, { refSeq: 2 }),
      ),
    );
    expect(items()[0]?.textContent).toMatch(/edited.*better/);
    expect(items()[1]?.dataset.deleted).toBe("true");
    expect(items()[1]?.textContent).toContain("This message was deleted");
    const reaction = () => screen.getByRole("button", { name: "+1 1" });
    expect(reaction().getAttribute("aria-pressed")).toBe("false");
    fireEvent.click(reaction());
    expect(socket.take("add_reaction").data).toEqual({ roomId: "a", seq: 1, emoji: "+1" });
    await acting(() =>
      socket.event(event("reaction_added", "a", 6, { refSeq: 1, emoji: "+1", senderId: "me" })),
    );
    fireEvent.click(screen.getByRole("button", { name: "+1 2", pressed: true }));
    socket.take("remove_reaction");
  });

  test("loads older ones when scrolled up, once; a failure is told and not repeated by itself", async () => {
    const { starling, socket } = await joined(60);
    await show(starling, <MessageList roomId="a" />);
    const log = screen.getByRole("log");
    fireEvent.scroll(log);
    await acting(() => fireEvent.scroll(log));
    expect(log.getAttribute("aria-busy")).toBe("true");
    await acting(() => socket.refuse(socket.take("fetch_history"), "internal", { message: "try later" }));
    expect(socket.has("fetch_history")).toBe(false);
    expect(screen.getByRole("alert").textContent).toBe("try later");
    fireEvent.scroll(log);
    expect(socket.has("fetch_history")).toBe(false);
    await acting(() => fireEvent.click(screen.getByRole("button", { name: "Older messages" })));
    await acting(() =>
      socket.ok(socket.take("fetch_history"), {
        messages: range(1, 10).map((n) => stored(n)),
        hasMore: false,
      }),
    );
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.queryByRole("button", { name: "Older messages" })).toBeNull();
    expect(items()).toHaveLength(60);
  });

  test("offers what is not loaded of a room that nothing joined", async () => {
    const { starling, socket } = await connected({ a: 5 });
    await show(starling, <MessageList roomId="a" />);
    await acting(() => fireEvent.click(screen.getByRole("button", { name: "Older messages" })));
    await acting(() => socket.ok(socket.take("fetch_history"), { messages: [stored(5)], hasMore: false }));
    expect(items()).toHaveLength(1);
  });

  test("marks as read what is seen", async () => {
    const { starling, socket } = await joined(2, { unread: 1 });
    const visibility = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    await show(starling, <MessageList roomId="a" />);
    expect(socket.has("mark_read")).toBe(false);
    visibility.mockReturnValue("visible");
    await acting(() => document.dispatchEvent(new Event("visibilitychange")));
    expect(socket.take("mark_read").data).toEqual({ roomId: "a", seq: 2 });
    await acting(() => socket.event(created("a", 3)), 1_000);
    expect(socket.take("mark_read").data).toEqual({ roomId: "a", seq: 3 });
  });

  test("shows messages as told to", async () => {
    const { starling, socket } = await joined(1);
    await show(
      starling,
      <MessageList roomId="a" marksRead={false} className="mine" labels={{ log: "Nachrichten" }}>
        {({ content, seq = 0 }, { remove }) => (
          <button type="button" onClick={() => remove(seq)}>
            {content}
          </button>
        )}
      </MessageList>,
    );
    expect(screen.getByRole("log", { name: "Nachrichten" }).className).toBe("starling-message-list mine");
    fireEvent.click(screen.getByRole("button", { name: "m1" }));
    expect(socket.take("delete_message").data).toEqual({ roomId: "a", seq: 1 });
  });
});

describe("MessageInput", () => {
  test("Enter sends, Shift+Enter and an input method do not", async () => {
    const { starling, socket } = await joined(1);
    const toMessage = vi.fn((content: string) =>
      content === "/help" ? null : { content, mentions: ["bob"] },
    );
    await show(starling, <MessageInput roomId="a" toMessage={toMessage} />);
    const input = screen.getByLabelText("Message");
    fireEvent.change(input, { target: { value: "hi" } });
    fireEvent.keyDown(input, { key: "Enter", shiftKey: true });
    fireEvent.keyDown(input, { key: "Enter", isComposing: true });
    expect(socket.has("send_message")).toBe(false);
    await acting(() => fireEvent.keyDown(input, { key: "Enter" }));
    expect(socket.take("send_message").data).toMatchObject({ content: "hi", mentions: ["bob"] });
    fireEvent.change(input, { target: { value: "/help" } });
    fireEvent.keyDown(input, { key: "Enter" });
    expect(socket.has("send_message")).toBe(false);
    expect((input as HTMLTextAreaElement).value).toBe("/help");
  });

  test("says that one types, and that it was given up", async () => {
    const { starling, socket } = await joined(1);
    const view = await show(starling, <MessageInput roomId="a" />);
    const type = (value: string) => fireEvent.change(screen.getByLabelText("Message"), { target: { value } });
    type("h");
    type("");
    expect(socket.sent.filter(({ type }) => type.startsWith("typing")).map(({ type }) => type)).toEqual([
      "typing_start",
      "typing_stop",
    ]);
    socket.sent.length = 0;
    type("draft");
    view.show(<MessageInput roomId="b" />);
    expect(socket.take("typing_stop").data).toEqual({ roomId: "a" });
    expect(screen.getByLabelText<HTMLTextAreaElement>("Message").value).toBe("");
  });
});

test("ConnectionStatus says how the connection is, and offers what can be done", async () => {
  const { script, starling, socket } = await connected();
  await show(starling, <ConnectionStatus labels={{ connected: "Online" }} />);
  const status = screen.getByRole("status");
  expect([status.dataset.state, status.textContent]).toEqual(["connected", "Online"]);
  await acting(() => socket.drop());
  expect(status.textContent).toContain("Connection lost");
  await acting(() => fireEvent.click(screen.getByRole("button", { name: "Reconnect now" })));
  expect(script.sockets).toHaveLength(2);
  expect(screen.queryByRole("button")).toBeNull();
  await acting(() => starling.disconnect());
  expect(status.dataset.state).toBe("disconnected");
  await acting(() => fireEvent.click(screen.getByRole("button", { name: "Connect" })));
  expect(script.sockets).toHaveLength(3);
});

test("UserList shows members with their presence, page by page", async () => {
  const { starling, socket } = await joined(1);
  await show(starling, <UserList roomId="a" />);
  expect(screen.getByText("Loading members…")).toBeDefined();
  const member = (userId: string, more: object) => ({ userId, role: "member", joinedAt: "T", ...more });
  const page = [
    member("bob", { name: "Bob", status: "away" }),
    member("cat", { role: "owner", muted: true }),
  ];
  await acting(() => socket.ok(socket.take("list_members"), { members: page, hasMore: true, next: "cat" }));
  const [bob, cat] = screen.getAllByRole("listitem");
  expect(within(bob as HTMLElement).getByRole("img", { name: "away" })).toBeDefined();
  expect(cat?.dataset).toMatchObject({ role: "owner", muted: "true" });
  expect(socket.take("watch_presence").data).toEqual({ userIds: ["bob", "cat"] });
  await acting(() =>
    socket.say("presence_changed", {
      users: [{ userId: "bob", status: "busy", customStatus: null, lastSeenAt: null }],
    }),
  );
  expect(within(bob as HTMLElement).getByRole("img", { name: "busy" })).toBeDefined();
  await acting(() => fireEvent.click(screen.getByRole("button", { name: "More members" })));
  await acting(() => socket.refuse(socket.take("list_members"), "internal", { message: "no luck" }));
  expect(screen.getByRole("alert").textContent).toBe("no luck");
  await acting(() => fireEvent.click(screen.getByRole("button", { name: "Try again" })));
  await acting(() =>
    socket.ok(socket.take("list_members"), { members: [member("dan", {})], hasMore: false }),
  );
  expect(screen.getAllByRole("listitem")).toHaveLength(3);
  expect(screen.queryByRole("button")).toBeNull();
});

test("PresenceIndicator watches a user, or shows what is known", async () => {
  const { starling, socket } = await connected();
  await show(starling, [
    <PresenceIndicator key="1" userId="bob" />,
    <PresenceIndicator key="2" status="away" />,
  ]);
  expect(screen.getByRole("img", { name: "unknown" })).toBeDefined();
  expect(screen.getByRole("img", { name: "away" }).dataset.status).toBe("away");
  await acting(() =>
    socket.ok(socket.take("watch_presence"), {
      users: [{ userId: "bob", status: "online", customStatus: null, lastSeenAt: null }],
    }),
  );
  expect(screen.getByRole("img", { name: "online" })).toBeDefined();
});

test("NotificationCenter counts what is new until it is opened", async () => {
  const { starling, socket } = await connected({ "@me": 0, "@all": 0 });
  const onSeen = vi.fn();
  await show(starling, <NotificationCenter onSeen={onSeen} seen="e-@me-000001" />);
  const told = (seq: number, payload: unknown) =>
    acting(() => socket.event(event("notification", "@me", seq, { topic: "build", payload })));
  await told(1, "old");
  await told(2, "green");
  await told(3, { any: 1 });
  const button = screen.getByRole("button", { name: "Notifications 2 new" });
  expect(button.getAttribute("aria-expanded")).toBe("false");
  expect(screen.queryByRole("listitem")).toBeNull();
  fireEvent.click(button);
  expect(onSeen).toHaveBeenCalledExactlyOnceWith("e-@me-000003");
  // Only the application knows what a payload says that is not text.
  const texts = screen.getAllByRole("listitem").map((item) => item.querySelector("span")?.textContent);
  expect(texts).toEqual([undefined, "green", "old"]);
  await told(4, "red");
  fireEvent.click(button);
  expect(onSeen).toHaveBeenLastCalledWith("e-@me-000004");
  expect(screen.getByRole("button", { name: "Notifications" })).toBeDefined();
});
