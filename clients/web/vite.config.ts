import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Writes `.gz` and `.br` beside every file: a gateway sends what the browser takes, and compresses nothing itself. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    // Of the files as they are on the disk: until then other plugins replace parts of them.
    async writeBundle({ dir = "" }, bundle) {
      for (const fileName of Object.keys(bundle)) {
        const path = join(dir, fileName);
        const source = await readFile(path);
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: 11,
          [constants.BROTLI_PARAM_SIZE_HINT]: source.length,
        };
        await writeFile(`${path}.gz`, gzipSync(source, { level: 9 }));
        await writeFile(`${path}.br`, brotliCompressSync(source, { params }));
      }
    },
  };
}

// For `npm run dev`: where the gateway is.
const gateway = process.env.STARLING_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), precompressed()],
  build: {
    target: "es2022",
    // The policy of the page allows no `data:` and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": gateway,
      "/ws": { target: gateway, ws: true },
    },
  },
});
