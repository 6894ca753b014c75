// What a browser loads before it shows anything: the page with the scripts and styles that it names, gzipped.
import { readFileSync } from "node:fs";

/** Bytes. */
const LIMITS = { js: 120_000, css: 8_000 };

const page = readFileSync("dist/index.html", "utf8");
for (const [kind, limit] of Object.entries(LIMITS)) {
  const files = [...page.matchAll(new RegExp(`/(assets/[^"]+\\.${kind})"`, "g"))].map(([, file]) => file);
  const size = files.reduce((sum, file) => sum + readFileSync(`dist/${file}.gz`).length, 0);
  process.stdout.write(`${kind.padEnd(10)} ${size} bytes gzipped, at most ${limit}\n`);
  if (!files.length || size > limit) process.exitCode = 1;
}
