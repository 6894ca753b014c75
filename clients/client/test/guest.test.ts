import { beforeEach, expect, test, vi } from "vitest";
import { guest } from "../src/index.js";

const asked: { url: string; body: unknown }[] = [];
let answer: () => Response;

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal("fetch", async (url: string, { body }: RequestInit) => {
    asked.push({ url, body: JSON.parse(String(body)) });
    return answer();
  });
  return () => vi.unstubAllGlobals();
});

const problem = (status: number, message: string) => Response.json({ message }, { status });

test("signs in once, and renews from then on", async () => {
  answer = () => Response.json({ token: `t${asked.length}`, refreshToken: `r${asked.length}` });
  const token = guest("https://chat.example.org", "Ada");
  expect(await token({ isExpired: false })).toBe("t1");
  expect(await token({ isExpired: true })).toBe("t2");
  expect(await token({ isExpired: true })).toBe("t3");
  expect(asked).toEqual([
    { url: "https://chat.example.org/api/v1/auth/guest", body: { name: "Ada" } },
    { url: "https://chat.example.org/api/v1/auth/refresh", body: { refreshToken: "r1" } },
    { url: "https://chat.example.org/api/v1/auth/refresh", body: { refreshToken: "r2" } },
  ]);
});

test("a refusal is the end and says why; what waiting changes is not", async () => {
  const token = guest("", "Ada");
  answer = () => problem(404, "there is no guest sign-in on this server");
  await expect(token({ isExpired: false })).rejects.toMatchObject({
    code: "unauthenticated",
    message: "/api/v1/auth/guest answered 404: there is no guest sign-in on this server",
  });
  for (const status of [429, 503]) {
    answer = () => problem(status, "later");
    await expect(token({ isExpired: false })).rejects.toMatchObject({ code: "unavailable" });
  }
  answer = () => new Response("<html>Bad Gateway</html>", { status: 502 });
  await expect(token({ isExpired: false })).rejects.toThrow("<html>Bad Gateway</html>");
});
