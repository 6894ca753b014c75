import { defineConfig } from "vitest/config";

export default defineConfig({
  // The SDK from its source, which its scripted server uses, too.
  resolve: { tsconfigPaths: true },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "happy-dom",
    setupFiles: ["test/support/setup.ts"],
    restoreMocks: true,
  },
});
