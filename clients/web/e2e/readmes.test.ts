// The starts of the READMEs for React and Vue run as they are written, in a page of Vite's dev server.
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import vue from "@vitejs/plugin-vue";
import type { Browser } from "playwright-core";
import { createServer, type PluginOption } from "vite";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { Project, starts } from "../../testing/readme.js";
import { launch, visit } from "./support/browser.js";

describe.skipIf(missing("chromium"))("the start of the README", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  /** A project of Vite with this plugin, and a gateway that lets its pages in. */
  async function begin(plugin: PluginOption) {
    const project = new Project();
    const vite = await createServer({
      root: project.folder,
      configFile: false,
      cacheDir: join(project.folder, ".vite"),
      plugins: [plugin],
      logLevel: "error",
      server: { host: "127.0.0.1", port: 0, fs: { strict: false } },
    });
    await vite.listen();
    const url = vite.resolvedUrls?.local[0] ?? "";
    const gateway = await Gateway.start({ STARLING_CORS__ORIGINS: new URL(url).origin });
    onTestFinished(async () => {
      await vite.close();
      await gateway.stop();
      project.remove();
    });
    return { project, url, gateway };
  }

  const html = (id: string, entry: string) =>
    `<!doctype html><link rel="icon" href="data:,"><div id="${id}"></div><script type="module" src="${entry}"></script>`;

  test("for React", async () => {
    const { project, url, gateway } = await begin(react());
    const [code = ""] = starts("react", ["tsx"], gateway.url);
    project.write("main.tsx", code);
    project.write("index.html", html("root", "main.tsx"));
    const { page, context, complaints } = await visit(browser, { url });
    await page.getByRole("textbox", { name: "Message" }).fill("hello");
    await page.keyboard.press("Enter");
    await page.getByRole("log").getByText("hello").waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("for Vue", async () => {
    const { project, url, gateway } = await begin(vue());
    const [code = "", app = ""] = starts("vue", ["ts", "vue"], gateway.url);
    project.write("main.ts", code);
    project.write("App.vue", app);
    project.write("index.html", html("app", "main.ts"));
    const { page, context, complaints } = await visit(browser, { url });
    await page.getByRole("heading", { name: "general" }).waitFor();
    await page.getByRole("button", { name: "Say hello" }).click();
    await page.getByText("hello", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });
});
