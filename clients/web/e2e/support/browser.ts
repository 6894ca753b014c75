import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { program } from "../../../testing/machine.js";

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const PATIENCE_MS = 15_000;

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: program("chromium"), args: ARGS });
}

/** Somebody with a browser profile of their own. */
export interface Visitor {
  context: BrowserContext;
  page: Page;
  /** What the page complained about: scripts that failed, what the content policy refused. */
  complaints: string[];
}

/** What the browser itself says of a server that is away is no complaint of the page. */
const EXPECTED = /ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|ERR_EMPTY_RESPONSE|WebSocket connection to/;

/** Opens what is served at `url`: the app, from a gateway. */
export async function visit(
  browser: Browser,
  { url }: { url: string },
  path = "/",
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({ baseURL: url, locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED.test(message.text())) complaints.push(message.text());
  });
  await page.goto(path);
  return { context, page, complaints };
}

/** Signs in by the page's own form. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByRole("button", { name: "Sign in with a token" }).click();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("navigation", { name: "Rooms" }).waitFor();
}

/** Opens a room by its address, and joins it where one is no member. */
export async function openRoom(page: Page, roomId: string): Promise<void> {
  await page.evaluate((id) => {
    location.hash = `#/r/${id}`;
  }, roomId);
  const join = page.getByRole("button", { name: "Join the room" });
  const composer = page.getByRole("textbox", { name: /^Message / });
  await join.or(composer).waitFor();
  if (await join.isVisible()) await join.click();
  await composer.waitFor();
}

export async function say(page: Page, text: string): Promise<void> {
  const field = page.getByRole("textbox", { name: /^Message / });
  await field.fill(text);
  await field.press("Enter");
}

/** The messages in view, in their order. */
export const shown = (page: Page): Promise<string[]> => page.locator(".list .content").allTextContents();
