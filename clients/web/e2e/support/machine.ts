import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The gateway's program. */
export const BINARY =
  process.env.STARLING_BINARY ?? fileURLToPath(new URL("../../../../target/debug/starling", import.meta.url));

/** Debian's browser. */
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const NEEDS = [
  [BINARY, "build it: cargo build"],
  [CHROMIUM, "install it (Debian: apt-get install chromium), or name another one by CHROMIUM"],
] as const;

/**
 * What these tests need and this machine has not; `undefined` when all is there. In CI, and where somebody names a
 * program to be tested, that is an error: a test that is skipped there would be missed by nobody.
 */
export function missing(): string | undefined {
  const lines = NEEDS.filter(([path]) => !existsSync(path)).map(
    ([path, help]) => `${path} is not here; ${help}`,
  );
  if (!lines.length) return undefined;
  const text = `the end-to-end tests of the web app cannot run:\n${lines.join("\n")}`;
  if (process.env.CI || process.env.STARLING_BINARY) throw new Error(text);
  return text;
}
