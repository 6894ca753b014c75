// What administrators see of a cluster that stands behind nginx.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster, PROGRAMS } from "../../testing/cluster.js";
import { missing } from "../../testing/needs.js";
import { token } from "../../testing/tokens.js";
import { launch, openRoom, say, signIn, visit } from "./support/browser.js";

describe.skipIf(missing("chromium", ...PROGRAMS))("the admin page", () => {
  let browser: Browser;
  let cluster: Cluster;
  beforeAll(async () => {
    [browser, cluster] = await Promise.all([launch(), Cluster.start()]);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  test("shows all nodes, whichever answers, and what goes on", async () => {
    const { page, context, complaints } = await visit(browser, cluster);
    await signIn(page, token("ada", { name: "Ada", roles: ["admin"] }));
    await openRoom(page, "lively");
    const admin = await context.newPage();
    await admin.goto("/");
    await signIn(admin, token("root", { name: "Root", roles: ["admin"] }));
    await admin.goto("/#/admin");
    for (const node of ["node-1", "node-2"]) await admin.getByRole("row", { name: node }).waitFor();
    const figure = (label: string) =>
      admin.locator(".tile").filter({ hasText: label }).locator("dd, .figure").first().textContent();
    await expect.poll(() => figure("Nodes")).toMatch(/^2/);
    await expect.poll(() => figure("Users online")).toMatch(/^1/);
    // Until a node has reported twice while there was something to count.
    await expect
      .poll(async () => {
        await say(page, "hello");
        return Number.parseFloat((await figure("Messages in")) ?? "");
      })
      .toBeGreaterThan(0);
    expect(Number.parseFloat((await figure("Latency, average")) ?? "")).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("is not for everybody", async () => {
    const { page, context } = await visit(browser, cluster);
    await signIn(page, token("bob", { name: "Bob" }));
    await page.goto("/#/admin");
    await page.getByRole("alert").getByText("only administrators").waitFor();
    await context.close();
  });
});
