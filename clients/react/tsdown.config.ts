import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts"],
  format: "esm",
  platform: "neutral",
  target: "es2022",
  dts: true,
  fixedExtension: false,
  // Hooks run in the browser: for frameworks that tell server components apart.
  outputOptions: { banner: '"use client";' },
});
