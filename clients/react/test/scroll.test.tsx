import { fireEvent, screen } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { joined, range, stored } from "../../client/test/support/room.js";
import { created, event } from "../../client/test/support/script.js";
import { MessageList } from "../src/index.js";
import { acting, show } from "./support/render.js";

/** A layout: a button of 30 px above, items of 20 px each, a box of 200 px. */
const [ABOVE, ITEM, BOX] = [30, 20, 200];

const itemsOf = (box: Element) => Array.from(box.querySelectorAll("ol > li"));
const above = (box: Element | null) => (box?.querySelector(":scope > button") ? ABOVE : 0);

beforeEach(() => {
  const { prototype } = HTMLElement;
  vi.spyOn(prototype, "offsetHeight", "get").mockReturnValue(ITEM);
  vi.spyOn(prototype, "clientHeight", "get").mockReturnValue(BOX);
  vi.spyOn(prototype, "offsetTop", "get").mockImplementation(function (this: HTMLElement) {
    const box = this.closest("[role=log]");
    return box ? above(box) + itemsOf(box).indexOf(this) * ITEM : 0;
  });
  vi.spyOn(prototype, "scrollHeight", "get").mockImplementation(function (this: HTMLElement) {
    return above(this) + itemsOf(this).length * ITEM;
  });
});

/** Where a message is in the box. */
function placeOf(content: string): number {
  const item = screen.getByText(content).closest("li") as HTMLElement;
  return item.offsetTop - screen.getByRole("log").scrollTop;
}

async function scrollTo(top: number) {
  await acting(() => {
    screen.getByRole("log").scrollTop = top;
    fireEvent.scroll(screen.getByRole("log"));
  });
}

test("begins at the end, and stays there while messages come", async () => {
  const { starling, socket } = await joined(60);
  await show(starling, <MessageList roomId="a" />);
  const log = screen.getByRole("log");
  expect(log.scrollTop).toBe(log.scrollHeight);
  await acting(() => socket.event(created("a", 61)));
  expect(log.scrollTop).toBe(log.scrollHeight);
});

test("what is read stays where it is when older messages come above it, and newer ones below", async () => {
  const { starling, socket } = await joined(60);
  await show(starling, <MessageList roomId="a" />);
  await scrollTo(105);
  const before = placeOf("m15");
  await acting(() => socket.event(created("a", 61)));
  expect(placeOf("m15")).toBe(before);
  // The button goes away with the last page.
  await acting(() => {
    const messages = range(1, 10).map((seq) => stored(seq));
    socket.ok(socket.take("fetch_history"), { messages, hasMore: false });
  });
  expect(screen.getByText("m1")).toBeDefined();
  expect(placeOf("m15")).toBe(before);
});

test("one's own message is scrolled to", async () => {
  const { starling, socket } = await joined(60);
  await show(starling, <MessageList roomId="a" />);
  const log = screen.getByRole("log");
  await scrollTo(400);
  await acting(() => socket.event(event("message_updated", "a", 61, { refSeq: 60, content: "x" })));
  expect(log.scrollTop).toBe(400);
  await acting(() => void starling.room("a").send("mine"));
  expect(log.scrollTop).toBe(log.scrollHeight);
});

test("another room begins at its own end", async () => {
  const { starling, socket } = await joined(60);
  const view = await show(starling, <MessageList roomId="a" />);
  await scrollTo(400);
  await acting(() => socket.event(created("b", 1), created("b", 2)));
  await acting(() => view.show(<MessageList roomId="b" />));
  const log = screen.getByRole("log");
  expect(log.scrollTop).toBe(log.scrollHeight);
});
