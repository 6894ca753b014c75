// What an application's bundle grows by: the package as published, minified and gzipped, by what is imported from it.
// Chunks that are loaded only when they are asked for are told apart.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const LIMITS = { Session: 8_000, Starling: 11_000, msgpack: 1_500 };

const sizes = {};
const dist = fileURLToPath(new URL("../dist/index.js", import.meta.url));
for (const name of ["Session", "Starling"]) {
  const bundle = await rolldown({
    input: "entry",
    platform: "browser",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? id : null),
        load: (id) => (id === "entry" ? `export { ${name} } from ${JSON.stringify(dist)};` : null),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  for (const chunk of output) {
    const size = gzipSync(chunk.code, { level: 9 }).length;
    if (chunk.isEntry) sizes[name] = size;
    else sizes.msgpack = size;
  }
}
for (const [name, limit] of Object.entries(LIMITS)) {
  process.stdout.write(`${name.padEnd(10)} ${sizes[name]} bytes gzipped, at most ${limit}\n`);
  if (!(sizes[name] <= limit)) process.exitCode = 1;
}
