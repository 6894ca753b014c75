import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { token } from "../../testing/tokens.js";
import { launch, openRoom, say, signIn, visit } from "./support/browser.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const MESSAGES = 230;
/** One notch of a wheel, in pixels. */
const STEP = 60;

/** What axe-core finds, as lines that say where. */
async function violations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: AXE });
  const results = (await page.evaluate("axe.run()")) as AxeResults;
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`),
  );
}

describe.skipIf(missing("chromium"))("the pages", () => {
  let browser: Browser;
  let gateway: Gateway;
  const admin = token("ada", { name: "Ada", roles: ["admin"] });

  beforeAll(async () => {
    [browser, gateway] = await Promise.all([launch(), Gateway.start()]);
    await gateway.api("POST", "/rooms", admin, { roomId: "history", name: "History" });
    for (let i = 1; i <= MESSAGES; i += 1) {
      const content = `Message ${i}${i % 7 ? "" : `\n${"and more of it ".repeat(i % 40)}`}`;
      await gateway.api("POST", "/rooms/history/messages", admin, { clientId: `m${i}`, content });
    }
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
  });

  test.each(["light", "dark"] as const)("have nothing that axe-core finds (%s)", async (colorScheme) => {
    // axe-core is put into the page as a script, which the page's own policy refuses.
    const { page, context } = await visit(browser, gateway, "/", { colorScheme, bypassCSP: true });
    expect(await violations(page)).toEqual([]);
    await signIn(page, admin);
    expect(await violations(page)).toEqual([]);
    await openRoom(page, "history");
    await page.getByRole("button", { name: /^Members/ }).click();
    await page.getByRole("complementary", { name: "Members" }).getByText("Ada").waitFor();
    await page.getByRole("article").last().hover();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Control+k");
    await page.getByRole("option").first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goto("/#/admin");
    await page
      .getByRole("row", { name: /127\.0\.0\.1|node/ })
      .first()
      .waitFor();
    expect(await violations(page)).toEqual([]);
    await context.close();
  });

  test("older messages come in above without a jump, up to the first", async () => {
    const { page, context, complaints } = await visit(browser, gateway, "/");
    await signIn(page, admin);
    await openRoom(page, "history");
    await page.getByText(`Message ${MESSAGES}`, { exact: true }).waitFor();
    const list = page.getByRole("log");
    const first = page.getByRole("heading", { name: "Welcome to History" });
    // Whatever is in view stays where it is when a page comes in above it.
    const jumps: number[] = [];
    for (let i = 0; i < 500 && !(await first.isVisible()); i += 1) {
      jumps.push(await list.evaluate(scrollUpAndMeasure, STEP));
    }
    await first.waitFor();
    await page.getByText("Message 1", { exact: true }).waitFor();
    expect(Math.max(...jumps)).toBeLessThan(3);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("the keyboard is enough", async () => {
    const { page, context, complaints } = await visit(browser, gateway, "/");
    await signIn(page, admin);
    await page.keyboard.press("Control+k");
    await page.keyboard.type("by-keyboard");
    await page.getByRole("option", { name: /Join “by-keyboard”/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Message by-keyboard" }).focus();
    for (const text of ["first", "second"]) {
      await page.keyboard.type(text);
      await page.keyboard.press("Enter");
    }
    await page.getByRole("article").filter({ hasText: "second" }).waitFor();
    await page.keyboard.press("Shift+Tab");
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain("second");
    await page.keyboard.press("ArrowUp");
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain("first");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /thumbs up, 1: you/ }).waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("a phone's width is enough", async () => {
    const viewport = { width: 360, height: 700 };
    const { page, context, complaints } = await visit(browser, gateway, "/", {
      viewport,
      hasTouch: true,
      isMobile: true,
    });
    const isWide = () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(await isWide()).toBe(false);
    await signIn(page, admin);
    expect(await isWide()).toBe(false);
    await page.getByRole("link", { name: "History" }).tap();
    await say(page, "from a phone");
    await page.getByRole("article").filter({ hasText: "from a phone" }).waitFor();
    expect(await isWide()).toBe(false);
    await page.getByRole("link", { name: "Back to the rooms" }).tap();
    await page.getByRole("link", { name: "History" }).waitFor();
    await page.goto("/#/admin");
    await page.getByRole("heading", { name: "Nodes", exact: true }).waitFor();
    expect(await isWide()).toBe(false);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

/** Scrolls up as a wheel does; by how much what is in view moved otherwise. */
async function scrollUpAndMeasure(list: Element, step: number): Promise<number> {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const middle = list.getBoundingClientRect().top + list.clientHeight / 2;
  const rows = [...list.querySelectorAll<HTMLElement>("[data-key]")];
  const row = rows.find((element) => element.getBoundingClientRect().bottom > middle);
  const before = row?.getBoundingClientRect().top ?? 0;
  const moved = Math.min(step, list.scrollTop);
  list.scrollTop -= moved;
  await frame();
  await frame();
  const now = list.querySelector(`[data-key="${CSS.escape(row?.dataset.key ?? "")}"]`);
  return Math.abs((now?.getBoundingClientRect().top ?? Number.NaN) - before - moved);
}
