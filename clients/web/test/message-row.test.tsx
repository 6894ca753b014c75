import { type RoomMessage, Starling, StarlingError } from "@starling/client";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { MessageActions } from "../src/chat/actions.js";
import { MessageRow } from "../src/chat/message-row.js";
import { Names } from "../src/people/names.js";
import { SignedProvider } from "../src/starling.js";

const actions = new Proxy({} as Record<string, ReturnType<typeof vi.fn>>, {
  get: (all, name: string) => {
    all[name] ??= vi.fn();
    return all[name];
  },
}) as unknown as MessageActions;

function show(message: Partial<RoomMessage>): void {
  const full: RoomMessage = {
    roomId: "r",
    key: "k",
    senderId: "bob",
    senderName: "Bob",
    clientId: "c",
    content: "hello",
    contentType: "text/plain",
    replyCount: 0,
    createdAt: "2026-05-04T10:00:00Z",
    state: "sent",
    ...message,
  };
  const account = { userId: "ada", name: "Ada", token: "", expiresAt: 0 };
  const starling = new Starling({ url: "ws://127.0.0.1/ws", token: "" });
  render(
    <SignedProvider value={{ account, starling, names: new Names() }}>
      <MessageRow
        message={full}
        isHead
        isActive
        isEditing={false}
        isModerator={false}
        quoted={undefined}
        seenBy={undefined}
        actions={actions}
      />
    </SignedProvider>,
  );
}

describe("a message", () => {
  afterEach(cleanup);

  test("that failed says why, and can be sent again or given up", () => {
    show({
      senderId: "ada",
      state: "failed",
      error: new StarlingError("muted", "you may not write here now"),
    });
    expect(screen.getByRole("alert").textContent).toContain("Not sent: you may not write here now");
    screen.getByRole("button", { name: "Try again" }).click();
    expect(actions.retry).toHaveBeenCalledOnce();
    screen.getByRole("button", { name: "Discard" }).click();
    expect(actions.discard).toHaveBeenCalledOnce();
  });

  test("on its way says so, and offers nothing", () => {
    show({ senderId: "ada", state: "sending" });
    expect(screen.getByText(/Sending…/)).toBeTruthy();
    expect(screen.queryByRole("toolbar")).toBeNull();
  });

  test("that was deleted shows nothing of what it was", () => {
    show({
      content: "",
      deletedAt: "2026-05-04T10:01:00Z",
      replyTo: 1,
      attachments: [{ url: "https://a.example/f" }],
    });
    expect(screen.getByText("This message was deleted.")).toBeTruthy();
    expect(screen.queryByRole("link")).toBeNull();
    expect(screen.queryByRole("button")).toBeNull();
  });

  test("with markup in every place is text in every place", () => {
    const markup = "<img src=x onerror=alert(1)>";
    show({
      content: markup,
      senderName: markup,
      attachments: [{ url: "javascript:alert(1)", name: markup }],
      reactions: { [markup]: { count: 1, users: [markup] } },
    });
    expect(document.querySelector(".message img")).toBeNull();
    expect(document.querySelector(".content")?.textContent).toBe(markup);
    expect(screen.queryByRole("link")).toBeNull();
  });
});
