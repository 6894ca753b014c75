// What an application's bundle grows by: the package in this folder as published, minified and gzipped, by what is
// imported from it, without its peer dependencies. Chunks that are loaded only when asked for are told apart, as `lazy`.
//
//   node ../scripts/size.mjs <export or * or lazy>=<most bytes> …
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const { exports, peerDependencies = {} } = JSON.parse(readFileSync("package.json", "utf8"));
const dist = resolve(exports["."].default);
const peers = Object.keys(peerDependencies);

const sizes = {};
const limits = process.argv.slice(2).map((argument) => argument.split("="));
for (const [name] of limits) {
  if (name === "lazy") continue;
  const what = name === "*" ? "*" : `{ ${name} }`;
  const bundle = await rolldown({
    input: "entry",
    platform: "browser",
    // `"use client"` is for frameworks that bundle it themselves.
    onLog: (level, log, report) => log.code !== "MODULE_LEVEL_DIRECTIVE" && report(level, log),
    external: (id) => peers.some((peer) => id === peer || id.startsWith(`${peer}/`)),
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? id : null),
        load: (id) => (id === "entry" ? `export ${what} from ${JSON.stringify(dist)};` : null),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  for (const chunk of output)
    sizes[chunk.isEntry ? name : "lazy"] = gzipSync(chunk.code, { level: 9 }).length;
}
for (const [name, limit] of limits) {
  process.stdout.write(`${name.padEnd(10)} ${sizes[name]} bytes gzipped, at most ${limit}\n`);
  if (!(sizes[name] <= Number(limit))) process.exitCode = 1;
}
