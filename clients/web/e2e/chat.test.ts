import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { token } from "../../testing/tokens.js";
import { launch, openRoom, say, shown, signIn, type Visitor, visit } from "./support/browser.js";

const message = (page: Page, text: string) =>
  page.locator(".list").getByRole("article").filter({ hasText: text });

describe.skipIf(missing("chromium"))("two browsers and a gateway", () => {
  let browser: Browser;
  let gateway: Gateway;
  let ada: Visitor;
  let bob: Visitor;

  beforeAll(async () => {
    [browser, gateway] = await Promise.all([launch(), Gateway.start()]);
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
  });
  beforeEach(async ({ task }) => {
    const enter = async (user: string, name: string) => {
      const visitor = await visit(browser, gateway);
      await signIn(visitor.page, token(user, { name }));
      await openRoom(visitor.page, task.id);
      return visitor;
    };
    [ada, bob] = await Promise.all([enter("ada", "Ada"), enter("bob", "Bob")]);
  });
  afterEach(async () => {
    expect([...ada.complaints, ...bob.complaints]).toEqual([]);
    await Promise.all([ada.context.close(), bob.context.close()]);
  });

  test("what one writes, edits, reacts to and deletes the other sees", async () => {
    await say(ada.page, "Hello Bob");
    await message(bob.page, "Hello Bob").waitFor();

    await message(bob.page, "Hello Bob").hover();
    await bob.page.getByRole("button", { name: "React with 👍" }).click();
    await ada.page.getByRole("button", { name: "thumbs up, 1: Bob" }).waitFor();

    await ada.page.getByRole("textbox", { name: /^Message / }).press("ArrowUp");
    await ada.page.getByRole("textbox", { name: "Edit the message" }).fill("Hello dear Bob");
    await ada.page.keyboard.press("Enter");
    await message(bob.page, "Hello dear Bob").getByText("edited").waitFor();

    await message(bob.page, "Hello dear Bob").hover();
    await bob.page.getByRole("button", { name: "Reply" }).click();
    await say(bob.page, "Hello Ada");
    await message(ada.page, "Hello Ada")
      .getByRole("button", { name: /Hello dear Bob/ })
      .waitFor();

    await message(ada.page, "Hello dear Bob").first().hover();
    await ada.page.getByRole("button", { name: "More" }).click();
    await ada.page.getByRole("menuitem", { name: "Delete…" }).click();
    await ada.page.getByRole("button", { name: "Delete", exact: true }).click();
    await bob.page.locator(".content.is-deleted").waitFor();
  });

  test("the other sees who is typing, and who has read", async () => {
    await say(ada.page, "Are you there?");
    await message(ada.page, "Are you there?").getByText("Seen by Bob").waitFor();
    await bob.page.getByRole("textbox", { name: /^Message / }).pressSequentially("I am");
    await ada.page.getByText("Bob is typing…").waitFor();
  });

  test("a guest is in a room by giving a name, and is the same guest after a reload", async () => {
    const guest = await visit(browser, gateway);
    await guest.page.getByLabel("Your name").fill("Zoe");
    await guest.page.keyboard.press("Enter");
    await guest.page.getByRole("textbox", { name: "Message general" }).waitFor();
    await say(guest.page, "Hi, I am new");
    await openRoom(ada.page, "general");
    await message(ada.page, "Hi, I am new").getByText("Zoe").waitFor();
    await guest.page.reload();
    await message(guest.page, "Hi, I am new").waitFor();
    // Another tab of the same browser asks who it is.
    const tab = await guest.context.newPage();
    await tab.goto("/");
    await tab.getByRole("button", { name: "Continue as Zoe" }).click();
    await tab.getByRole("link", { name: "general" }).waitFor();
    expect(guest.complaints).toEqual([]);
    await guest.context.close();
  });

  test("a thread has its replies beside the room", async () => {
    await say(ada.page, "Lunch?");
    await message(bob.page, "Lunch?").hover();
    await bob.page.getByRole("button", { name: "Thread" }).click();
    const field = bob.page.getByRole("textbox", { name: "Reply in the thread" });
    await field.fill("At noon");
    await field.press("Enter");
    await message(ada.page, "Lunch?").getByRole("button", { name: "1 reply" }).click();
    await ada.page.getByRole("complementary", { name: "Thread" }).getByText("At noon").waitFor();
  });

  test("direct messages and mentions are counted where one is not looking", async () => {
    await openRoom(ada.page, "elsewhere");
    const field = bob.page.getByRole("textbox", { name: /^Message / });
    await field.pressSequentially("Look @Ad");
    await bob.page.getByRole("option", { name: "Ada" }).waitFor();
    await field.press("Enter");
    await field.pressSequentially("here");
    await field.press("Enter");
    await ada.page.getByRole("link", { name: /1 unread, 1 mention you/ }).waitFor();

    await bob.page.evaluate(() => {
      location.hash = "#/dm/ada";
    });
    await bob.page.getByRole("textbox", { name: "Message Ada" }).waitFor();
    await say(bob.page, "psst");
    await ada.page.getByRole("link", { name: "Bob, 1 unread" }).click();
    await message(ada.page, "psst").waitFor();
    await ada.page.getByRole("link", { name: "Bob", exact: true }).waitFor();
  });

  test("markup is text, and only addresses of the web are links", async () => {
    const text = `<img src=x onerror="document.title='!'"> javascript:alert(1) see https://example.org/a_(b).`;
    await say(ada.page, text);
    const row = message(bob.page, "see");
    await row.waitFor();
    expect(await row.locator(".content").textContent()).toBe(text);
    expect(await row.locator(".content img").count()).toBe(0);
    const links = row.locator(".content a");
    expect(await links.count()).toBe(1);
    expect(await links.getAttribute("href")).toBe("https://example.org/a_(b)");
    expect(await links.getAttribute("rel")).toContain("noopener noreferrer");
  });

  test("who loses the network misses nothing, and what they wrote arrives", async () => {
    await say(ada.page, "before");
    await message(bob.page, "before").waitFor();
    await bob.context.setOffline(true);
    await bob.page.getByText("Connection lost").waitFor();
    for (const text of ["one", "two", "three"]) await say(ada.page, text);
    await message(ada.page, "three").waitFor();
    await say(bob.page, "from afar");
    await message(bob.page, "from afar").getByText("Sending…").waitFor();

    await bob.context.setOffline(false);
    await message(ada.page, "from afar").waitFor();
    const all = ["before", "one", "two", "three", "from afar"];
    await expect.poll(() => shown(bob.page)).toEqual(all);
    await expect.poll(() => shown(ada.page)).toEqual(all);
    await bob.page.getByText("Connection lost").waitFor({ state: "detached" });
    expect(await bob.page.getByText("Sending…").count()).toBe(0);
  });

  test("a gateway that is killed and comes back costs nobody more than a banner", async () => {
    await say(ada.page, "before");
    await message(bob.page, "before").waitFor();
    await gateway.kill();
    await Promise.all([ada, bob].map(({ page }) => page.getByText("Connection lost").waitFor()));
    await say(ada.page, "into the void");
    await say(bob.page, "me too");
    await gateway.run();
    for (const { page } of [ada, bob]) {
      const now = page.getByRole("button", { name: "Try now" });
      await now.click({ timeout: 2_000 }).catch(() => {
        // It was back before.
      });
    }
    for (const { page } of [ada, bob]) {
      await page.getByText("Connection lost").waitFor({ state: "detached" });
      await expect
        .poll(async () => (await shown(page)).toSorted())
        .toEqual(["before", "into the void", "me too"]);
    }
    expect(await shown(ada.page)).toEqual(await shown(bob.page));
    await say(ada.page, "after");
    await message(bob.page, "after").waitFor();
  });
});
