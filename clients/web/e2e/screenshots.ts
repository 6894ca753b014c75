import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, test } from "vitest";
import { Cluster, PROGRAMS } from "../../testing/cluster.js";
import { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { token } from "../../testing/tokens.js";
import { launch, openRoom, say, signIn, visit } from "./support/browser.js";

const FOLDER = fileURLToPath(new URL("../../../docs/screenshots/", import.meta.url));
const DESK = { viewport: { width: 1280, height: 800 } };
/** As long as the charts of the admin page are, and a little more. */
const CHART_MS = 125_000;
const NAMES = {
  ada: "Ada Lovelace",
  grace: "Grace Hopper",
  katherine: "Katherine Johnson",
  alan: "Alan Turing",
};
type User = keyof typeof NAMES;
/** Ids give avatars their colours: each of these another one. */
const idOf = (user: User) => NAMES[user].toLowerCase().replace(" ", "-");
const tokenOf = (user: User) =>
  token(idOf(user), { name: NAMES[user], roles: user === "ada" ? ["admin"] : [] });

const TALK: readonly (readonly [User, string])[] = [
  ["grace", "Good morning! The new cluster has been up all night, three nodes, no surprises."],
  ["grace", "I killed one of them at 02:00 to see what happens."],
  ["katherine", "And?"],
  ["grace", "Nothing happened. 4,212 clients moved over in 1.8 s, and the counts match to the message."],
  ["katherine", "I checked the sequence numbers of every room against the log: dense, no repeats. 🎉"],
  [
    "alan",
    "Then the demo on Thursday can be boring. The plan is at https://example.org/plans/thursday if you want to read along.",
  ],
  ["ada", "Lovely. I will bring two laptops, and pull the cable of one of them while people type."],
  ["alan", "Do it twice. Nobody believes it the first time."],
];

describe.skipIf(missing("chromium"))("pictures", () => {
  let browser: Browser;
  let gateway: Gateway;

  beforeAll(async () => {
    mkdirSync(FOLDER, { recursive: true });
    [browser, gateway] = await Promise.all([launch(), Gateway.start()]);
    const users = Object.keys(NAMES) as User[];
    const as = (user: User, method: string, path: string, body?: unknown) =>
      gateway.api(method, path, tokenOf(user), body);
    const rooms = [
      ["launch", "Launch", "Everything for Thursday"],
      ["general", "General", "What does not fit anywhere else"],
      ["operations", "Operations", "Deploys, alerts, and who is on call"],
    ];
    for (const [roomId, name, description] of rooms) {
      await as("ada", "POST", "/rooms", { roomId, name, description });
      for (const user of users) await as(user, "PUT", `/rooms/${roomId}/members/me`);
    }
    await as("ada", "POST", "/rooms", { roomId: "board", name: "Board", kind: "private" });
    let seq = 0;
    for (const [user, content] of TALK) {
      const clientId = `m${++seq}`;
      await as(user, "POST", "/rooms/launch/messages", { clientId, content });
    }
    const listed = (await as("ada", "GET", "/rooms/launch/messages?limit=20")) as {
      messages: { seq: number }[];
    };
    const at = (index: number) => listed.messages[index]?.seq ?? 0;
    for (const user of ["ada", "katherine", "alan"] as const) {
      await as(user, "PUT", `/rooms/launch/messages/${at(3)}/reactions/${encodeURIComponent("🎉")}`);
    }
    await as("ada", "PUT", `/rooms/launch/messages/${at(4)}/reactions/${encodeURIComponent("❤️")}`);
    await as("grace", "POST", "/rooms/launch/messages", {
      clientId: "t1",
      content: "Same on my side.",
      thread: at(4),
    });
    await as("katherine", "POST", "/rooms/launch/messages", {
      clientId: "r1",
      content: "@Ada Lovelace take the long cable, the short one is in Alan's bag.",
      replyTo: at(6),
      mentions: [idOf("ada")],
    });
    await as("grace", "POST", "/rooms/operations/messages", {
      clientId: "o1",
      content: "Deploy is through.",
    });
    await as("alan", "POST", "/rooms/operations/messages", { clientId: "o2", content: "All green." });
    await as("grace", "POST", `/users/${idOf("ada")}/messages`, {
      clientId: "d1",
      content: "Coffee at ten?",
    });
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
  });

  async function enter(options: BrowserContextOptions): Promise<Page> {
    const { page } = await visit(browser, gateway, "/", { deviceScaleFactor: 1, ...options });
    await signIn(page, tokenOf("ada"));
    return page;
  }
  const others: Page[] = [];

  beforeAll(async () => {
    for (const user of ["grace", "alan"] as const) {
      const { page } = await visit(browser, gateway, "/");
      await signIn(page, tokenOf(user));
      others.push(page);
    }
  });

  test("sign-in", async () => {
    const { page } = await visit(browser, gateway, "/", { ...DESK, colorScheme: "light" });
    await page.getByRole("heading", { name: "Welcome to Starling" }).waitFor();
    await take(page, "sign-in");
  });

  test.each(["light", "dark"] as const)("chat, %s", async (colorScheme) => {
    const page = await enter({ ...DESK, colorScheme });
    await openRoom(page, "launch");
    await page.getByText("take the long cable").waitFor();
    // Read, once it is in view.
    await page.getByRole("link", { name: "Launch", exact: true }).waitFor();
    if (colorScheme === "light") {
      await page.getByRole("button", { name: /^Members/ }).click();
      await page.getByText("Katherine Johnson").last().waitFor();
    } else {
      await page
        .getByRole("button", { name: "2 replies" })
        .or(page.getByRole("button", { name: "1 reply" }))
        .click();
      await page.getByRole("complementary", { name: "Thread" }).getByText("Same on my side").waitFor();
    }
    await openRoom(others[0] as Page, "launch");
    const field = (others[0] as Page).getByRole("textbox", { name: /^Message / });
    await field.pressSequentially("I ");
    await page.getByText("Grace Hopper is typing…").waitFor();
    await take(page, `chat-${colorScheme}`);
    await field.fill("");
  });

  test("offline", async () => {
    const page = await enter({ ...DESK, colorScheme: "light" });
    await openRoom(page, "launch");
    await page.getByText("take the long cable").waitFor();
    await page.context().setOffline(true);
    await say(page, "Now I have pulled it.");
    await page.getByText("Connection lost").waitFor();
    await take(page, "offline");
  });

  test("phone", async () => {
    const viewport = { width: 360, height: 720 };
    const page = await enter({
      viewport,
      isMobile: true,
      hasTouch: true,
      deviceScaleFactor: 2,
      colorScheme: "light",
    });
    await page.getByRole("link", { name: "Operations" }).waitFor();
    await take(page, "phone-rooms");
    await openRoom(page, "launch");
    await page.getByText("take the long cable").waitFor();
    await take(page, "phone-chat");
  });
});

describe.skipIf(missing("chromium", ...PROGRAMS))("pictures of a cluster", () => {
  let browser: Browser;
  let cluster: Cluster;
  beforeAll(async () => {
    [browser, cluster] = await Promise.all([launch(), Cluster.start(3)]);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  test("admin", async () => {
    const room = "general";
    for (const user of Object.keys(NAMES) as User[]) {
      const { page } = await visit(browser, cluster);
      await signIn(page, tokenOf(user));
      await openRoom(page, room);
    }
    const { page } = await visit(browser, cluster, "/", { ...DESK, colorScheme: "light" });
    await signIn(page, tokenOf("ada"));
    await page.goto("/#/admin");
    await page.getByRole("heading", { name: "Nodes", exact: true }).waitFor();
    let sent = 0;
    const endsAt = Date.now() + CHART_MS;
    // A line needs some traffic.
    while (Date.now() < endsAt) {
      for (let i = 0; i < 5 + 4 * Math.sin(sent / 60); i += 1) {
        const node = cluster.nodes[sent % cluster.nodes.length];
        const message = { clientId: `x${++sent}`, content: "·" };
        await node?.api("POST", `/rooms/${room}/messages`, tokenOf("grace"), message);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await take(page, "admin");
  });
});

async function take(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${FOLDER}${name}.png`, animations: "disabled" });
}
